package python

import (
	"strings"
	"unicode/utf8"
)

// EscapeText is what markupsafe.escape makes of a text.
func EscapeText(m *Meter, s string) string {
	m.Bytes(len(s))
	if !strings.ContainsAny(s, `&<>'"`) {
		return s
	}
	s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(s)
	m.Bytes(len(s))
	return s
}

// Escape is markupsafe.escape(v).
func Escape(m *Meter, v any) (Markup, error) {
	if safe, ok := v.(Markup); ok {
		return safe, nil
	}
	s, err := Str(m, v)
	return Markup(EscapeText(m, s)), err
}

// Strip is s.strip(chars), or of one side.
func Strip(m *Meter, s string, chars any, left, right bool) (string, error) {
	is := IsSpace
	if chars != nil {
		set, ok := IsString(chars)
		if !ok {
			return "", typeError("strip arg must be None or str, not %s", TypeName(chars))
		}
		m.Charge((1 + len(s)/perStep) * (1 + len(set)/perStep))
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

// Split is s.split(sep, maxsplit).
func Split(m *Meter, s string, sep any, limit int64) ([]string, error) {
	m.Bytes(len(s))
	if sep == nil {
		return splitSpace(m, s, limit), nil
	}
	by, ok := IsString(sep)
	switch {
	case !ok:
		return nil, typeError("must be str or None, not %s", TypeName(sep))
	case by == "":
		return nil, valueError("empty separator")
	}
	n := strings.Count(s, by)
	if limit >= 0 {
		n = int(min(limit, int64(n)))
	}
	m.Charge(n)
	return strings.SplitN(s, by, n+1), nil
}

func splitSpace(m *Meter, s string, limit int64) []string {
	var parts []string
	s = strings.TrimLeftFunc(s, IsSpace)
	for s != "" {
		m.Charge(1)
		end := strings.IndexFunc(s, IsSpace)
		if end < 0 || limit >= 0 && int64(len(parts)) >= limit {
			if end >= 0 {
				s = strings.TrimRightFunc(s, IsSpace)
			}
			return append(parts, s)
		}
		parts = append(parts, s[:end])
		s = strings.TrimLeftFunc(s[end:], IsSpace)
	}
	return parts
}

// rsplit is s.rsplit(sep, maxsplit).
func rsplit(m *Meter, s string, sep any, limit int64) ([]string, error) {
	if limit < 0 {
		return Split(m, s, sep, limit)
	}
	m.Bytes(len(s))
	var parts []string
	if sep == nil {
		s = strings.TrimRightFunc(s, IsSpace)
		for s != "" {
			m.Charge(1)
			at := strings.LastIndexFunc(s, IsSpace)
			if at < 0 || int64(len(parts)) >= limit {
				parts = append(parts, strings.TrimLeftFunc(s, IsSpace))
				break
			}
			_, size := utf8.DecodeRuneInString(s[at:])
			parts = append(parts, s[at+size:])
			s = strings.TrimRightFunc(s[:at], IsSpace)
		}
	} else {
		by, ok := IsString(sep)
		if !ok || by == "" {
			return Split(m, s, sep, limit)
		}
		for int64(len(parts)) < limit {
			m.Charge(1)
			at := strings.LastIndex(s, by)
			if at < 0 {
				break
			}
			parts = append(parts, s[at+len(by):])
			s = s[:at]
		}
		parts = append(parts, s)
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return parts, nil
}

func isLineEnd(r rune) bool {
	return r >= '\n' && r <= '\r' || r >= 0x1c && r <= 0x1e || r == 0x85 || r == 0x2028 || r == 0x2029
}

// SplitLines is s.splitlines(keepends).
func SplitLines(m *Meter, s string, keep bool) []string {
	m.Bytes(len(s))
	var lines []string
	for s != "" {
		m.Charge(1)
		i := strings.IndexFunc(s, isLineEnd)
		if i < 0 {
			return append(lines, s)
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
	return lines
}

// Replace is s.replace(old, new, count).
func Replace(m *Meter, s, old, by string, count int64) string {
	n := strings.Count(s, old)
	if old == "" {
		n = utf8.RuneCountInString(s) + 1
	}
	if count >= 0 {
		n = int(min(int64(n), count))
	}
	m.Bytes(len(s))
	m.Times(int64(n), len(by))
	return strings.Replace(s, old, by, n)
}

// Join is sep.join of strings.
func Join(m *Meter, parts []string, sep string) string {
	size := len(sep) * max(len(parts)-1, 0)
	for _, p := range parts {
		size += len(p)
	}
	m.Bytes(size)
	return strings.Join(parts, sep)
}

// pad makes s as wide as asked for: on the left so many, on the right the rest.
func pad(m *Meter, s string, width any, fill string, left func(missing, width int64) int64) (string, error) {
	if utf8.RuneCountInString(fill) != 1 {
		return "", typeError("The fill character must be exactly one character long")
	}
	w, err := Index(width)
	if err != nil {
		return "", err
	}
	m.Bytes(len(s))
	missing := w - int64(utf8.RuneCountInString(s))
	if missing <= 0 {
		return s, nil
	}
	m.Times(missing, len(fill))
	before := left(missing, w)
	return strings.Repeat(fill, int(before)) + s + strings.Repeat(fill, int(missing-before)), nil
}

func padRight(int64, int64) int64        { return 0 }
func padLeft(missing, _ int64) int64     { return missing }
func padBoth(missing, width int64) int64 { return missing/2 + missing&width&1 }

func zfill(m *Meter, s string, width any) (string, error) {
	sign := ""
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign = s[:1]
	}
	w, err := Index(width)
	if err != nil {
		return "", err
	}
	s, err = pad(m, s[len(sign):], w-int64(len(sign)), "0", padLeft)
	return sign + s, err
}

func expandTabs(m *Meter, s string, size any) (string, error) {
	n, err := Index(size)
	if err != nil {
		return "", err
	}
	m.Bytes(len(s))
	var b strings.Builder
	column := int64(0)
	for _, r := range s {
		switch r {
		case '\t':
			if n > 0 {
				spaces := n - column%n
				column += spaces
				b.WriteString(strings.Repeat(" ", m.Times(spaces, 1)))
			}
		case '\n', '\r':
			column = 0
			b.WriteRune(r)
		default:
			column++
			b.WriteRune(r)
		}
		if b.Len() > MaxBytes {
			exceeded("string too large")
		}
	}
	return b.String(), nil
}
