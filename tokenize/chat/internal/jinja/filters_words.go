package jinja

import (
	"regexp"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"textmill/tokenize/chat/internal/python"
)

func addWordFilters() {
	addFilter("title(s)", titleFilter)
	addFilter("wordcount(s)", func(c *filterCall, a []any) (any, error) {
		s, err := c.str(a[0])
		if err != nil {
			return nil, err
		}
		c.m.Bytes(len(s))
		n, inside := int64(0), false
		for _, r := range s {
			if isWord(r) && !inside {
				n++
			}
			inside = isWord(r)
		}
		return n, nil
	})
	addFilter("truncate(s, length=255, killwords=False, end='...', leeway=None)", truncateFilter)
	addFilter("wordwrap(s, width=79, break_long_words=True, wrapstring=None, break_on_hyphens=True)", wordWrapFilter)
	addFilter("urlize(value, trim_url_limit=None, nofollow=False, target=None, rel=None, extra_schemes=None)",
		urlizeFilter)
}

// isWord is \w of Python's re.
func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || python.IsNumeric(r) }

func truncateFilter(c *filterCall, a []any) (any, error) {
	leeway := a[4]
	if leeway == nil {
		leeway = int64(5)
	}
	end, err := python.Len(c.m, a[3])
	if err != nil {
		return nil, err
	}
	for _, check := range [][2]any{{a[1], int64(end)}, {leeway, int64(0)}} {
		holds, err := python.Order(c.m, ">=", check[0], check[1])
		if err != nil {
			return nil, err
		}
		if !holds {
			return nil, python.Errorf("AssertionError", "the length is less than its end's, or the leeway negative")
		}
	}
	n, err := python.Len(c.m, a[0])
	if err != nil {
		return nil, err
	}
	most, err := python.Binary(c.m, "+", a[1], leeway)
	if err != nil {
		return nil, err
	}
	if fits, err := python.Order(c.m, "<=", int64(n), most); err != nil || fits {
		return a[0], err
	}
	keep, err := python.Binary(c.m, "-", a[1], int64(end))
	if err != nil {
		return nil, err
	}
	cut, err := python.Slice(c.m, a[0], python.Bounds{nil, keep, nil})
	if err != nil {
		return nil, err
	}
	kill, err := python.Truth(a[2])
	if err != nil {
		return nil, err
	}
	if !kill {
		parts, err := c.method(cut, "rsplit", " ", int64(1))
		if err != nil {
			return nil, err
		}
		cut = parts.(*python.List).Items[0] // of a method of str
	}
	return python.Binary(c.m, "+", cut, a[3])
}

func wordWrapFilter(c *filterCall, a []any) (any, error) {
	split, err := c.method(a[0], "splitlines")
	if err != nil {
		return nil, err
	}
	breakLong, err := python.Truth(a[2])
	if err != nil {
		return nil, err
	}
	hyphens, err := python.Truth(a[4])
	if err != nil {
		return nil, err
	}
	between := a[3]
	if between == nil {
		between = "\n"
	}
	var all []any
	for _, line := range split.(*python.List).Items { // of a method of str
		width, err := python.Index(a[1])
		if err != nil {
			return nil, err
		}
		if width <= 0 {
			return nil, python.Errorf("ValueError", "invalid width %d (must be > 0)", width)
		}
		text, _ := python.IsString(line)
		w := wrapper{c.m, int(width), breakLong, hyphens}
		wrapped := &python.List{}
		for _, l := range w.wrap(text) {
			wrapped.Items = append(wrapped.Items, l)
		}
		joined, err := c.method(between, "join", wrapped)
		if err != nil {
			return nil, err
		}
		all = append(all, joined)
	}
	return c.method(between, "join", &python.List{Items: all})
}

const (
	wordClass = `[\p{L}\p{N}_]`
	dotted    = `[\p{L}\p{N}_%-]`
)

var (
	link = regexp.MustCompile(`(?i)^((https?://|www\.)((` + dotted + `+\.)+)?([a-z]{2,63}|xn--[\p{L}\p{N}_%]{2,59})|(` +
		dotted +
		`{2,63}\.)+(com|net|int|edu|gov|org|info|mil)|(https?://)((\p{Nd}{1,3}(\.\p{Nd}{1,3}){3})|(\[([\p{Nd}a-f]{0,4}:){2}([\p{Nd}a-f]{0,4}:?){1,6}\])))(:\p{Nd}{1,5})?([/?#]\S*)?$`)
	email   = regexp.MustCompile(`^\S+@` + wordClass + `[\p{L}\p{N}_.-]*\.` + wordClass + `+$`)
	opening = regexp.MustCompile(`^([(<]|&lt;)+`)
	closing = regexp.MustCompile(`([)>.,\n]|&gt;)+$`)
	scheme  = regexp.MustCompile(`^([\p{L}\p{N}_.+-]{2,}:(/){0,2})$`)
)

