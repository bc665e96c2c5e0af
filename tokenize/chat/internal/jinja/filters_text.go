package jinja

import (
	"math"
	"regexp"
	"strings"

	"textmill/tokenize/chat/internal/python"
)

func addTextFilters() {
	for _, name := range []string{"upper", "lower", "capitalize"} {
		addFilter(name+"(s)", softMethod(name, 0))
	}
	addFilter("trim(value, chars=None)", softMethod("strip", 1))
	addFilter("center(value, width=80)", softMethod("center", 1))
	addFilter("string(s, /)", func(c *filterCall, a []any) (any, error) { return c.soft(a[0]) })
	addFilter("safe(value)", func(c *filterCall, a []any) (any, error) {
		s, err := c.str(a[0])
		return python.Markup(s), err
	})
	addFilter("escape(s, /)", func(c *filterCall, a []any) (any, error) { return python.Escape(c.m, a[0]) }, "e")
	addFilter("forceescape(value)", func(c *filterCall, a []any) (any, error) {
		s, err := c.str(a[0])
		return python.Markup(python.EscapeText(c.m, s)), err
	})
	addFilter("striptags(value)", func(c *filterCall, a []any) (any, error) {
		s, err := c.str(a[0])
		if err != nil {
			return nil, err
		}
		return python.StripTags(c.m, s), nil
	})
	addFilter("replace(s, old, new, count=None)", replaceFilter)
	addFilter("format(value, *args, **kwargs)", formatFilter)
	addFilter("indent(s, width=4, first=False, blank=False)", indentFilter)
	addFilter("xmlattr(d, autospace=True)", xmlAttrFilter)
	addFilter("urlencode(value)", urlEncodeFilter)
	addFilter("filesizeformat(value, binary=False)", fileSizeFilter)
}

func replaceFilter(c *filterCall, a []any) (any, error) {
	n := int64(-1)
	if a[3] != nil {
		var err error
		if n, err = python.Index(a[3]); err != nil {
			return nil, err
		}
	}
	_, safe := a[0].(python.Markup)
	_, safeOld := a[1].(python.Markup)
	_, safeNew := a[2].(python.Markup)
	var texts [3]string
	for i := range texts {
		var err error
		if texts[i], err = c.str(a[i]); err != nil {
			return nil, err
		}
	}
	if !c.autoescape {
		return python.Replace(c.m, texts[0], texts[1], texts[2], n), nil
	}
	if !safe && (safeOld || safeNew) {
		texts[0], safe = python.EscapeText(c.m, texts[0]), true
	}
	if safe && !safeNew {
		texts[2] = python.EscapeText(c.m, texts[2])
	}
	out := python.Replace(c.m, texts[0], texts[1], texts[2], n)
	if safe {
		return python.Markup(out), nil
	}
	return out, nil
}

func formatFilter(c *filterCall, a []any) (any, error) {
	s, err := c.soft(a[0])
	if err != nil {
		return nil, err
	}
	args := c.sig.Rest(c.args)
	if len(args) > 0 && len(c.args.Names) > 0 {
		return nil, python.Errorf("FilterArgumentError", "can't handle positional and keyword arguments at the same time")
	}
	if len(c.args.Names) == 0 {
		return python.Percent(c.m, s, &python.Tuple{Items: args})
	}
	d := python.NewDict()
	for _, name := range c.args.Names {
		d.SetString(name, c.args.Named[name])
	}
	return python.Percent(c.m, s, d)
}

func indentFilter(c *filterCall, a []any) (any, error) {
	var margin, newline any = a[1], "\n"
	if _, isString := python.IsString(margin); !isString {
		var err error
		if margin, err = python.Binary(c.m, "*", " ", a[1]); err != nil {
			return nil, err
		}
	}
	if _, safe := a[0].(python.Markup); safe {
		m, _ := python.IsString(margin)
		margin, newline = python.Markup(m), python.Markup("\n")
	}
	if _, isList := a[0].(*python.List); isList {
		return nil, python.Errorf("AttributeError", "'list' object has no attribute 'splitlines'")
	}
	s, err := python.Binary(c.m, "+", a[0], newline)
	if err != nil {
		return nil, err
	}
	split, err := c.method(s, "splitlines")
	if err != nil {
		return nil, err
	}
	first, err := python.Truth(a[2])
	if err != nil {
		return nil, err
	}
	blank, err := python.Truth(a[3])
	if err != nil {
		return nil, err
	}
	lines := split.(*python.List).Items // of a method of str
	for i, line := range lines {
		if empty, _ := python.IsString(line); i == 0 && !first || i > 0 && empty == "" && !blank {
			continue
		}
		if lines[i], err = python.Binary(c.m, "+", margin, line); err != nil {
			return nil, err
		}
	}
	return c.method(newline, "join", &python.List{Items: lines})
}

