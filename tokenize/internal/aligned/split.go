package aligned

import (
	"slices"
	"strings"

	"textmill/tokenize/internal/split"
)

// Match is a range of a text that a pattern matched, or (Is false) that lies between matches.
type Match struct {
	Start, End int
	Is         bool
}

// Behavior says what becomes of the matches when a text is split at them.
type Behavior uint8

// The behaviours of Hugging Face, by its names.
const (
	Removed Behavior = iota
	Isolated
	MergedWithPrevious
	MergedWithNext
	Contiguous
)

// Ranges are the parts, in order, that a text of the given matches is split into. The matches cover the text;
// Ranges may write over them.
func Ranges(matches []Match, b Behavior) []Match {
	switch b {
	case Removed:
		kept := matches[:0]
		for _, m := range matches {
			if !m.Is {
				kept = append(kept, m)
			}
		}
		return kept
	case Contiguous:
		return fuse(matches, func(is, previous bool) bool { return is == previous }, forward)
	case MergedWithPrevious:
		return fuse(matches, func(is, previous bool) bool { return is && !previous }, forward)
	case MergedWithNext:
		slices.Reverse(matches)
		out := fuse(matches, func(is, previous bool) bool { return is && !previous }, backward)
		slices.Reverse(out)
		return out
	}
	return matches
}

func forward(into *Match, m Match)  { into.End = m.End }
func backward(into *Match, m Match) { into.Start = m.Start }

// fuse joins each match to the part before it when join says so. Before the first there is "no match".
func fuse(matches []Match, join func(is, previous bool) bool, extend func(*Match, Match)) []Match {
	out := matches[:0]
	previous := false
	for _, m := range matches {
		is := m.Is
		if join(is, previous) && len(out) > 0 {
			extend(&out[len(out)-1], m)
		} else {
			out = append(out, m)
		}
		previous = is
	}
	return out
}

// Chars finds each character that is in the set.
func Chars(s string, in func(rune) bool) []Match {
	var list []Match
	last := 0
	for i, c := range s {
		if !in(c) {
			continue
		}
		if last < i {
			list = append(list, Match{last, i, false})
		}
		last = i + len(string(c))
		list = append(list, Match{i, last, true})
	}
	if last < len(s) || len(s) == 0 {
		list = append(list, Match{last, len(s), false})
	}
	return list
}

// Finder is a pattern: it appends its matches in s, which ascend and do not overlap.
type Finder interface {
	Matches(dst []split.Range, s string) []split.Range
}

// Matches cuts s at each match of f.
func Matches(s string, f Finder) []Match {
	var list []Match
	last := 0
	if s != "" {
		for _, r := range f.Matches(nil, s) {
			if last != r.Start {
				list = append(list, Match{last, r.Start, false})
			}
			list = append(list, Match{r.Start, r.End, true})
			last = r.End
		}
	}
	if last != len(s) || s == "" {
		list = append(list, Match{last, len(s), false})
	}
	return list
}

// Invert makes matches of what lies between them, and the other way round.
func Invert(matches []Match) []Match {
	for i := range matches {
		matches[i].Is = !matches[i].Is
	}
	return matches
}

// Literal is the pattern that matches exactly its text, which must not be empty.
type Literal string

// Matches implements Finder.
func (l Literal) Matches(dst []split.Range, s string) []split.Range {
	for at := 0; ; {
		i := strings.Index(s[at:], string(l))
		if i < 0 {
			return dst
		}
		dst = append(dst, split.Range{Start: at + i, End: at + i + len(l)})
		at += i + len(l)
	}
}