// urlizer makes links of the words of a text.
type urlizer struct {
	rel, target string
	limit       any // of what is shown; nil: none
	schemes     []string
}

func urlizeFilter(c *filterCall, a []any) (any, error) {
	u := urlizer{limit: a[1]}
	rels := map[string]bool{"noopener": true}
	if holds, err := python.Truth(a[4]); err != nil {
		return nil, err
	} else if holds {
		s, ok := python.IsString(a[4])
		if !ok {
			return nil, python.Errorf("AttributeError", "'%s' object has no attribute 'split'", python.TypeName(a[4]))
		}
		for _, part := range strings.FieldsFunc(s, python.IsSpace) {
			rels[part] = true
		}
	}
	if nofollow, err := python.Truth(a[2]); err != nil {
		return nil, err
	} else if nofollow {
		rels["nofollow"] = true
	}
	var names []string
	for name := range rels {
		names = append(names, name)
	}
	sort.Strings(names)
	u.rel = ` rel="` + python.EscapeText(c.m, strings.Join(names, " ")) + `"`
	if holds, err := python.Truth(a[3]); err != nil {
		return nil, err
	} else if holds {
		target, err := python.Escape(c.m, a[3])
		if err != nil {
			return nil, err
		}
		u.target = ` target="` + string(target) + `"`
	}
	if a[5] != nil {
		err := python.Each(c.m, a[5], func(item any) (bool, error) {
			s, ok := python.IsString(item)
			switch {
			case !ok:
				return false, python.Errorf("TypeError", "expected string or bytes-like object, got '%s'", python.TypeName(item))
			case !scheme.MatchString(s):
				return false, python.Errorf("FilterArgumentError", "%s is not a valid URI scheme prefix.", python.Quote(short(s)))
			}
			u.schemes = append(u.schemes, s)
			return true, nil
		})
		if err != nil {
			return nil, err
		}
	}
	text, err := python.Escape(c.m, a[0])
	if err != nil {
		return nil, err
	}
	out, err := u.text(c.m, string(text))
	if c.autoescape {
		return python.Markup(out), err
	}
	return out, err
}

func (u *urlizer) text(m *python.Meter, s string) (string, error) {
	var b strings.Builder
	for s != "" {
		end := strings.IndexFunc(s, python.IsSpace)
		if end < 0 {
			end = len(s)
		}
		m.Charge(4 + end)
		word, err := u.word(m, s[:end])
		if err != nil {
			return "", err
		}
		b.WriteString(word)
		rest := strings.TrimLeftFunc(s[end:], python.IsSpace)
		b.WriteString(s[end : len(s)-len(rest)])
		s = rest
		m.Bytes(b.Len() / (1 << 20)) // grows by a bounded factor of what was charged
	}
	return b.String(), nil
}

func (u *urlizer) word(m *python.Meter, word string) (string, error) {
	head := opening.FindString(word)
	middle, tail := word[len(head):], ""
	if place := closing.FindStringIndex(middle); place != nil {
		middle, tail = middle[:place[0]], middle[place[0]:]
	}
	for _, pair := range [][2]string{{"(", ")"}, {"<", ">"}, {"&lt;", "&gt;"}} {
		opened := strings.Count(middle, pair[0])
		if opened <= strings.Count(middle, pair[1]) {
			continue
		}
		for range min(opened, strings.Count(tail, pair[1])) {
			end := strings.Index(tail, pair[1]) + len(pair[1])
			middle, tail = middle+tail[:end], tail[end:]
		}
	}
	middle, err := u.linked(m, middle)
	return head + middle + tail, err
}

func (u *urlizer) linked(m *python.Meter, s string) (string, error) {
	anchor := func(to, shown string) string { return `<a href="` + to + `"` + u.rel + u.target + `>` + shown + `</a>` }
	switch {
	case link.MatchString(s):
		shown, err := u.shown(m, s)
		if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
			return anchor(s, shown), err
		}
		return anchor("https://"+s, shown), err
	case strings.HasPrefix(s, "mailto:") && email.MatchString(s[7:]):
		return `<a href="` + s + `">` + s[7:] + `</a>`, nil
	case strings.Contains(s, "@") && !strings.HasPrefix(s, "www.") && !strings.HasPrefix(s, "@") &&
		!strings.Contains(s, ":") && email.MatchString(s):
		return `<a href="mailto:` + s + `">` + s + `</a>`, nil
	}
	for _, prefix := range u.schemes {
		if s != prefix && strings.HasPrefix(s, prefix) {
			s = anchor(s, s)
		}
	}
	return s, nil
}

func (u *urlizer) shown(m *python.Meter, s string) (string, error) {
	if u.limit == nil {
		return s, nil
	}
	if long, err := python.Order(m, ">", int64(utf8.RuneCountInString(s)), u.limit); err != nil || !long {
		return s, err
	}
	cut, err := python.Slice(m, s, python.Bounds{nil, u.limit, nil})
	if err != nil {
		return "", err
	}
	return cut.(string) + "...", nil // a string's part is one
}
