package syntax

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/runenames"
)

var simpleEscapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a",
	'b': "\b",
	'f': "\f", 'v': "\v", '\n': ""}

// unescape reads a string literal as Python's unicode-escape does.
func unescape(s string) (string, error) {
	if !strings.Contains(s, `\`) {
		return s, nil
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		c := s[i]
		if text, ok := simpleEscapes[c]; ok {
			b.WriteString(text)
			continue
		}
		width := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		switch {
		case width > 0:
			if i+width >= len(s) {
				return "", fmt.Errorf(`\%c wants %d hexadecimal digits`, c, width)
			}
			n, err := strconv.ParseUint(s[i+1:i+1+width], 16, 32)
			if err != nil || n > utf8.MaxRune {
				return "", fmt.Errorf(`\%s is no character`, s[i:i+1+width])
			}
			if !utf8.ValidRune(rune(n)) {
				return "", fmt.Errorf(`\%s is half a character (a lone surrogate), which is not supported`, s[i:i+1+width])
			}
			b.WriteRune(rune(n))
			i += width
		case c >= '0' && c <= '7':
			end := i
			for end < len(s) && end < i+3 && s[end] >= '0' && s[end] <= '7' {
				end++
			}
			n, _ := strconv.ParseUint(s[i:end], 8, 16)
			b.WriteRune(rune(n))
			i = end - 1
		case c == 'N':
			name, _, ok := strings.Cut(strings.TrimPrefix(s[i+1:], "{"), "}")
			r, known := named()[strings.ToUpper(name)]
			if !ok || !known || !strings.HasPrefix(s[i+1:], "{") {
				return "", fmt.Errorf(`unknown Unicode character name`)
			}
			b.WriteRune(r)
			i += len(name) + 2
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// named are the characters by name, for \N{…}.
var named = sync.OnceValue(func() map[string]rune {
	out := map[string]rune{}
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if name := runenames.Name(r); name != "" && name[0] != '<' {
			out[name] = r
		}
	}
	return out
})
