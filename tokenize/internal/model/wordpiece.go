package model

import (
	"unicode/utf8"

	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/trie"
)

// WordPiece takes the longest token that the rest of the word starts with, again and again.
type WordPiece struct {
	trie     *trie.Trie
	inner    int // node of the continuing prefix: where pieces after the first are looked up; -1: there are none
	unk      int32
	unkToken string
	hasUnk   bool
	maxChars int
}

func newWordPiece(m *spec.Model) *WordPiece {
	w := &WordPiece{unkToken: m.UnkToken, maxChars: m.MaxChars}
	w.unk, w.hasUnk = m.Vocab.IDOf(m.UnkToken)
	keys := make([]trie.Key, 0, m.Vocab.Len())
	for token, id := range m.Vocab.All {
		keys = append(keys, trie.Key{Key: token, Value: id})
	}
	w.trie = trie.New(keys)
	for i := 0; i < len(m.Prefix) && w.inner >= 0; i++ {
		w.inner = w.trie.Step(w.inner, m.Prefix[i])
	}
	return w
}

// Append implements Model.
func (w *WordPiece) Append(dst []Token, word string, _ *Scratch) ([]Token, error) {
	from := len(dst)
	if len(word) > w.maxChars && utf8.RuneCountInString(word) > w.maxChars {
		return w.unknown(dst, word)
	}
	for start, node := 0, 0; start < len(word); node = w.inner {
		id, end := w.longest(word, start, node)
		if end < 0 {
			return w.unknown(dst[:from], word)
		}
		dst = append(dst, Token{id, int32(start), int32(end)})
		start = end
	}
	return dst, nil
}

// longest finds the longest token from start on; end is -1 when there is none.
func (w *WordPiece) longest(word string, start, node int) (id int32, end int) {
	end = -1
	if node < 0 {
		return 0, end
	}
	units := w.trie.Units
	for i := start; i < len(word); i++ {
		next := units[node].Base ^ uint32(word[i])
		if int(next) >= len(units) || units[next].Parent != uint32(node)+1 {
			break
		}
		node = int(next)
		if v := units[node].Value; v >= 0 {
			id, end = v, i+1
		}
	}
	return id, end
}

func (w *WordPiece) unknown(dst []Token, word string) ([]Token, error) {
	if !w.hasUnk {
		return dst, unknown(word, w.unkToken)
	}
	return append(dst, Token{w.unk, 0, int32(len(word))}), nil
}
