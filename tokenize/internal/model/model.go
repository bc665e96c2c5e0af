// Package model turns a word into tokens: WordPiece, BPE, Unigram and WordLevel as Hugging Face computes them.
package model

import (
	"errors"
	"fmt"
	"strings"

	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/vocab"
)

// ErrUnknown is the class of errors about a word that the model has no token for, not even an unknown token.
var ErrUnknown = errors.New("no token for unknown text")

// unknown says which text has no token; token is what should have stood for it.
func unknown(text, token string) error {
	if len(text) > 64 {
		text = strings.ToValidUTF8(text[:64], "") + "…"
	}
	return fmt.Errorf("%w: %q, and unk_token %q is not in the vocab", ErrUnknown, text, token)
}

// Token is a token of a word with the bytes [Start, End) that it covers.
type Token struct {
	ID         int32
	Start, End int32
}

// Scratch is what one goroutine needs to tokenize; reuse it. The zero value is ready.
type Scratch struct {
	sym    symbols
	best   []bestNode
	word   []byte
	tokens []Token
	cache  cache
}

// Model turns words into tokens. It is safe for concurrent use, each goroutine with its own Scratch.
type Model interface {
	// Append adds the tokens of word, which is valid UTF-8 and not empty, to dst.
	Append(dst []Token, word string, s *Scratch) ([]Token, error)
}

// New makes the model that m describes.
func New(m *spec.Model) (Model, error) {
	switch m.Type {
	case "WordPiece":
		return newWordPiece(m), nil
	case "BPE":
		return newBPE(m), nil
	case "Unigram":
		return newUnigram(m), nil
	case "WordLevel":
		return &wordLevel{vocab: m.Vocab, unk: m.UnkToken}, nil
	}
	return nil, fmt.Errorf("model %q is not supported", m.Type)
}

// wordLevel knows whole words only.
type wordLevel struct {
	vocab *vocab.Vocab
	unk   string
}

func (w *wordLevel) Append(dst []Token, word string, _ *Scratch) ([]Token, error) {
	id, ok := w.vocab.IDOf(word)
	if !ok {
		if id, ok = w.vocab.IDOf(w.unk); !ok {
			return dst, unknown(word, w.unk)
		}
	}
	return append(dst, Token{id, 0, int32(len(word))}), nil
}
