package vocabulary

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"
)

const (
	space = "▁"
	// maxToken bounds the ways in which a token can be made of two others.
	maxToken = 1 << 12
)

// sentencePiece is the tokenizer of Llama 2 and its kin: merges of characters, bytes for what the vocabulary lacks.
// The file has scores instead of merges; a merge is better the higher what it makes is scored.
func (b *builder) sentencePiece() (object, error) {
	scores, ok := b.f.Floats("tokenizer.ggml.scores")
	if !ok || len(scores) != len(b.tokens) {
		return nil, fmt.Errorf("%w: %d tokens have %d scores", ErrUnsupported, len(b.tokens), len(scores))
	}
	for i, t := range b.tokens {
		if len(t) > maxToken {
			return nil, fmt.Errorf("%w: token %d has %d bytes", ErrUnsupported, i, len(t))
		}
	}
	vocab, err := b.vocab()
	if err != nil {
		return nil, err
	}
	var unknown any
	if _, text, ok := b.token("unknown_token_id"); ok {
		unknown = text
	}
	replace := object{"type": "Replace", "pattern": object{"String": " "}, "content": space}
	normalizer := sequence("normalizers", replace)
	decoders := []object{
		{"type": "Replace", "pattern": object{"String": space}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
	}
	if b.adds("add_space_prefix", true) {
		normalizer = sequence("normalizers", object{"type": "Prepend", "prepend": space}, replace)
		decoders = append(decoders, object{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	return b.engine(normalizer, nil, sequence("decoders", decoders...), object{
		"type": "BPE", "dropout": nil, "unk_token": unknown, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
		"fuse_unk": true, "byte_fallback": true, "ignore_merges": false, "vocab": vocab, "merges": b.merges(vocab, scores),
	})
}

// merges lists every way to make a token of two others, the best first.
func (b *builder) merges(vocab map[string]int, scores []float64) [][2]string {
	type merge struct {
		pair        [2]string
		left, right int
		score       float64
		runes       [2]int
	}
	var all []merge
	for i, t := range b.tokens {
		if b.kinds[i] != kindNormal && b.kinds[i] != kindUser {
			continue
		}
		for at := range t {
			l, leftOK := vocab[t[:at]]
			r, rightOK := vocab[t[at:]]
			if at > 0 && leftOK && rightOK {
				all = append(all, merge{[2]string{t[:at], t[at:]}, l, r, scores[i],
					[2]int{utf8.RuneCountInString(t[:at]), utf8.RuneCountInString(t[at:])}})
			}
		}
	}
	slices.SortStableFunc(all, func(x, y merge) int {
		return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(y.runes[0], x.runes[0]),
			cmp.Compare(y.runes[1], x.runes[1]),
			cmp.Compare(x.left, y.left), cmp.Compare(x.right, y.right))
	})
	list := make([][2]string, len(all))
	for i, m := range all {
		list[i] = m.pair
	}
	return list
}
