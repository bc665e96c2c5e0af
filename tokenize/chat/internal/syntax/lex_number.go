package syntax

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"textmill/tokenize/chat/internal/python"
)

func isNamePart(r rune) bool {
	return r == '_' || unicode.In(r, unicode.L, unicode.N, unicode.Mn, unicode.Mc, unicode.Pc, unicode.Other_ID_Start,
		unicode.Other_ID_Continue)
}

func (l *lexer) name() error {
	from := l.at
	for l.at < len(l.source) {
		r, size := utf8.DecodeRuneInString(l.source[l.at:])
		if !isNamePart(r) {
			break
		}
		l.at += size
	}
	if !python.IsIdentifier(l.source[from:l.at]) {
		return l.fail(from, "Invalid character in identifier")
	}
	l.add(tokenName, l.source[from:l.at], from)
	return nil
}

// digits takes digits of a set with single underscores between; lead allows one before the first.
func (l *lexer) digits(at int, set string, lead bool) int {
	for at < len(l.source) {
		i := at
		if l.source[i] == '_' && lead {
			i++
		}
		if i == len(l.source) || !strings.Contains(set, strings.ToLower(l.source[i:i+1])) {
			break
		}
		at, lead = i+1, true
	}
	return at
}

const decimals = "0123456789"

func (l *lexer) number() {
	from := l.at
	if at, ok := l.float(from); ok {
		l.add(tokenFloat, strings.ReplaceAll(l.source[from:at], "_", ""), from)
		l.at = at
		return
	}
	set, at, lead := decimals, from+1, true
	if l.source[from] == '0' {
		set = "0"
		prefix := strings.ToLower(l.source[from:min(from+2, len(l.source))])
		if other, ok := map[string]string{"0b": "01", "0o": "01234567", "0x": "0123456789abcdef"}[prefix]; ok &&
			l.digits(from+2, other, true) > from+2 {
			set, at = other, from+2
		}
	}
	l.at = l.digits(at, set, lead)
	l.add(tokenInteger, strings.ReplaceAll(l.source[from:l.at], "_", ""), from)
}

// float takes a fraction, an exponent or both.
func (l *lexer) float(from int) (end int, ok bool) {
	if from > 0 && l.source[from-1] == '.' {
		return 0, false
	}
	at := l.digits(from, decimals, false)
	if at < len(l.source) && l.source[at] == '.' {
		if end := l.digits(at+1, decimals, false); end > at+1 {
			at, ok = end, true
		}
	}
	if at < len(l.source) && l.source[at]|0x20 == 'e' {
		i := at + 1
		if i < len(l.source) && (l.source[i] == '+' || l.source[i] == '-') {
			i++
		}
		if end := l.digits(i, decimals, false); end > i {
			return end, true
		}
	}
	return at, ok
}

func (l *lexer) string(quote byte) error {
	from := l.at
	for i := from + 1; i < len(l.source); i++ {
		switch l.source[i] {
		case '\\':
			i++
		case quote:
			text, err := unescape(l.source[from+1 : i])
			if err != nil {
				return l.fail(from, "%s", err)
			}
			l.add(tokenString, text, from)
			l.at = i + 1
			return nil
		}
	}
	return l.fail(from, "string has no end")
}
