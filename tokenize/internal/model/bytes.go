package model

import "unicode/utf8"

// Bytes is byte-level BPE over the bytes themselves: it gives what BPE gives for the characters that stand for them.
type Bytes struct {
	bpe    *BPE
	start  [256]int32 // the symbol of each byte
	chars  [256][2]byte
	sizes  [256]uint8
	firsts []uint64 // values of pairs of bytes, [left<<8|right]
}

// NewBytes reports false when the model does something to characters that bytes cannot express.
func NewBytes(m Model, chars *[256]rune) (*Bytes, bool) {
	b, ok := m.(*BPE)
	if !ok || b.prefix != "" || b.suffix != "" {
		return nil, false
	}
	w := &Bytes{bpe: b, firsts: make([]uint64, 1<<16)}
	for c, char := range chars {
		n := utf8.EncodeRune(w.chars[c][:], char)
		w.sizes[c] = uint8(n)
		id, ok := b.vocab.ID(w.chars[c][:n])
		if !ok {
			if inText(byte(c)) {
				return nil, false
			}
			id = -1
		}
		w.start[c] = id
	}
	for pair := range w.firsts {
		w.firsts[pair] = noMerge
		if l, r := w.start[pair>>8], w.start[pair&0xff]; l >= 0 && r >= 0 {
			w.firsts[pair] = b.pairs.get(l, r)
		}
	}
	return w, true
}

// inText reports whether valid UTF-8 can have the byte.
func inText(c byte) bool { return c != 0xC0 && c != 0xC1 && c < 0xF5 }

// Word returns the tokens of a word. They must not be changed and are good until the next call.
func (w *Bytes) Word(word string, s *Scratch) []Token {
	hash := hashWord(word)
	if tokens, ok := s.cache.get(word, hash); ok {
		return tokens
	}
	s.tokens = w.tokens(s.tokens[:0], word, s)
	s.cache.put(word, hash, s.tokens)
	return s.tokens
}

func (w *Bytes) tokens(dst []Token, word string, s *Scratch) []Token {
	if w.bpe.whole {
		s.word = s.word[:0]
		for i := 0; i < len(word); i++ {
			c := word[i]
			s.word = append(s.word, w.chars[c][:w.sizes[c]]...)
		}
		if id, ok := w.bpe.vocab.ID(s.word); ok {
			return append(dst, Token{id, 0, int32(len(word))})
		}
	}
	s.sym.reset()
	for i := 0; i < len(word); i++ {
		s.sym.add(w.start[word[i]], 1)
	}
	if n := len(word); n <= linearLimit {
		s.sym.room(n)
		for i := 0; i+1 < n; i++ {
			s.sym.vals[i] = w.firsts[uint(word[i])<<8|uint(word[i+1])]
		}
		s.sym.mergeScan(&w.bpe.pairs)
	} else {
		s.sym.mergeHeap(&w.bpe.pairs)
	}
	return s.sym.appendTokens(dst)
}
