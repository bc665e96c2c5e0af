package ucd

import (
	_ "embed"
	"encoding/binary"
	"strings"
	"sync"
)

//go:embed scripts.bin
var embeddedScripts []byte

//go:embed properties.bin
var embeddedProperties []byte

// Script returns a number for the script that the UnicodeScripts pre-tokenizer sees in r; 0 goes with any other.
func Script(r rune) uint8 {
	if uint32(r) >= 0x110000 {
		return 0
	}
	b := embeddedScripts[4:]
	return b[pageCount+int(b[uint32(r)>>8])<<8|int(r&0xff)]
}

// Property returns the inclusive ranges of a property that Oniguruma knows: pairs of first and last, ascending.
// Besides the names of \p{…} there are "[:name:]" for POSIX brackets, and \w \d \s \h, once alone and once as [\w],
// which is another set.
func Property(name string) ([]rune, bool) {
	if !strings.HasPrefix(name, `\`) && !strings.HasPrefix(name, "[") {
		name = strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(name))
	}
	p := properties()
	n, ok := p.names[name]
	if !ok {
		return nil, false
	}
	return decodeRanges(p.bodies[n]), true
}

type propertyTable struct {
	bodies [][]byte
	names  map[string]int
}

var properties = sync.OnceValue(func() propertyTable {
	b := embeddedProperties
	next := func() int {
		n, size := binary.Uvarint(b)
		b = b[size:]
		return int(n)
	}
	p := propertyTable{names: map[string]int{}}
	for range next() {
		n := next()
		p.bodies = append(p.bodies, b[:n:n])
		b = b[n:]
	}
	for range next() {
		n := next()
		name := string(b[:n])
		b = b[n:]
		p.names[name] = next()
	}
	return p
})

func decodeRanges(b []byte) []rune {
	var ranges []rune
	last := rune(0)
	for len(b) > 0 {
		step, n := binary.Uvarint(b)
		span, m := binary.Uvarint(b[n:])
		b = b[n+m:]
		first := last + rune(step)
		last = first + rune(span)
		ranges = append(ranges, first, last)
	}
	return ranges
}
