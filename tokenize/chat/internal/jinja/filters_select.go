package jinja

import (
	"textmill/tokenize/chat/internal/python"
)

func addSelectFilters() {
	addContextFilter("map(value, *args, **kwargs)", mapFilter)
	for name, how := range map[string]struct{ reject, byAttribute bool }{
		"select": {false, false}, "reject": {true, false}, "selectattr": {false, true}, "rejectattr": {true, true},
	} {
		addContextFilter(name+"(value, *args, **kwargs)", func(c *filterCall, a []any) (any, error) {
			return c.lazily("select_or_reject", a[0],
				func() (func(any) (any, bool, error), error) { return c.selector(how.reject, how.byAttribute) }), nil
		})
	}
	addFilter("min(value, case_sensitive=False, attribute=None)", extremeFilter(-1))
	addFilter("max(value, case_sensitive=False, attribute=None)", extremeFilter(1))
	addFilter("sum(iterable, attribute=None, start=0)", sumFilter)
}

// lazily makes an iterator over what f makes of each item; a value that is false has none, whatever it is.
func (c *filterCall) lazily(name string, value any, prepare func() (func(item any) (any, bool, error),
	error)) *python.Iterator {
	return generator(name, func() (func() (any, bool, error), error) {
		if holds, err := python.Truth(value); err != nil || !holds {
			return none, err
		}
		f, err := prepare()
		if err != nil {
			return nil, err
		}
		it, err := python.Iter(c.m, value)
		if err != nil {
			return nil, err
		}
		return func() (any, bool, error) {
			for {
				c.m.Charge(1)
				item, ok, err := it.Next()
				if err != nil || !ok {
					return nil, false, err
				}
				v, keep, err := f(item)
				if err != nil || keep {
					return v, keep, err
				}
			}
		}, nil
	})
}

func mapFilter(c *filterCall, a []any) (any, error) {
	return c.lazily("sync_do_map", a[0], func() (func(any) (any, bool, error), error) {
		args := c.sig.Rest(c.args)
		path, byAttribute := c.args.Named["attribute"]
		if len(args) == 0 && byAttribute {
			for _, name := range c.args.Names {
				if name != "attribute" && name != "default" {
					return nil, python.Errorf("FilterArgumentError", "Unexpected keyword argument %s", python.Quote(name))
				}
			}
			g, err := c.reacher(path, false, c.args.Named["default"])
			return func(item any) (any, bool, error) {
				v, err := g.get(item)
				return v, err == nil, err
			}, err
		}
		if len(args) == 0 {
			return nil, python.Errorf("FilterArgumentError", "map requires a filter argument")
		}
		rest := &python.Args{M: c.m, Pos: args[1:], Names: c.args.Names, Named: c.args.Named}
		return func(item any) (any, bool, error) {
			f, err := named("filter", filters, args[0])
			if err != nil {
				return nil, false, err
			}
			v, err := f.apply(c.run, item, rest)
			return v, err == nil, err
		}, nil
	}), nil
}

// selector is the condition of select, reject, selectattr and rejectattr.
func (c *filterCall) selector(reject, byAttribute bool) (func(item any) (any, bool, error), error) {
	args := c.sig.Rest(c.args)
	reach := func(item any) (any, error) { return item, nil }
	if byAttribute {
		if len(args) == 0 {
			return nil, python.Errorf("FilterArgumentError", "Missing parameter for attribute name")
		}
		g, err := c.reacher(args[0], false, nil)
		if err != nil {
			return nil, err
		}
		reach, args = g.get, args[1:]
	}
	judge := func(v any) (any, error) { return v, nil }
	if len(args) > 0 {
		rest := &python.Args{M: c.m, Pos: args[1:], Names: c.args.Names, Named: c.args.Named}
		judge = func(v any) (any, error) {
			t, err := named("test", tests, args[0])
			if err != nil {
				return nil, err
			}
			return t.apply(c.run, v, rest)
		}
	}
	return func(item any) (any, bool, error) {
		v, err := reach(item)
		if err == nil {
			v, err = judge(v)
		}
		if err != nil {
			return nil, false, err
		}
		holds, err := python.Truth(v)
		return item, holds != reject, err
	}, nil
}

// extremeFilter makes min (−1) and max (1).
func extremeFilter(sign int) filterFunc {
	op := map[int]string{-1: "<", 1: ">"}[sign]
	return func(c *filterCall, a []any) (any, error) {
		g, err := c.folding(a[2], a[1], nil)
		if err != nil {
			return nil, err
		}
		var best, bestKey any
		found := false
		err = python.Each(c.m, a[0], func(item any) (bool, error) {
			k, err := g.get(item)
			if err != nil {
				return false, err
			}
			better := !found
			if found {
				if better, err = python.Order(c.m, op, k, bestKey); err != nil {
					return false, err
				}
			}
			if better {
				best, bestKey, found = item, k, true
			}
			return true, nil
		})
		if err != nil || found {
			return best, err
		}
		return &python.Undefined{Message: "No aggregated item, sequence was empty."}, nil
	}
}

func sumFilter(c *filterCall, a []any) (any, error) {
	if _, isString := python.IsString(a[2]); isString {
		return nil, python.Errorf("TypeError", "sum() can't sum strings [use ''.join(seq) instead]")
	}
	g, err := c.reacher(a[1], false, nil)
	if err != nil {
		return nil, err
	}
	sum := a[2]
	err = python.Each(c.m, a[0], func(item any) (bool, error) {
		v, err := g.get(item)
		if err == nil {
			sum, err = python.Binary(c.m, "+", sum, v)
		}
		return true, err
	})
	return sum, err
}
