package python

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// IsSpace is what str.isspace and str.strip take for white space.
func IsSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func isUpper(r rune) bool { return unicode.IsUpper(r) || unicode.Is(unicode.Other_Uppercase, r) }
func isLower(r rune) bool { return unicode.IsLower(r) || unicode.Is(unicode.Other_Lowercase, r) }
func isCased(r rune) bool { return isUpper(r) || isLower(r) || unicode.IsTitle(r) }

func within(table [][2]rune, r rune) bool {
	low, high := 0, len(table)
	for low < high {
		middle := (low + high) / 2
		switch {
		case r < table[middle][0]:
			high = middle
		case r > table[middle][1]:
			low = middle + 1
		default:
			return true
		}
	}
	return false
}

// IsDecimal is what str.isdecimal takes for a digit.
func IsDecimal(r rune) bool { return unicode.IsDigit(r) }
func isDigit(r rune) bool   { return unicode.IsDigit(r) || within(digitOnly, r) }

// IsNumeric is what str.isnumeric takes for a number.
func IsNumeric(r rune) bool { return unicode.IsNumber(r) || within(numericLetters, r) }
func isAlpha(r rune) bool   { return unicode.IsLetter(r) }
func isAlnum(r rune) bool   { return unicode.IsLetter(r) || IsNumeric(r) }

// every tells whether all characters are of a class, and there is one.
func every(s string, is func(rune) bool) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !is(r) }) < 0
}

// Upper is s.upper().
func Upper(s string) string {
	return mapped(s, func(b *strings.Builder, r rune, _ int) { upperRune(b, r) })
}

func upperRune(b *strings.Builder, r rune) {
	if special, ok := upperSpecial[r]; ok {
		b.WriteString(special)
		return
	}
	b.WriteRune(unicode.ToUpper(r))
}

func titleRune(b *strings.Builder, r rune) {
	if special, ok := titleSpecial[r]; ok {
		b.WriteString(special)
		return
	}
	b.WriteRune(unicode.ToTitle(r))
}

func mapped(s string, f func(b *strings.Builder, r rune, at int)) string {
	var b strings.Builder
	b.Grow(len(s))
	for at, r := range s {
		f(&b, r, at)
	}
	return b.String()
}

// Lower is s.lower(), which knows the final sigma.
func Lower(s string) string {
	return mapped(s, func(b *strings.Builder, r rune, at int) { lowerRune(b, s, r, at) })
}

func lowerRune(b *strings.Builder, s string, r rune, at int) {
	switch {
	case r == 'İ':
		b.WriteString("i̇")
	case r == 'Σ' && isFinal(s, at):
		b.WriteRune('ς')
	default:
		b.WriteRune(unicode.ToLower(r))
	}
}

// isFinal tells whether the sigma at a place has a cased character before it and none behind, others left out.
func isFinal(s string, at int) bool {
	before, after := s[:at], s[at+len("Σ"):]
	for before != "" {
		r, size := utf8.DecodeLastRuneInString(before)
		before = before[:len(before)-size]
		if isCaseIgnorable(r) {
			continue
		}
		if !isCased(r) {
			return false
		}
		for _, r := range after {
			if !isCaseIgnorable(r) {
				return !isCased(r)
			}
		}
		return true
	}
	return false
}

func isCaseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·\u0387\u055f\u05f4‘’\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", r)
}

// Capitalize is s.capitalize().
func Capitalize(s string) string {
	return mapped(s, func(b *strings.Builder, r rune, at int) {
		if at == 0 {
			titleRune(b, r)
			return
		}
		lowerRune(b, s, r, at)
	})
}

func title(s string) string {
	cased := false
	return mapped(s, func(b *strings.Builder, r rune, at int) {
		if cased {
			lowerRune(b, s, r, at)
		} else {
			titleRune(b, r)
		}
		cased = isCased(r)
	})
}

func swapCase(s string) string {
	return mapped(s, func(b *strings.Builder, r rune, at int) {
		switch {
		case isUpper(r):
			lowerRune(b, s, r, at)
		case isLower(r):
			upperRune(b, r)
		default:
			b.WriteRune(r)
		}
	})
}

func caseFold(s string) string {
	return mapped(s, func(b *strings.Builder, r rune, _ int) {
		if special, ok := foldSpecial[r]; ok {
			b.WriteString(special)
			return
		}
		if r == 'İ' {
			b.WriteString("i̇")
			return
		}
		b.WriteRune(unicode.ToLower(r))
	})
}

// IsUpper is s.isupper().
func IsUpper(s string) bool {
	return strings.IndexFunc(s, isUpper) >= 0 &&
		strings.IndexFunc(s, func(r rune) bool { return isLower(r) || unicode.IsTitle(r) }) < 0
}

// IsLower is s.islower().
func IsLower(s string) bool {
	return strings.IndexFunc(s, isLower) >= 0 &&
		strings.IndexFunc(s, func(r rune) bool { return isUpper(r) || unicode.IsTitle(r) }) < 0
}

func isTitle(s string) bool {
	cased, before := false, false
	for _, r := range s {
		switch {
		case isUpper(r) || unicode.IsTitle(r):
			if before {
				return false
			}
			before, cased = true, true
		case isLower(r):
			if !before {
				return false
			}
			cased = true
		default:
			before = false
		}
	}
	return cased
}

// IsIdentifier tells Python's names.
func IsIdentifier(s string) bool {
	for i, r := range s {
		start := r == '_' || unicode.In(r, unicode.L, unicode.Nl, unicode.Other_ID_Start)
		if !start && (i == 0 || !unicode.In(r, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Continue)) {
			return false
		}
	}
	return s != ""
}
