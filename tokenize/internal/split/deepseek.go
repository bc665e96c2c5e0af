package split

import (
	"unicode/utf8"

	"textmill/tokenize/internal/ucd"
)

// The three splits of DeepSeekV3 cut text into segments of numbers, of kana and Han, and of the rest; the last pattern
// never sees beyond its segment.
const (
	segmentRest = iota
	segmentNumber
	segmentKanaHan
)

// kindClass is class for one segment: beyond it there is nothing.
func kindClass(s string, i int) (c ucd.Class, size, segment int) {
	if b := s[i]; b < utf8.RuneSelf {
		if b >= '0' && b <= '9' {
			return ascii[b], 1, segmentNumber
		}
		return ascii[b], 1, segmentRest
	}
	r, size := utf8.DecodeRuneInString(s[i:])
	c = byIndex[ucd.Index(r)]
	switch {
	case r >= 0x4E00 && r <= 0x9FA5 || r >= 0x3040 && r <= 0x30FF:
		return c, size, segmentKanaHan
	case c&number != 0:
		return c, size, segmentNumber
	}
	return c, size, segmentRest
}

// deepSeek returns the end of the piece that begins at s[at], be it a match of one of the patterns or what lies
// between.
func deepSeek(s string, at int) int {
	c, size, segment := kindClass(s, at)
	if segment == segmentNumber {
		return upTo(s, at+size, 2, number)
	}
	if end := deepSeekMatch(s, at, c, size, segment); end > 0 {
		return end
	}
	for at += size; at < len(s); at += size {
		var other int
		c, size, other = kindClass(s, at)
		if other != segment || deepSeekMatch(s, at, c, size, segment) > 0 {
			break
		}
	}
	return at
}

// deepSeekMatch matches the last pattern at s[at], whose class and size are given; 0 if it does not.
func deepSeekMatch(s string, at int, c ucd.Class, size, segment int) int {
	next, after := ucd.Class(0), at+size
	if after < len(s) {
		n, _, other := kindClass(s, after)
		if other == segment {
			next = n
		} else {
			after = len(s) // nothing beyond the segment may match
		}
	}
	if s[at] < utf8.RuneSelf && c&punct != 0 && after < len(s) && asciiLetter(s[after]) {
		for after++; after < len(s) && asciiLetter(s[after]); after++ {
		}
		return after
	}
	const word = letter | mark
	switch {
	case c&word != 0:
		return segmentRun(s, at+size, word, segment)
	case c&(newline|punct) == 0 && next&word != 0:
		return segmentRun(s, after, word, segment)
	case c&punct != 0:
		return segmentRun(s, segmentRun(s, at+size, punct, segment), newline, segment)
	case s[at] == ' ' && next&punct != 0:
		return segmentRun(s, segmentRun(s, after, punct, segment), newline, segment)
	case c&space != 0:
		return segmentLines(s, at)
	}
	return 0
}

func asciiLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

func segmentRun(s string, i int, want ucd.Class, segment int) int {
	for i < len(s) {
		c, size, other := kindClass(s, i)
		if c&want == 0 || other != segment {
			break
		}
		i += size
	}
	return i
}

// segmentLines is lines where the end of the segment counts as the end of the text.
func segmentLines(s string, at int) int {
	end := segmentRun(s, at, space, segmentRest)
	if end < len(s) {
		if _, _, other := kindClass(s, end); other != segmentRest {
			return lines(s[:end], at)
		}
	}
	return lines(s, at)
}
