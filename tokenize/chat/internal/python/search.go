package python

import (
	"strings"
	"unicode/utf8"
)

// window is the part of a string between two places, and where it begins; ok is false if they enclose nothing at all.
func window(m *Meter, s string, a []any) (part string, from int64, ok bool, err error) {
	if a[0] == nil && a[1] == nil {
		return s, 0, true, nil
	}
	m.Bytes(len(s))
	n := int64(utf8.RuneCountInString(s))
	bound := func(v any, fallback int64) int64 {
		if v == nil {
			return fallback
		}
		i, failed := sliceIndex(v)
		if failed != nil {
			err = failed
		}
		if i < 0 {
			i = max(i+n, 0)
		}
		return i
	}
	from, to := bound(a[0], 0), min(bound(a[1], n), n)
	if err != nil || from > to {
		return "", 0, false, err
	}
	runes := []rune(s)
	return string(runes[from:to]), from, true, nil
}

func addSearches() {
	for name, how := range map[string]struct {
		index func(s, part string) int
		must  bool
	}{"find": {strings.Index, false}, "rfind": {strings.LastIndex, false}, "index": {strings.Index, true},
		"rindex": {strings.LastIndex, true}} {
		addMethod(name+"(sub, start=None, end=None, /)", -1, func(m *Meter, s string, a []any) (any, error) {
			sub, err := text("argument 1", a[0])
			if err != nil {
				return nil, err
			}
			part, from, ok, err := window(m, s, a[1:])
			if err != nil {
				return nil, err
			}
			at := -1
			if ok {
				at = how.index(part, sub)
			}
			switch {
			case at >= 0:
				return from + int64(utf8.RuneCountInString(part[:at])), nil
			case how.must:
				return nil, valueError("substring not found")
			}
			return int64(-1), nil
		})
	}
	addMethod("count(sub, start=None, end=None, /)", -1, func(m *Meter, s string, a []any) (any, error) {
		sub, err := text("argument 1", a[0])
		if err != nil {
			return nil, err
		}
		part, _, ok, err := window(m, s, a[1:])
		if err != nil || !ok {
			return int64(0), err
		}
		return int64(strings.Count(part, sub)), nil
	})
	for name, has := range map[string]func(s, part string) bool{"startswith": strings.HasPrefix,
		"endswith": strings.HasSuffix} {
		addMethod(name+"(affix, start=None, end=None, /)", -1, func(m *Meter, s string, a []any) (any, error) {
			part, _, ok, err := window(m, s, a[1:])
			if err != nil {
				return nil, err
			}
			options := []any{a[0]}
			if t, isTuple := a[0].(*Tuple); isTuple {
				options = t.Items
			}
			for _, o := range options {
				m.Charge(1)
				affix, isString := IsString(o)
				if !isString {
					return nil, typeError("%s first arg must be str or a tuple of str, not %s", name, TypeName(o))
				}
				if ok && has(part, affix) {
					return true, nil
				}
			}
			return false, nil
		})
	}
}

// search is count and index of a list, a tuple or a range.
func search(m *Meter, items any, name string, a []any) (any, error) {
	n, err := Len(m, items)
	if err != nil {
		return nil, err
	}
	low, high, _, err := Bounds{a[1], a[2], nil}.indices(int64(n))
	if err != nil {
		return nil, err
	}
	count, at, found := int64(0), int64(0), int64(-1)
	err = Each(m, items, func(item any) (bool, error) {
		if at >= low && at < high && Equal(m, item, a[0]) {
			count++
			if found < 0 {
				found = at
			}
		}
		at++
		return name == "count" || found < 0, nil
	})
	switch {
	case err != nil:
		return nil, err
	case name == "count":
		return count, nil
	case found < 0:
		return nil, valueError("%s.index(x): x not in %s", TypeName(items), TypeName(items))
	}
	return found, nil
}
