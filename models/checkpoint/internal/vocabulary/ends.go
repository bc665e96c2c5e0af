package vocabulary

import (
	"maps"
	"slices"
)

// endNames are the tokens that end a text, a turn or a message by their name alone: a file has a key for one or two
// ids, and models make others too. They are llama.cpp's, but for the marks between files of code (<reponame>,
// <|file_sep|>, <|fim_pad|> and their kin), at which the models' own configurations do not end.
var endNames = []string{
	"<|eot_id|>", "<|im_end|>", endOfMessage, "<|return|>", "<|call|>", "<|calls|>", "<|flush|>", "<end_of_turn>",
	"<|endoftext|>", endOfSequence,
	"<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>",
	toolResponse,
	"<｜end▁of▁sentence｜>", "[e~[",
}

// Names that mean something else in the company of others.
const (
	endOfMessage  = "<|end|>"
	endOfSequence = "</s>"
	toolResponse  = "<|tool_response>"
)

// findEnds settles which ids end a text: those that keys name, and those of endNames. Whatever kind the file gives to
// such a token, it is a control token from here on. A token that the file uses for what is unknown is no end by its
// name.
func (b *builder) findEnds() {
	b.ends = map[int64]bool{}
	for _, key := range []string{"eos_token_id", "eot_token_id", "eom_token_id"} {
		if id, _, ok := b.token(key); ok {
			b.ends[id] = true
		}
	}
	unknown, _, known := b.token("unknown_token_id")
	named := map[string]int64{}
	for i, t := range b.tokens {
		id := int64(i)
		if !slices.Contains(endNames, t) {
			continue
		}
		b.kinds[i] = kindControl
		if known && id == unknown && !b.ends[id] {
			continue
		}
		b.ends[id], named[t] = true, id
	}
	has := func(name string) bool { _, ok := named[name]; return ok }
	drop := func(name string, kind int64) {
		if id, ok := named[name]; ok {
			delete(b.ends, id)
			b.kinds[id] = kind
		}
	}
	// Where calls and answers have ends of their own, the end of one message is not the end of the text.
	if has("<|return|>") && (has("<|call|>") || has("<|calls|>")) || has("<|flush|>") &&
		(has("<|call|>") || has("<|calls|>")) {
		drop(endOfMessage, kindUser)
	}
	if has(toolResponse) {
		drop(endOfSequence, kindNormal)
	}
}

// defaultIDs are llama.cpp's where a file has no key, or one beyond its tokens.
var defaultIDs = map[string]map[string]int64{
	"llama":   {"bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0},
	"gpt2":    {"bos_token_id": 11, "eos_token_id": 11},
	wordPiece: {"bos_token_id": 101, "unknown_token_id": 100, "seperator_token_id": 102, "padding_token_id": 0},
}

// token is the text of the token whose id is at key, or of the default one, which counts only if it is special at all.
func (b *builder) token(key string) (id int64, text string, ok bool) {
	id, ok = b.f.Int("tokenizer.ggml." + key)
	if !ok || id < 0 || id >= int64(len(b.tokens)) {
		id, ok = defaultIDs[b.f.Text("tokenizer.ggml.model")][key]
		ok = ok && id < int64(len(b.tokens)) && b.special(int(id))
	}
	if !ok {
		return 0, "", false
	}
	return id, b.tokens[id], true
}

// samplingKeys are the file's words for what generation_config.json says. What textmill does not do keeps its name,
// and is reported by it when the bundle is opened.
var samplingKeys = map[string]string{
	"temp": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p", "penalty_repeat": "repetition_penalty",
	"sequence": "sampler_sequence", "xtc_probability": "xtc_probability", "xtc_threshold": "xtc_threshold",
	"penalty_last_n": "penalty_last_n", "mirostat": "mirostat", "mirostat_tau": "mirostat_tau",
	"mirostat_eta": "mirostat_eta",
}

// generation is generation_config.json.
func (b *builder) generation() object {
	g := object{}
	if id, _, ok := b.token("bos_token_id"); ok {
		g["bos_token_id"] = id
	}
	if list := slices.Sorted(maps.Keys(b.ends)); len(list) == 1 {
		g["eos_token_id"] = list[0]
	} else if len(list) > 1 {
		g["eos_token_id"] = list
	}
	if id, _, ok := b.token("padding_token_id"); ok {
		g["pad_token_id"] = id
	} else if id, _, ok := b.token("eos_token_id"); ok {
		g["pad_token_id"] = id
	}
	if ids, ok := b.f.Ints("tokenizer.ggml.suppress_tokens"); ok {
		g["suppress_tokens"] = slices.DeleteFunc(slices.Clone(ids),
			func(id int64) bool { return id < 0 || id >= int64(len(b.tokens)) })
	}
	for own, name := range samplingKeys {
		key := "general.sampling." + own
		if n, ok := b.f.Int(key); ok {
			g[name] = n
		} else if x, ok := b.f.Float(key); ok {
			g[name] = x
		} else if s := b.f.Text(key); s != "" {
			g[name] = s
		}
	}
	return g
}
