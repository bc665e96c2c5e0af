package python

import (
	"strings"
)

// strMethod is a method of str; Markup has the same one, with escaped arguments and safe results.
type strMethod struct {
	sig     *Signature
	call    func(m *Meter, s string, a []any) (any, error)
	escapes int // the argument that Markup escapes; -1: none
}

var strMethods = map[string]strMethod{}

func addMethod(signature string, escapes int, call func(m *Meter, s string, a []any) (any, error)) {
	sig := Sig(signature)
	strMethods[sig.Name] = strMethod{sig: sig, call: call, escapes: escapes}
}

func addCasing(name string, f func(string) string) {
	addMethod(name+"()", -1, func(_ *Meter, s string, _ []any) (any, error) { return f(s), nil })
}

func addTest(name string, f func(string) bool) {
	addMethod(name+"()", -1, func(_ *Meter, s string, _ []any) (any, error) { return f(s), nil })
}

func classOf(is func(rune) bool) func(string) bool {
	return func(s string) bool { return every(s, is) }
}

func init() {
	for name, f := range map[string]func(string) string{"upper": Upper, "lower": Lower, "title": title,
		"capitalize": Capitalize,
		"swapcase":   swapCase, "casefold": caseFold} {
		addCasing(name, f)
	}
	for name, f := range map[string]func(string) bool{"isdigit": classOf(isDigit), "isdecimal": classOf(IsDecimal),
		"isnumeric": classOf(IsNumeric),
		"isalpha":   classOf(isAlpha), "isalnum": classOf(isAlnum), "isspace": classOf(IsSpace), "isupper": IsUpper,
		"islower": IsLower,
		"istitle": isTitle, "isidentifier": IsIdentifier,
		"isprintable": func(s string) bool { return s == "" || every(s, isPrintable) },
		"isascii":     func(s string) bool { return s == "" || every(s, func(r rune) bool { return r < 0x80 }) }} {
		addTest(name, f)
	}
	for name, sides := range map[string][2]bool{"strip": {true, true}, "lstrip": {true, false}, "rstrip": {false, true}} {
		addMethod(name+"(chars=None, /)", -1, func(
			m *Meter, s string, a []any,
		) (any, error) {
			return Strip(m, s, a[0], sides[0], sides[1])
		})
	}
	for name, left := range map[string]func(int64, int64) int64{"ljust": padRight, "rjust": padLeft, "center": padBoth} {
		addMethod(name+"(width, fillchar=' ', /)", 1, func(m *Meter, s string, a []any) (any, error) {
			fill, err := text("fill character", a[1])
			if err != nil {
				return nil, err
			}
			return pad(m, s, a[0], fill, left)
		})
	}
	addMethod("zfill(width, /)", -1, func(m *Meter, s string, a []any) (any, error) { return zfill(m, s, a[0]) })
	addMethod("expandtabs(tabsize=8)", -1, func(
		m *Meter, s string, a []any,
	) (any, error) {
		return expandTabs(m, s, a[0])
	})
	addMethod("replace(old, new, count=-1, /)", 1, func(m *Meter, s string, a []any) (any, error) {
		old, by, err := two(a)
		if err != nil {
			return nil, err
		}
		n, err := Index(a[2])
		if err != nil {
			return nil, err
		}
		return Replace(m, s, old, by, n), nil
	})
	addMethod("translate(table, /)", -1, func(m *Meter, s string, a []any) (any, error) { return translate(m, s, a[0]) })
	addMethod("maketrans(x, y=None, z=None, /)", -1,
		func(m *Meter, _ string, a []any) (any, error) { return makeTrans(m, a) })
	addMethod("encode(encoding='utf-8', errors='strict')", -1, func(*Meter, string, []any) (any, error) {
		return nil, Errorf("UnsupportedError", "bytes are not supported")
	})
	addSplits()
	addSearches()
}

