package split

import (
	"unicode/utf8"

	"textmill/tokenize/internal/ucd"
)

// segmenter finds borders of extended grapheme clusters in one text; it remembers the last run of regional indicators.
type segmenter struct {
	runAt, runEnd int // a run begins at runAt, and is known up to runEnd
}

// end is where the cluster ends that s[at] is in.
func (g *segmenter) end(s string, at int) int {
	for {
		_, size := utf8.DecodeRuneInString(s[at:])
		if at += size; at == len(s) || g.breaks(s, at) {
			return at
		}
	}
}

func isControl(c ucd.Segment) bool {
	return c == ucd.SegmentCR || c == ucd.SegmentLF || c == ucd.SegmentControl
}

// breaks tells whether there is a border before s[at].
func (g *segmenter) breaks(s string, at int) bool {
	if at == 0 || at == len(s) {
		return len(s) > 0
	}
	before, size := utf8.DecodeLastRuneInString(s[:at])
	after, _ := utf8.DecodeRuneInString(s[at:])
	x, y := ucd.SegmentOf(before)&^ucd.SegmentPictograph, ucd.SegmentOf(after)&^ucd.SegmentPictograph
	switch {
	case x == ucd.SegmentCR && y == ucd.SegmentLF:
		return false
	case isControl(x) || isControl(y):
		return true
	case x >= ucd.SegmentL && y >= ucd.SegmentL:
		return !syllable(x, y)
	case y == ucd.SegmentExtend || y == ucd.SegmentZWJ || y == ucd.SegmentSpacing || x == ucd.SegmentPrepend:
		return false
	case x == ucd.SegmentZWJ && ucd.SegmentOf(after)&ucd.SegmentPictograph != 0:
		return !pictographBefore(s[:at-size])
	case x == ucd.SegmentRegional && y == ucd.SegmentRegional:
		return g.regionals(s, at)%2 == 0
	}
	return true
}

// syllable tells whether two parts of Hangul syllables are of one.
func syllable(x, y ucd.Segment) bool {
	switch x {
	case ucd.SegmentL:
		return y != ucd.SegmentT
	case ucd.SegmentLV, ucd.SegmentV:
		return y == ucd.SegmentV || y == ucd.SegmentT
	}
	return y == ucd.SegmentT
}

// pictographBefore tells whether s ends in a pictograph and characters that extend it.
func pictographBefore(s string) bool {
	for len(s) > 0 {
		r, size := utf8.DecodeLastRuneInString(s)
		c := ucd.SegmentOf(r)
		if c&ucd.SegmentPictograph != 0 {
			return true
		}
		if c != ucd.SegmentExtend {
			return false
		}
		s = s[:len(s)-size]
	}
	return false
}

// regionals counts the regional indicators right before at.
func (g *segmenter) regionals(s string, at int) int {
	const size = 4 // bytes of each
	from := at
	for from >= size {
		if from == g.runEnd && g.runEnd > g.runAt {
			from = g.runAt
			break
		}
		if r, n := utf8.DecodeLastRuneInString(s[:from]); n != size ||
			ucd.SegmentOf(r)&^ucd.SegmentPictograph != ucd.SegmentRegional {
			break
		}
		from -= size
	}
	g.runAt, g.runEnd = from, at
	return (at - from) / size
}
