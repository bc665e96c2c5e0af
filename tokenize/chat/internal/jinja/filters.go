package jinja

import (
	"textmill/tokenize/chat/internal/python"
)

// filters by name, tests by name: jinja2's own, with the tojson of transformers.
var filters, tests = map[string]*filter{}, map[string]*filter{}

type filterFunc = func(c *filterCall, a []any) (any, error)

func addFilter(signature string, call filterFunc, names ...string) {
	sig := python.Sig(signature)
	for _, name := range append(names, sig.Name) {
		filters[name] = &filter{sig: sig, call: call}
	}
}

// addContextFilter is for those that call filters and tests by name.
func addContextFilter(signature string, call filterFunc) {
	addFilter(signature, call)
	filters[python.Sig(signature).Name].context = true
}

func init() {
	addTextFilters()
	addWordFilters()
	addSequenceFilters()
	addSelectFilters()
	addNumberFilters()
	addTests()
	addFilter("default(value, default_value='', boolean=False)", func(_ *filterCall, a []any) (any, error) {
		if _, undefined := a[0].(*python.Undefined); undefined {
			return a[1], nil
		}
		replace, err := python.Truth(a[2])
		if err != nil || !replace {
			return a[0], err
		}
		if holds, err := python.Truth(a[0]); err != nil || holds {
			return a[0], err
		}
		return a[1], nil
	}, "d")
	addFilter("attr(obj, name)", attrFilter)
	addFilter("pprint(value)", func(c *filterCall, a []any) (any, error) { return python.PFormat(c.m, a[0]) })
	addFilter("tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False)",
		func(c *filterCall, a []any) (any, error) {
			ascii, err := python.Truth(a[1])
			if err != nil {
				return nil, err
			}
			sorted, err := python.Truth(a[4])
			if err != nil {
				return nil, err
			}
			return python.JSON(c.m, a[0], python.Dump{EnsureASCII: ascii, Indent: a[2], Separators: a[3], SortKeys: sorted})
		})
}

// attrFilter is the attribute of that name, and never the item.
func attrFilter(c *filterCall, a []any) (any, error) {
	name, ok := python.IsString(a[1])
	if !ok {
		return nil, python.Errorf("TypeError", "attribute name must be string, not '%s'", python.TypeName(a[1]))
	}
	if u, undefined := a[0].(*python.Undefined); undefined {
		return nil, u.Err()
	}
	v, ok, err := c.attribute(a[0], name)
	if err != nil || ok {
		return v, err
	}
	return notThere(a[0], name), nil
}

// str is str(v).
func (c *filterCall) str(v any) (string, error) { return python.Str(c.m, v) }

// soft is v if it is a string, else str(v).
func (c *filterCall) soft(v any) (any, error) {
	if _, ok := python.IsString(v); ok {
		return v, nil
	}
	return c.str(v)
}

// method calls a method of a value.
func (c *filterCall) method(v any, name string, args ...any) (any, error) {
	m, ok, err := python.Attr(c.m, v, name)
	if err != nil {
		return nil, err
	}
	if !ok {
		if u, undefined := v.(*python.Undefined); undefined {
			return nil, u.Err()
		}
		return nil, python.Errorf("AttributeError", "'%s' object has no attribute '%s'", python.TypeName(v), name)
	}
	return c.invoke(m, &python.Args{M: c.m, Pos: args})
}

// softMethod makes a filter of a method of str.
func softMethod(name string, args int) filterFunc {
	return func(c *filterCall, a []any) (any, error) {
		s, err := c.soft(a[0])
		if err != nil {
			return nil, err
		}
		return c.method(s, name, a[1:1+args]...)
	}
}

// generator makes an iterator whose work begins when it is first asked.
func generator(name string, start func() (func() (any, bool, error), error)) *python.Iterator {
	var next func() (any, bool, error)
	ended := false
	return &python.Iterator{Name: "generator object " + name, Next: func() (v any, ok bool, err error) {
		if ended {
			return nil, false, nil
		}
		if next == nil {
			if next, err = start(); err != nil {
				ended = true
				return nil, false, err
			}
		}
		v, ok, err = next()
		ended = !ok || err != nil
		return v, ok, err
	}}
}

func none() (any, bool, error) { return nil, false, nil }
