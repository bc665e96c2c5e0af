package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

func upper(s string) string {
	return strings.ToUpper(strings.ReplaceAll(s, "ß", "SS"))
}

// lower knows the final sigma.
func lower(s string) string {
	if !strings.ContainsAny(s, "Σİ") {
		return strings.ToLower(s)
	}
	var b strings.Builder
	runes := []rune(s)
	for i, r := range runes {
		switch {
		case r == 'İ':
			b.WriteString("i̇")
		case r == 'Σ' && i > 0 && unicode.IsLetter(runes[i-1]) && (i+1 == len(runes) || !unicode.IsLetter(runes[i+1])):
			b.WriteRune('ς')
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

func capitalize(s string) string {
	_, size := utf8.DecodeRuneInString(s)
	return strings.ToTitle(s[:size]) + lower(s[size:])
}

func title(s string) string {
	inWord := false
	return strings.Map(func(r rune) rune {
		was := inWord
		inWord = unicode.IsLetter(r)
		if was {
			return unicode.ToLower(r)
		}
		return unicode.ToTitle(r)
	}, s)
}

func every(s string, is func(rune) bool) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !is(r) }) < 0
}

func strip(s string, c *call, left, right bool) (any, error) {
	is := isSpace
	if chars := c.arg(0, "chars", nil); chars != nil {
		set, ok := chars.(string)
		if !ok {
			return nil, errors.New("strip arg must be None or str")
		}
		c.r.charge(size(s) * size(set))
		is = func(r rune) bool { return strings.ContainsRune(set, r) }
	}
	if left {
		s = strings.TrimLeftFunc(s, is)
	}
	if right {
		s = strings.TrimRightFunc(s, is)
	}
	return s, nil
}

func split(s string, c *call, fromRight bool) (any, error) {
	limit := int64(-1)
	if v := c.arg(1, "maxsplit", nil); v != nil {
		var ok bool
		if limit, ok = integer(v); !ok {
			return nil, errors.New("maxsplit must be an integer")
		}
	}
	var parts []string
	switch sep := c.arg(0, "sep", nil).(type) {
	case nil:
		if limit >= 0 {
			return nil, errors.New("split at white space with a limit is not supported")
		}
		for part := range strings.FieldsFuncSeq(s, isSpace) {
			c.r.charge(1)
			parts = append(parts, part)
		}
	case string:
		if sep == "" {
			return nil, errors.New("empty separator")
		}
		c.r.charge(strings.Count(s, sep))
		parts = strings.Split(s, sep)
		if n := int(limit); limit >= 0 && len(parts) > n+1 {
			if fromRight {
				head := len(parts) - n
				parts = append([]string{strings.Join(parts[:head], sep)}, parts[head:]...)
			} else {
				parts = append(parts[:n:n], strings.Join(parts[n:], sep))
			}
		}
	default:
		return nil, fmt.Errorf("must be str or None, not %s", typeName(sep))
	}
	return stringList(parts), nil
}

func stringList(parts []string) *List {
	l := &List{}
	for _, p := range parts {
		l.Items = append(l.Items, p)
	}
	return l
}

// affix is startswith and endswith, whose argument may be a tuple.
func affix(s string, c *call, has func(s, part string) bool) (any, error) {
	if len(c.args) != 1 {
		return nil, errors.New("takes one argument; a range is not supported")
	}
	options := c.args
	if l, ok := c.args[0].(*List); ok && l.Tuple {
		options = l.Items
	}
	c.r.charge(len(options))
	parts, err := (&call{args: options}).strings(0, len(options))
	return slices.ContainsFunc(parts, func(p string) bool { return has(s, p) }), err
}

func find(s string, c *call, index func(s, part string) int, must bool) (any, error) {
	a, err := c.strings(1, 1)
	if err != nil {
		return nil, err
	}
	i := index(s, a[0])
	switch {
	case i < 0 && must:
		return nil, errors.New("substring not found")
	case i < 0:
		return int64(-1), nil
	}
	return int64(utf8.RuneCountInString(s[:i])), nil
}

func partition(s string, c *call, index func(s, part string) int, headFirst bool) (any, error) {
	a, err := c.strings(1, 1)
	if err != nil {
		return nil, err
	}
	i := index(s, a[0])
	switch {
	case a[0] == "":
		return nil, errors.New("empty separator")
	case i < 0 && headFirst:
		return &List{[]any{s, "", ""}, true}, nil
	case i < 0:
		return &List{[]any{"", "", s}, true}, nil
	}
	return &List{[]any{s[:i], a[0], s[i+len(a[0]):]}, true}, nil
}

func cut(s string, c *call, trim func(s, part string) string) (any, error) {
	a, err := c.strings(1, 1)
	if err != nil {
		return nil, err
	}
	return trim(s, a[0]), nil
}

func isLineEnd(r rune) bool {
	return r >= '\n' && r <= '\r' || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
}

func (r *renderer) splitLines(s string, keep bool) *List {
	var lines []string
	for s != "" {
		r.charge(1)
		i := strings.IndexFunc(s, isLineEnd)
		if i < 0 {
			lines = append(lines, s)
			break
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		if strings.HasPrefix(s[i:], "\r\n") {
			size = 2
		}
		if keep {
			lines = append(lines, s[:i+size])
		} else {
			lines = append(lines, s[:i])
		}
		s = s[i+size:]
	}
	return stringList(lines)
}
