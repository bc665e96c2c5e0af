package sample

// history counts the tokens of a sequence, each once however often it came.
type history struct {
	tokens []tally
	index  map[int32]int32 // id → place in tokens; nil where nothing asks
}

type tally struct {
	id    int32
	count int32 // how often it was generated; 0 for one that is in the prompt only
}

func (h *history) init() { h.index = make(map[int32]int32) }

// add counts a token by n; one outside the vocabulary is left out.
func (h *history) add(id int32, vocab int, n int32) {
	if id < 0 || int(id) >= vocab {
		return
	}
	at, ok := h.index[id]
	if !ok {
		at = int32(len(h.tokens))
		h.index[id] = at
		h.tokens = append(h.tokens, tally{id: id})
	}
	h.tokens[at].count += n
}
