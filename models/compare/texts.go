package compare

import (
	"textmill/models/internal/samples"
	"textmill/tokenize"
)

// Texts are a fixed set of texts as a model's tokens, each of two at least and of limit at most.
func Texts(t *tokenize.Tokenizer, limit int) ([][]int32, error) {
	var all [][]int32
	for _, text := range samples.Texts {
		e, err := t.Encode(text, tokenize.Options{})
		if err != nil {
			return nil, err
		}
		if len(e.IDs) >= 2 {
			all = append(all, e.IDs[:min(len(e.IDs), limit)])
		}
	}
	return all, nil
}

// Spread is a row of n tokens from all over a vocabulary, such as no text has.
func Spread(vocab, n int) []int32 { return samples.Spread(vocab, n) }
