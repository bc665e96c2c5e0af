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

// Word returns the tokens of a word. They must not be changed and are good until the next call.
func (w *Bytes) Word(word string, s *Scratch) ([]Token, error) {
	hash := hashWord(word)
	if tokens, ok := s.cache.get(word, hash); ok {
		return tokens, nil
	}
	var err error
	if s.tokens, err = w.tokens(s.tokens[:0], word, s); err != nil {
		return nil, err
	}
	s.cache.put(word, hash, s.tokens)
	return s.tokens, nil
}

func (w *Bytes) tokens(dst []Token, word string, s *Scratch) ([]Token, error) {
	if w.bpe.whole {
		s.word = w.spell(s.word[:0], word)
		if id, ok := w.bpe.vocab.ID(s.word); ok {
			return append(dst, Token{id, 0, int32(len(word))}), nil
		}
	}
	s.sym.reset()
	for i := 0; i < len(word); i++ {
		id := w.start[word[i]]
		if id < 0 {
			return w.spelled(dst, word, s)
		}
		s.sym.add(id, 1)
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
	return s.sym.appendTokens(dst), nil
}

// spell appends the characters that stand for the bytes of word.
func (w *Bytes) spell(dst []byte, word string) []byte {
	for i := 0; i < len(word); i++ {
		c := word[i]
		dst = append(dst, w.chars[c][:w.sizes[c]]...)
	}
	return dst
}

// spelled takes the long way for a word with a byte that has no token.
func (w *Bytes) spelled(dst []Token, word string, s *Scratch) ([]Token, error) {
	from := len(dst)
	dst, err := w.bpe.Append(dst, string(w.spell(nil, word)), s)
	var at []int32 // which byte each byte of the spelling stands for
	for i := 0; i < len(word); i++ {
		for range w.sizes[word[i]] {
			at = append(at, int32(i))
		}
	}
	for i := from; i < len(dst); i++ {
		dst[i].Start, dst[i].End = at[dst[i].Start], at[dst[i].End-1]+1
	}
	return dst, err
}
