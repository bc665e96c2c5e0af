package python

import (
	"html"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// StripTags is Markup(s).striptags(): comments and tags away, white space to single spaces, entities to characters.
func StripTags(m *Meter, s string) string {
	m.Bytes(len(s))
	var b strings.Builder
	for {
		start := strings.IndexByte(s, '<')
		if start < 0 {
			break
		}
		mark, from := ">", start
		if strings.HasPrefix(s[start:], "<!--") {
			mark, from = "-->", start+4
		}
		end := strings.Index(s[from:], mark)
		if end < 0 {
			break
		}
		b.WriteString(s[:start])
		s = s[from+end+len(mark):]
	}
	b.WriteString(s)
	return Unescape(m, strings.Join(splitSpace(m, b.String(), -1), " "))
}

var entity = regexp.MustCompile(`&(#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[^\t\n\f <&#;]{1,32};?)`)

// Unescape is html.unescape(s).
func Unescape(m *Meter, s string) string {
	m.Bytes(len(s))
	if !strings.Contains(s, "&") {
		return s
	}
	m.Charge(strings.Count(s, "&"))
	return entity.ReplaceAllStringFunc(s, func(e string) string {
		if e[1] != '#' {
			return html.UnescapeString(e)
		}
		digits, base := strings.TrimSuffix(e[2:], ";"), 10
		if digits[0] == 'x' || digits[0] == 'X' {
			digits, base = digits[1:], 16
		}
		n, err := strconv.ParseUint(digits, base, 32)
		switch {
		case err != nil || n > utf8.MaxRune || n == 0 || n >= 0xd800 && n < 0xe000:
			return "\ufffd"
		case n == 0x0d:
			return "\r"
		case n >= 0x80 && n < 0xa0:
			return html.UnescapeString("&#" + strconv.FormatUint(n, 10) + ";")
		case n < 0x20 && n != '\t' && n != '\n' && n != '\f', n == 0x7f, n >= 0xfdd0 && n < 0xfdf0, n&0xfffe == 0xfffe:
			return ""
		}
		return string(rune(n))
	})
}
