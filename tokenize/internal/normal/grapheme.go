package normal

import (
	_ "embed"
	"unicode/utf8"
)

// The order is that of probe_forms.py.
const (
	classAny = iota
	classControl
	classExtend
	classZWJ
	classSpacingMark
	classPrepend
	classL
	classV
	classT
	classLV
	classLVT
	classPictograph
	classConsonant

	classMask  = 1<<4 - 1
	linker     = 1 << 4
	incbExtend = 1 << 5
)

//go:embed graphemes.bin
var embeddedGraphemes []byte

var graphemes = loadGraphemes(embeddedGraphemes)

func loadGraphemes(b []byte) narrow {
	p := sections(b)
	return narrow{pages(p[0]), p[1]}
}

// graphemeEnd returns where the extended grapheme cluster that begins at s[at] ends. A pair of flags counts
// as two: only clusters of less than six bytes matter to the caller, and flags are longer.
func graphemeEnd(s string, at int) int {
	r, size := utf8.DecodeRuneInString(s[at:])
	i := at + size
	if i == len(s) {
		return i
	}
	if r < utf8.RuneSelf && s[i] < utf8.RuneSelf {
		if r == '\r' && s[i] == '\n' {
			return i + 1
		}
		return i
	}
	var st cluster
	st.take(graphemes.at(r))
	for i < len(s) {
		r, size = utf8.DecodeRuneInString(s[i:])
		next := graphemes.at(r)
		if st.breaksBefore(next & classMask) {
			return i
		}
		st.take(next)
		i += size
	}
	return i
}

// cluster is what must be remembered of a grapheme to tell whether the next character belongs to it.
type cluster struct {
	last      byte
	emoji     byte // 1: pictograph Extend*, 2: and a zero width joiner
	consonant byte // 1: consonant, 2: and a linker
}

func (c *cluster) take(b byte) {
	class := b & classMask
	c.last = class
	switch {
	case class == classPictograph:
		c.emoji = 1
	case class == classExtend && c.emoji == 1:
	case class == classZWJ && c.emoji == 1:
		c.emoji = 2
	default:
		c.emoji = 0
	}
	switch {
	case class == classConsonant:
		c.consonant = 1
	case b&linker != 0 && c.consonant > 0:
		c.consonant = 2
	case b&incbExtend != 0:
	default:
		c.consonant = 0
	}
}

func (c *cluster) breaksBefore(next byte) bool {
	last := c.last
	if last == classControl || next == classControl {
		return true
	}
	switch next {
	case classExtend, classZWJ, classSpacingMark:
		return false
	}
	switch {
	case last == classPrepend:
		return false
	case last == classL && (next == classL || next == classV || next == classLV || next == classLVT):
		return false
	case (last == classLV || last == classV) && (next == classV || next == classT):
		return false
	case (last == classLVT || last == classT) && next == classT:
		return false
	case next == classConsonant && c.consonant == 2:
		return false
	case next == classPictograph && c.emoji == 2:
		return false
	}
	return true
}
