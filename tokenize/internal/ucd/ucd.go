// Package ucd knows the class of every code point as Hugging Face tokenizers sees it.
//
// The tables are observed, not derived from a version of Unicode: the library mixes several. probe.py makes them.
package ucd

import (
	_ "embed"
	"encoding/binary"
)

// Class is a set of bits, and in its top five bits the general category that Oniguruma knows.
type Class uint32

// What Split patterns (Oniguruma) see.
const (
	Letter Class = 1 << iota // \p{L}
	Number                   // \p{N}
	Mark                     // \p{M}
	Punct                    // \p{P}
	Symbol                   // \p{S}
	Upper                    // \p{Lu}
	Lower                    // \p{Ll}
	Title                    // \p{Lt}
	Space                    // \s
	Word                     // \w

	Numeric    // the Digits pre-tokenizer
	PunctOld   // the Bert and Punctuation pre-tokenizers
	ControlOld // what BertNormalizer's clean_text removes
	CJK        // what BertNormalizer puts between spaces
	MarkOld    // what BertNormalizer's strip_accents removes after decomposition
	Combining  // what StripAccents removes
	RustWord   // \w of the Whitespace pre-tokenizer and of single_word
	RustSpace  // white space of every component that has no pattern
	CleanSpace // what BertNormalizer's clean_text makes a space
)

// General categories, as Category returns them.
const (
	Cn = iota
	Lu
	Ll
	Lt
	Lm
	Lo
	Mn
	Mc
	Me
	Nd
	Nl
	No
	Pc
	Pd
	Ps
	Pe
	Pi
	Pf
	Po
	Sm
	Sc
	Sk
	So
	Zs
	Zl
	Zp
	Cc
	Cf
	Co
)

const pageCount = 0x110000 >> 8

//go:embed classes.bin
var embedded []byte

var classes = load(embedded)

type table struct {
	pages  *[pageCount]byte
	blocks []byte
	masks  [256]Class
}

func load(b []byte) table {
	var t table
	distinct := int(binary.LittleEndian.Uint32(b))
	size := int(binary.LittleEndian.Uint32(b[4:]))
	b = b[8:]
	for i := range distinct {
		t.masks[i] = Class(binary.LittleEndian.Uint32(b[4*i:]))
	}
	b = b[4*distinct:]
	t.pages = (*[pageCount]byte)(b[:pageCount])
	t.blocks = b[pageCount : pageCount+size : pageCount+size]
	return t
}

// Of returns the classes of r; a rune that is no code point has none.
func Of(r rune) Class { return classes.masks[Index(r)] }

// Index returns the number of r's combination of classes, for callers who keep a table of their own by it.
func Index(r rune) uint8 {
	if uint32(r) >= 0x110000 {
		return 0
	}
	return classes.blocks[int(classes.pages[uint32(r)>>8])<<8|int(r&0xff)]
}

// ByIndex returns the classes that Index numbers; unused numbers have none.
func ByIndex(i uint8) Class { return classes.masks[i] }

// Is tells whether r has any class of want.
func Is(r rune, want Class) bool { return Of(r)&want != 0 }

// Category returns the general category of the code point that c came from.
func (c Class) Category() int { return int(c >> 27) }
