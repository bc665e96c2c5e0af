package split

import (
	"slices"
	"unicode/utf8"
)

// set is a set of code points: sorted inclusive ranges, neither touching nor overlapping, and a table for ASCII.
type set struct {
	ranges []rune
	ascii  [utf8.RuneSelf]bool
}

func newSet(ranges []rune) *set {
	s := &set{ranges: ranges}
	for r := range rune(utf8.RuneSelf) {
		s.ascii[r] = inRanges(ranges, r)
	}
	return s
}

func (s *set) has(r rune) bool {
	if r < utf8.RuneSelf {
		return s.ascii[r]
	}
	return inRanges(s.ranges, r)
}

func inRanges(ranges []rune, r rune) bool {
	lo, hi := 0, len(ranges)/2
	for lo < hi {
		mid := (lo + hi) / 2
		switch {
		case r < ranges[2*mid]:
			hi = mid
		case r > ranges[2*mid+1]:
			lo = mid + 1
		default:
			return true
		}
	}
	return false
}

// union takes ranges in any order and makes them canonical.
func union(lists ...[]rune) []rune {
	type span struct{ first, last rune }
	var spans []span
	for _, l := range lists {
		for i := 0; i < len(l); i += 2 {
			spans = append(spans, span{l[i], l[i+1]})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return int(a.first - b.first) })
	var out []rune
	for _, s := range spans {
		if n := len(out); n > 0 && s.first <= out[n-1]+1 {
			out[n-1] = max(out[n-1], s.last)
			continue
		}
		out = append(out, s.first, s.last)
	}
	return out
}

func complement(ranges []rune) []rune {
	var out []rune
	next := rune(0)
	for i := 0; i+1 < len(ranges); i += 2 {
		if ranges[i] > next {
			out = append(out, next, ranges[i]-1)
		}
		next = ranges[i+1] + 1
	}
	if next <= utf8.MaxRune {
		out = append(out, next, utf8.MaxRune)
	}
	return out
}

func intersect(a, b []rune) []rune {
	return complement(union(complement(a), complement(b)))
}
