package normal

import (
	"slices"
	"unicode/utf8"
)

const (
	hangulBase  = 0xAC00
	hangulCount = 11172
	leadBase    = 0x1100
	leadCount   = 19
	vowelBase   = 0x1161
	vowelCount  = 21
	tailBase    = 0x11A7
	tailCount   = 28
)

// AppendNFD appends the canonical decomposition of s.
func AppendNFD(dst []Change, s string) []Change { return appendDecomposed(dst, s, &forms.canonical) }

// AppendNFKD appends the compatibility decomposition of s.
func AppendNFKD(dst []Change, s string) []Change { return appendDecomposed(dst, s, &forms.compatible) }

func appendDecomposed(dst []Change, s string, table *wide) []Change {
	block := len(dst) // where the characters begin that may still change places
	mixed := false    // the block holds a mark
	for _, r := range s {
		from := len(dst)
		dst = appendOne(dst, r, table)
		for i := from; i < len(dst); i++ {
			if CCC(dst[i].R) != 0 {
				mixed = true
				continue
			}
			if mixed {
				sortMarks(dst[block:i])
				mixed = false
			}
			block = i
		}
	}
	if mixed {
		sortMarks(dst[block:])
	}
	return dst
}

func appendOne(dst []Change, r rune, table *wide) []Change {
	if r < utf8.RuneSelf {
		return append(dst, Change{R: r})
	}
	if s := r - hangulBase; s >= 0 && s < hangulCount {
		dst = append(dst, Change{R: leadBase + s/(vowelCount*tailCount)}, Change{vowelBase + s/tailCount%vowelCount, 1})
		if t := s % tailCount; t > 0 {
			dst = append(dst, Change{tailBase + t, 1})
		}
		return dst
	}
	n := table.at(r)
	if n == 0 {
		return append(dst, Change{R: r})
	}
	return appendParts(dst, forms.text(n))
}

// sortMarks brings marks into canonical order; those of one class keep theirs.
func sortMarks(b []Change) {
	if len(b) > 24 {
		slices.SortStableFunc(b, func(x, y Change) int { return int(CCC(x.R)) - int(CCC(y.R)) })
		return
	}
	for i := 1; i < len(b); i++ {
		c, ccc := b[i], CCC(b[i].R)
		j := i
		for ; j > 0 && CCC(b[j-1].R) > ccc; j-- {
			b[j] = b[j-1]
		}
		b[j] = c
	}
}

// AppendDecomposed appends the canonical decomposition of one character, its marks not yet sorted among others.
func AppendDecomposed(dst []rune, r rune) []rune {
	if s := r - hangulBase; s >= 0 && s < hangulCount {
		dst = append(dst, leadBase+s/(vowelCount*tailCount), vowelBase+s/tailCount%vowelCount)
		if t := s % tailCount; t > 0 {
			dst = append(dst, tailBase+t)
		}
		return dst
	}
	n := 0
	if r >= utf8.RuneSelf {
		n = forms.canonical.at(r)
	}
	if n == 0 {
		return append(dst, r)
	}
	for b := forms.text(n); len(b) > 0; {
		d, size := utf8.DecodeRune(b)
		dst = append(dst, d)
		b = b[size:]
	}
	return dst
}
