package model

import (
	"unicode/utf8"

	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/vocab"
)

// BPE starts from single characters and merges pairs, the earliest learnt first.
type BPE struct {
	vocab          *vocab.Vocab
	pairs          pairs
	prefix, suffix string
	unkToken       string
	hasUnk         bool  // there is an unk_token
	unk            int32 // its ID, -1 when the vocab lacks it
	fuse           bool
	fallback       bool
	whole          bool
	bytes          [256]int32
	ascii          [utf8.RuneSelf]int32 // tokens of single characters, -1 where there is none
	runes          *runeTable
}

func newBPE(m *spec.Model) *BPE {
	b := &BPE{
		vocab: m.Vocab, pairs: newPairs(m.Merges), prefix: m.Prefix, suffix: m.Suffix,
		unkToken: m.UnkToken, hasUnk: m.HasUnk, unk: -1, fuse: m.FuseUnk, fallback: m.Fallback, whole: m.WholeWords,
	}
	if id, ok := m.Vocab.IDOf(m.UnkToken); ok && m.HasUnk {
		b.unk = id
	}
	b.bytes = byteTokens(m.Vocab)
	b.runes = newRuneTable(m.Vocab)
	for c := range b.ascii {
		id, ok := m.Vocab.ID([]byte{byte(c)})
		if !ok {
			id = -1
		}
		b.ascii[c] = id
	}
	return b
}

// Append implements Model.
func (b *BPE) Append(dst []Token, word string, s *Scratch) ([]Token, error) {
	if b.whole {
		if id, ok := b.vocab.IDOf(word); ok {
			return append(dst, Token{id, 0, int32(len(word))}), nil
		}
	}
	s.sym.reset()
	if err := b.start(word, s); err != nil {
		return dst, err
	}
	return b.finish(dst, s), nil
}

// finish merges the symbols and adds what is left of them.
func (b *BPE) finish(dst []Token, s *Scratch) []Token {
	s.sym.merge(&b.pairs)
	return s.sym.appendTokens(dst)
}

// start makes the symbols of the characters of word.
func (b *BPE) start(word string, s *Scratch) error {
	unkLen := int32(0) // bytes of unknown characters not yet added
	for i := 0; i < len(word); {
		size := 1
		if word[i] >= utf8.RuneSelf {
			_, size = utf8.DecodeRuneInString(word[i:])
		}
		char := word[i : i+size]
		id, ok := b.char(char, i == 0, i+size == len(word), s)
		i += size
		switch {
		case ok:
			if unkLen > 0 {
				s.sym.add(b.unk, unkLen)
				unkLen = 0
			}
			s.sym.add(id, int32(size))
		case b.fallback && b.addBytes(s):
		case !b.hasUnk: // the character is lost
		case b.unk < 0:
			return unknown(char, b.unkToken)
		case b.fuse:
			unkLen += int32(size)
		default:
			if unkLen > 0 {
				s.sym.add(b.unk, unkLen)
			}
			unkLen = int32(size)
		}
	}
	if unkLen > 0 {
		s.sym.add(b.unk, unkLen)
	}
	return nil
}

// char finds the token of a character, dressed with prefix and suffix; the dressed text is left in s.word.
func (b *BPE) char(char string, first, last bool, s *Scratch) (int32, bool) {
	prefix, suffix := b.prefix, b.suffix
	if first {
		prefix = ""
	}
	if !last {
		suffix = ""
	}
	if prefix == "" && suffix == "" {
		var id int32
		if len(char) == 1 {
			id = b.ascii[char[0]]
		} else {
			c, _ := utf8.DecodeRuneInString(char)
			id = b.runes.get(c)
		}
		if id < 0 {
			s.word = append(s.word[:0], char...)
		}
		return id, id >= 0
	}
	s.word = append(append(append(s.word[:0], prefix...), char...), suffix...)
	return b.vocab.ID(s.word)
}

// addBytes adds the tokens of the bytes of s.word, if there is one for each.
func (b *BPE) addBytes(s *Scratch) bool {
	for _, c := range s.word {
		if b.bytes[c] < 0 {
			return false
		}
	}
	for _, c := range s.word {
		s.sym.add(b.bytes[c], 1)
	}
	return true
}
