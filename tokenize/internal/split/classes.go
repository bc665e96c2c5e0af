package split

import (
	"unicode/utf8"

	"textmill/tokenize/internal/ucd"
)

// Beside ucd's classes the scanners know line ends and the halves of a cased word.
const (
	newline ucd.Class = 1 << (24 + iota) // \r or \n; the general category, which these bits overlap, is not kept
	lowerOrLo
	upperOrLo
)

const (
	letter = ucd.Letter
	number = ucd.Number
	space  = ucd.Space
	mark   = ucd.Mark
	punct  = ucd.Punct | ucd.Symbol
	flags  = 1<<24 - 1
)

var (
	byIndex = indexedClasses()
	ascii   = asciiClasses()
)

// indexedClasses adds to ucd's classes the two halves of a cased word in GPT-4o's pattern: [Lu Lt Lm Lo M] and [Ll Lm
// Lo M].
func indexedClasses() (t [256]ucd.Class) {
	for i := range t {
		c := ucd.ByIndex(uint8(i))
		t[i] = c & flags
		switch c.Category() {
		case ucd.Lu, ucd.Lt:
			t[i] |= upperOrLo
		case ucd.Ll:
			t[i] |= lowerOrLo
		case ucd.Lm, ucd.Lo, ucd.Mn, ucd.Mc, ucd.Me:
			t[i] |= upperOrLo | lowerOrLo
		}
	}
	return t
}

func asciiClasses() (t [128]ucd.Class) {
	for i := range t {
		t[i] = byIndex[ucd.Index(rune(i))]
	}
	t['\r'] |= newline
	t['\n'] |= newline
	return t
}

// class returns the class and the size of the character at s[i]; i is less than len(s).
func class(s string, i int) (ucd.Class, int) {
	if b := s[i]; b < utf8.RuneSelf {
		return ascii[b], 1
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	return byIndex[ucd.Index(r)], size
}

// run returns the end of the characters from i on that have a class of want.
func run(s string, i int, want ucd.Class) int {
	for i < len(s) {
		c, size := class(s, i)
		if c&want == 0 {
			break
		}
		i += size
	}
	return i
}

// runNot returns the end of the characters from i on that have no class of stop.
func runNot(s string, i int, stop ucd.Class) int {
	for i < len(s) {
		c, size := class(s, i)
		if c&stop != 0 {
			break
		}
		i += size
	}
	return i
}

// upTo is run for at most n characters.
func upTo(s string, i, n int, want ucd.Class) int {
	for ; n > 0 && i < len(s); n-- {
		c, size := class(s, i)
		if c&want == 0 {
			break
		}
		i += size
	}
	return i
}
