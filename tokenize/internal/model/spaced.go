package model

import (
	"slices"
	"unicode/utf8"

	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/vocab"
)

// Spaced is BPE over text in which a space counts as the character that stands for it, such as ▁.
type Spaced struct {
	Words
	stands rune
	cross  map[rune]bool // characters that a merge joins with a following space
	all    bool          // every character may be such
}

// NewSpaced reports false when the model cannot be run so.
func NewSpaced(m Model, merges []spec.Merge, stands rune) (*Spaced, bool) {
	b, ok := m.(*BPE)
	if !ok || b.prefix != "" || b.suffix != "" || b.whole {
		return nil, false
	}
	id, ok := b.vocab.IDOf(string(stands))
	if !ok || b.unk < 0 && !b.allBytes() { // lost characters would shift what follows
		return nil, false
	}
	own := *b
	own.ascii[' '] = id
	s := &Spaced{Words: Words{&own}, stands: stands, cross: map[rune]bool{}}
	for _, merge := range merges {
		s.note(b, merge)
	}
	return s, true
}

// note keeps what a merge says about where text may be cut before a space.
func (s *Spaced) note(b *BPE, m spec.Merge) {
	right, _ := b.vocab.Token(m.Right)
	if first, _ := utf8.DecodeRune(right); first != s.stands {
		return
	}
	left, _ := b.vocab.Text(m.Left)
	if m.Left == b.unk || byteToken(left) { // it stands for text that it does not show
		s.all = true
	}
	last, _ := utf8.DecodeLastRuneInString(left)
	s.cross[last] = true
}

// allBytes reports whether any character can fall back to bytes.
func (b *BPE) allBytes() bool {
	return b.fallback && !slices.Contains(b.bytes[:], -1)
}

func byteToken(token string) bool { return len(token) == 6 && token[:3] == "<0x" && token[5] == '>' }

// Cuts reports whether no merge reaches over the boundary between a character and a space.
func (s *Spaced) Cuts(before rune) bool {
	if before == ' ' {
		before = s.stands
	}
	return !s.all && !s.cross[before]
}

// runeTable maps characters to their own tokens.
type runeTable [0x1100]*[256]int32

func newRuneTable(v *vocab.Vocab) *runeTable {
	t := &runeTable{}
	for token, id := range v.All {
		if len(token) > utf8.UTFMax {
			continue
		}
		c, n := utf8.DecodeRune(token)
		if n == 0 || n != len(token) || c < utf8.RuneSelf {
			continue
		}
		page := t[c>>8]
		if page == nil {
			page = new([256]int32)
			t[c>>8] = page
		}
		page[c&0xff] = id + 1
	}
	return t
}

// get returns -1 for a character without a token.
func (t *runeTable) get(c rune) int32 {
	if page := t[c>>8]; page != nil {
		return page[c&0xff] - 1
	}
	return -1
}
