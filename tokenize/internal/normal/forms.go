// Package normal rewrites text into the Unicode normalization forms of Hugging Face tokenizers and says what became of
// each character.
//
// The tables are observed from the library (probe_forms.py): they are older than Go's, and there is no Stream-Safe
// rule. Every function expects valid UTF-8.
package normal

import (
	_ "embed"
	"encoding/binary"
	"unicode/utf8"
)

// Change is one character of normalized text and what it did to the text before, as Hugging Face counts it:
// D = 1 inserts R, 0 puts it in the place of the next character, −n does that and swallows n more.
type Change struct {
	R rune
	D int32
}

const (
	noNFC = 1 << iota // the form is another
	noNFD
	noNFKC
	noNFKD
	maybe // may combine with what stands before it
)

const pageCount = 0x110000 >> 8

//go:embed forms.bin
var embeddedForms []byte

var forms = loadForms(embeddedForms)

// narrow maps code points to bytes, wide to 16-bit numbers; both share equal blocks of 256.
type narrow struct {
	pages  *[pageCount]byte
	blocks []byte
}

type wide struct {
	pages  *[pageCount]byte
	blocks []byte
}

type formTables struct {
	kinds      narrow
	attributes [256]uint16 // flags below, combining class above bit 8
	canonical  wide
	compatible wide
	lower      wide
	pool       []byte
	starts     []byte
	pairs      []uint64 // first<<32 | second, ascending
	composed   []rune
}

func (t narrow) at(r rune) byte {
	if uint32(r) >= 0x110000 {
		return 0
	}
	return t.blocks[int(t.pages[uint32(r)>>8])<<8|int(r&0xff)]
}

func (t wide) at(r rune) int {
	if uint32(r) >= 0x110000 {
		return 0
	}
	i := int(t.pages[uint32(r)>>8])<<9 | int(r&0xff)<<1
	return int(binary.LittleEndian.Uint16(t.blocks[i:]))
}

func sections(b []byte) [][]byte {
	var parts [][]byte
	for len(b) > 0 {
		n := 4 + int(binary.LittleEndian.Uint32(b))
		parts = append(parts, b[4:n:n])
		b = b[n:]
	}
	return parts
}

func pages(b []byte) *[pageCount]byte { return (*[pageCount]byte)(b) }

func loadForms(b []byte) formTables {
	p := sections(b)
	t := formTables{
		kinds:      narrow{pages(p[1]), p[2]},
		canonical:  wide{pages(p[3]), p[4]},
		compatible: wide{pages(p[5]), p[6]},
		lower:      wide{pages(p[7]), p[8]},
		pool:       p[9],
		starts:     p[10],
	}
	for i := 0; i < len(p[0]); i += 2 {
		t.attributes[i/2] = binary.LittleEndian.Uint16(p[0][i:])
	}
	for q := p[11]; len(q) > 0; q = q[12:] {
		first, second := binary.LittleEndian.Uint32(q), binary.LittleEndian.Uint32(q[4:])
		t.pairs = append(t.pairs, uint64(first)<<32|uint64(second))
		t.composed = append(t.composed, rune(binary.LittleEndian.Uint32(q[8:])))
	}
	return t
}

func attributes(r rune) uint16 { return forms.attributes[forms.kinds.at(r)] }

// CCC returns the canonical combining class of r.
func CCC(r rune) uint8 { return uint8(attributes(r) >> 8) }

// text returns string number n of the pool; n is not 0.
func (t *formTables) text(n int) []byte {
	return t.pool[binary.LittleEndian.Uint32(t.starts[4*n-4:]):binary.LittleEndian.Uint32(t.starts[4*n:])]
}

// AppendLower lower-cases every character by itself: no final sigma, and İ becomes i and a dot.
func AppendLower(dst []Change, s string) []Change {
	for _, r := range s {
		if r < utf8.RuneSelf {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			dst = append(dst, Change{R: r})
			continue
		}
		n := forms.lower.at(r)
		if n == 0 {
			dst = append(dst, Change{R: r})
			continue
		}
		dst = appendParts(dst, forms.text(n))
	}
	return dst
}

// appendParts appends what one character became.
func appendParts(dst []Change, b []byte) []Change {
	var d int32
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		dst = append(dst, Change{r, d})
		b, d = b[size:], 1
	}
	return dst
}