func addSplits() {
	for name, f := range map[string]func(*Meter, string, any, int64) ([]string, error){"split": Split, "rsplit": rsplit} {
		addMethod(name+"(sep=None, maxsplit=-1)", -1, func(m *Meter, s string, a []any) (any, error) {
			n, err := Index(a[1])
			if err != nil {
				return nil, err
			}
			parts, err := f(m, s, a[0], n)
			return stringList(parts), err
		})
	}
	addMethod("splitlines(keepends=False)", -1, func(m *Meter, s string, a []any) (any, error) {
		if _, err := Index(a[0]); err != nil {
			return nil, err
		}
		keep, err := Truth(a[0])
		return stringList(SplitLines(m, s, keep)), err
	})
	for name, last := range map[string]bool{"partition": false, "rpartition": true} {
		addMethod(name+"(sep, /)", -1, func(_ *Meter, s string, a []any) (any, error) {
			sep, err := text("separator", a[0])
			switch {
			case err != nil:
				return nil, err
			case sep == "":
				return nil, valueError("empty separator")
			}
			return partition(s, sep, last), nil
		})
	}
	for name, f := range map[string]func(s, part string) string{"removeprefix": strings.TrimPrefix,
		"removesuffix": strings.TrimSuffix} {
		addMethod(name+"(affix, /)", -1, func(_ *Meter, s string, a []any) (any, error) {
			part, err := text("argument", a[0])
			return f(s, part), err
		})
	}
}

func partition(s, sep string, last bool) any {
	at := strings.Index(s, sep)
	if last {
		at = strings.LastIndex(s, sep)
	}
	switch {
	case at < 0 && last:
		return &Tuple{Items: []any{"", "", s}}
	case at < 0:
		return &Tuple{Items: []any{s, "", ""}}
	}
	return &Tuple{Items: []any{s[:at], sep, s[at+len(sep):]}}
}

// strAttr is the method of a string by name.
func strAttr(v any, name string) (any, bool) {
	s, _ := IsString(v)
	_, safe := v.(Markup)
	if name == "join" {
		return method(v, name, Sig("join(iterable, /)"), joinMethod), true
	}
	if safe {
		switch name {
		case "unescape":
			return method(s, name, Sig("unescape()"), func(m *Meter, s string, _ []any) (any, error) {
				return Unescape(m, s),
					nil
			}), true
		case "striptags":
			return method(s, name, Sig("striptags()"), func(m *Meter, s string, _ []any) (any, error) {
				return StripTags(m, s),
					nil
			}), true
		case "escape":
			return method(s, name, Sig("escape(s, /)"),
				func(m *Meter, _ string, a []any) (any, error) { return Escape(m, a[0]) }), true
		}
	}
	found, ok := strMethods[name]
	if !ok {
		return nil, false
	}
	return method(s, name, found.sig, func(m *Meter, s string, a []any) (any, error) {
		m.Bytes(len(s))
		if safe && found.escapes >= 0 {
			escaped, err := Escape(m, a[found.escapes])
			if err != nil {
				return nil, err
			}
			a[found.escapes] = escaped
		}
		v, err := found.call(m, s, a)
		if out, ok := v.(string); ok {
			m.Bytes(len(out))
		}
		if safe {
			v = marked(v)
		}
		return v, err
	}), true
}

// marked makes the strings of a result safe.
func marked(v any) any {
	switch x := v.(type) {
	case string:
		return Markup(x)
	case *List:
		for i, item := range x.Items {
			x.Items[i] = marked(item)
		}
	case *Tuple:
		for i, item := range x.Items {
			x.Items[i] = marked(item)
		}
	}
	return v
}

func joinMethod(m *Meter, v any, a []any) (any, error) {
	sep, _ := IsString(v)
	_, safe := v.(Markup)
	var parts []string
	err := Each(m, a[0], func(item any) (bool, error) {
		if safe {
			escaped, err := Escape(m, item)
			parts = append(parts, string(escaped))
			return true, err
		}
		s, ok := IsString(item)
		if !ok {
			return false, typeError("sequence item %d: expected str instance, %s found", len(parts), TypeName(item))
		}
		parts = append(parts, s)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	if safe {
		return Markup(Join(m, parts, sep)), nil
	}
	return Join(m, parts, sep), nil
}

func text(what string, v any) (string, error) {
	s, ok := IsString(v)
	if !ok {
		return "", typeError("%s must be str, not %s", what, TypeName(v))
	}
	return s, nil
}

func two(a []any) (first, second string, err error) {
	if first, err = text("argument 1", a[0]); err == nil {
		second, err = text("argument 2", a[1])
	}
	return first, second, err
}

func stringList(parts []string) *List {
	l := &List{Items: make([]any, len(parts))}
	for i, p := range parts {
		l.Items[i] = p
	}
	return l
}