func xmlAttrFilter(c *filterCall, a []any) (any, error) {
	d, ok := a[0].(*python.Dict)
	if !ok {
		_, err := c.method(a[0], "items")
		return nil, err
	}
	var parts []string
	for i := range d.Len() {
		k, v := d.At(i)
		if _, undefined := v.(*python.Undefined); v == nil || undefined {
			continue
		}
		name, ok := python.IsString(k)
		if !ok {
			return nil, python.Errorf("TypeError", "expected string or bytes-like object, got '%s'", python.TypeName(k))
		}
		if strings.ContainsAny(name, " \t\n\r\f\v/>=") {
			return nil, python.Errorf("ValueError", "Invalid character in attribute name: %s", python.Quote(short(name)))
		}
		key, err := python.Escape(c.m, k)
		if err != nil {
			return nil, err
		}
		value, err := python.Escape(c.m, v)
		if err != nil {
			return nil, err
		}
		parts = append(parts, string(key)+`="`+string(value)+`"`)
	}
	out := python.Join(c.m, parts, " ")
	space, err := python.Truth(a[1])
	if space && out != "" {
		out = " " + out
	}
	if c.autoescape {
		return python.Markup(out), err
	}
	return out, err
}

func urlEncodeFilter(c *filterCall, a []any) (any, error) {
	_, isString := python.IsString(a[0])
	if _, err := python.Iter(c.m, a[0]); isString || err != nil {
		return c.quoteURL(a[0], false)
	}
	pairs := a[0]
	if d, ok := pairs.(*python.Dict); ok {
		pairs = &python.View{Dict: d, Kind: "items"}
	}
	var parts []string
	err := python.Each(c.m, pairs, func(pair any) (bool, error) {
		var k, v any
		first := func(_ *run, _ *frame, x any) error { k = x; return nil }
		second := func(_ *run, _ *frame, x any) error { v = x; return nil }
		if err := unpack([]assign{first, second})(c.run, nil, pair); err != nil {
			return false, err
		}
		key, err := c.quoteURL(k, true)
		if err != nil {
			return false, err
		}
		value, err := c.quoteURL(v, true)
		parts = append(parts, key+"="+value)
		return true, err
	})
	if err != nil {
		return nil, err
	}
	return python.Join(c.m, parts, "&"), nil
}

func (c *filterCall) quoteURL(v any, query bool) (string, error) {
	s, err := c.str(v)
	if err != nil {
		return "", err
	}
	c.m.Bytes(3 * len(s))
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		switch ch := s[i]; {
		case ch >= 'a' && ch <= 'z', ch >= 'A' && ch <= 'Z', ch >= '0' && ch <= '9', strings.IndexByte("_.-~", ch) >= 0,
			ch == '/' && !query:
			b.WriteByte(ch)
		case ch == ' ' && query:
			b.WriteByte('+')
		default:
			b.WriteByte('%')
			b.WriteByte(hex[ch>>4])
			b.WriteByte(hex[ch&15])
		}
	}
	return b.String(), nil
}

func fileSizeFilter(c *filterCall, a []any) (any, error) {
	bytes, err := python.Float(c.m, a[0])
	if err != nil {
		return nil, err
	}
	binary, err := python.Truth(a[1])
	if err != nil {
		return nil, err
	}
	base, prefixes := 1000.0, []string{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"}
	if binary {
		base, prefixes = 1024, []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}
	}
	switch {
	case bytes == 1:
		return "1 Byte", nil
	case bytes < base:
		whole, err := python.Int(c.m, bytes)
		if err != nil {
			return nil, err
		}
		s, err := c.str(whole)
		return s + " Bytes", err
	}
	for i, prefix := range prefixes {
		unit := math.Pow(base, float64(i+2))
		if bytes < unit || i == len(prefixes)-1 {
			s, err := python.Format(c.m, base*bytes/unit, ".1f")
			return s + " " + prefix, err
		}
	}
	return nil, nil
}

var wordBeginning = regexp.MustCompile(`[-\x{1c}-\x{1f}\s\x0b\x{85}\p{Z}({\[<]+`)

// titleFilter begins each word with a capital: a word ends at white space, a hyphen or an opening bracket.
func titleFilter(c *filterCall, a []any) (any, error) {
	v, err := c.soft(a[0])
	if err != nil {
		return nil, err
	}
	s, _ := python.IsString(v)
	c.m.Bytes(3 * len(s))
	var b strings.Builder
	word := func(w string) {
		if w == "" {
			return
		}
		first := len(w)
		for i := range w {
			if i > 0 {
				first = i
				break
			}
		}
		b.WriteString(python.Upper(w[:first]) + python.Lower(w[first:]))
	}
	at := 0
	for _, gap := range wordBeginning.FindAllStringIndex(s, -1) {
		word(s[at:gap[0]])
		word(s[gap[0]:gap[1]])
		at = gap[1]
	}
	word(s[at:])
	return b.String(), nil
}
