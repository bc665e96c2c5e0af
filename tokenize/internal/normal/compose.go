package normal

import (
	"slices"
	"unicode/utf8"
)

// AppendNFC appends the canonical composition of s.
func AppendNFC(dst []Change, s string) []Change {
	at := len(dst)
	dst = AppendNFD(dst, s)
	return dst[:at+compose(dst[at:])]
}

// AppendNFKC appends the compatibility composition of s.
func AppendNFKC(dst []Change, s string) []Change {
	at := len(dst)
	dst = AppendNFKD(dst, s)
	return dst[:at+compose(dst[at:])]
}

// compose combines decomposed text in place and returns its new length. The count of swallowed characters goes to the
// character that swallowed them even where a mark that stays stands between: so does Hugging Face.
func compose(b []Change) int {
	starter := -1 // where the last character is that can take up marks
	last := -1    // combining class of the last mark that was left standing after it
	n := 0
	for _, c := range b {
		ccc := int(CCC(c.R))
		if starter >= 0 && last < ccc {
			if r, ok := pair(b[starter].R, c.R); ok {
				b[starter].R = r
				b[starter].D += c.D - 1
				continue
			}
		}
		switch {
		case ccc == 0:
			starter, last = n, -1
		case starter >= 0:
			last = ccc
		}
		b[n] = c
		n++
	}
	return n
}

func pair(a, b rune) (rune, bool) {
	if attributes(b)&maybe == 0 {
		return 0, false
	}
	if l := a - leadBase; l >= 0 && l < leadCount {
		if v := b - vowelBase; v >= 0 && v < vowelCount {
			return hangulBase + (l*vowelCount+v)*tailCount, true
		}
		return 0, false
	}
	if s := a - hangulBase; s >= 0 && s < hangulCount && s%tailCount == 0 {
		if t := b - tailBase; t > 0 && t < tailCount {
			return a + t, true
		}
		return 0, false
	}
	i, ok := slices.BinarySearch(forms.pairs, uint64(a)<<32|uint64(b))
	if !ok {
		return 0, false
	}
	return forms.composed[i], true
}

// IsNFC reports whether s is certainly the same in NFC; the others likewise.
func IsNFC(s string) bool { return unchanged(s, noNFC|maybe) }

// IsNFD reports whether s is certainly the same in NFD.
func IsNFD(s string) bool { return unchanged(s, noNFD) }

// IsNFKC reports whether s is certainly the same in NFKC.
func IsNFKC(s string) bool { return unchanged(s, noNFKC|maybe) }

// IsNFKD reports whether s is certainly the same in NFKD.
func IsNFKD(s string) bool { return unchanged(s, noNFKD) }

func unchanged(s string, bad uint16) bool {
	var last uint16
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			last = 0
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		i += size
		a := attributes(r)
		if a&bad != 0 {
			return false
		}
		ccc := a >> 8
		if ccc != 0 && last > ccc {
			return false
		}
		last = ccc
	}
	return true
}
