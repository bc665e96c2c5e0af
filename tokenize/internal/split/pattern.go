// Package split finds the matches of Split patterns exactly as Oniguruma does inside Hugging Face tokenizers.
//
// Patterns that well-known models use have hand-written scanners. Any other is compiled for a backtracking matcher
// that remembers failures, so that its time stays linear in the text. What would not come out the same is refused by
// Compile.
package split

import (
	"slices"
	"unicode/utf8"
)

// Range is a match: bytes from Start up to End.
type Range struct{ Start, End int }

// Pattern is a compiled pattern; it is safe for concurrent use.
type Pattern struct {
	scan    func(s string, at int) int
	program *program
}

// Compile prepares a pattern; the error names what cannot be honoured.
func Compile(pattern string) (*Pattern, error) {
	if scan, ok := scanners[pattern]; ok {
		return &Pattern{scan: scan}, nil
	}
	return CompileGeneral(pattern)
}

// CompileGeneral is Compile without the scanners, for tests to compare the two.
func CompileGeneral(pattern string) (*Pattern, error) {
	program, err := compile(pattern)
	if err != nil {
		return nil, err
	}
	return &Pattern{program: program}, nil
}

// Sequence returns one pattern that does at once what isolating splits by each of patterns do one after the other, nil
// when no scanner is known for them.
func Sequence(patterns []string) *Pattern {
	switch {
	case len(patterns) == 1 && scanners[patterns[0]] != nil:
		return &Pattern{scan: scanners[patterns[0]]}
	case slices.Equal(patterns, DeepSeekV3):
		return &Pattern{scan: deepSeek}
	}
	return nil
}

// Known reports whether p has a scanner: its pieces cover any text without a gap, and End gives them.
func (p *Pattern) Known() bool { return p.scan != nil }

// End returns where the piece ends that begins at s[at], for a known pattern and at less than len(s). It does not
// allocate.
func (p *Pattern) End(s string, at int) int { return p.scan(s, at) }

// Scanner returns the function behind End, nil when p is not known.
func (p *Pattern) Scanner() func(s string, at int) int { return p.scan }

// Matches appends all matches in s, leftmost first; an empty match right behind another one is left out.
func (p *Pattern) Matches(dst []Range, s string) []Range {
	if p.scan != nil {
		for at := 0; at < len(s); {
			end := p.scan(s, at)
			dst = append(dst, Range{at, end})
			at = end
		}
		return dst
	}
	m := matcher{program: p.program, s: s}
	last := -1 // where the last match ended
	for at := 0; at <= len(s); {
		r, ok := m.search(at)
		if !ok {
			break
		}
		if r.Start == r.End && r.End == last {
			at += charSize(s, at)
			continue
		}
		dst = append(dst, r)
		at, last = r.End, r.End
	}
	return dst
}

// charSize is the size of the character at s[at]; at the end of s it is one.
func charSize(s string, at int) int {
	if at >= len(s) {
		return 1
	}
	_, size := utf8.DecodeRuneInString(s[at:])
	return size
}
