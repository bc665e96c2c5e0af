package jinja

import (
	"strings"
	"unicode"

	"textmill/tokenize/chat/internal/python"
)

// reacher follows a path such as "function.name" into an item, as attribute= takes it.
type reacher struct {
	r        *run
	parts    []any
	fold     bool // strings without regard to case
	fallback any  // for what is undefined; nil: none
}

func (r *run) reacher(path any, fold bool, fallback any) (*reacher, error) {
	out := &reacher{r: r, fold: fold, fallback: fallback}
	s, isString := python.IsString(path)
	switch {
	case path == nil:
	case isString:
		for _, part := range strings.Split(s, ".") {
			out.parts = append(out.parts, pathPart(r, part))
		}
	default:
		out.parts = []any{path}
	}
	return out, nil
}

func pathPart(r *run, part string) any {
	if part == "" || strings.IndexFunc(part, func(c rune) bool { return !unicode.IsDigit(c) }) >= 0 {
		return part
	}
	n, err := python.ParseInt(r.m, part, 10)
	if err != nil {
		return part
	}
	return n
}

func (g *reacher) get(item any) (any, error) {
	g.r.m.Charge(1 + len(g.parts))
	for _, part := range g.parts {
		var err error
		if item, err = g.r.getItem(item, part); err != nil {
			return nil, err
		}
		if _, undefined := item.(*python.Undefined); undefined && g.fallback != nil {
			item = g.fallback
		}
	}
	return g.folded(item), nil
}

func (g *reacher) folded(v any) any {
	if !g.fold {
		return v
	}
	switch s := v.(type) {
	case string:
		g.r.m.Bytes(len(s))
		return python.Lower(s)
	case python.Markup:
		g.r.m.Bytes(len(s))
		return python.Markup(python.Lower(string(s)))
	}
	return v
}

// folding makes a reacher that folds unless the filter was told to mind case.
func (c *filterCall) folding(path, caseSensitive, fallback any) (*reacher, error) {
	sensitive, err := python.Truth(caseSensitive)
	if err != nil {
		return nil, err
	}
	return c.reacher(path, !sensitive, fallback)
}

func addSequenceFilters() {
	length := func(c *filterCall, a []any) (any, error) {
		n, err := python.Len(c.m, a[0])
		return int64(n), err
	}
	addFilter("length(obj, /)", length, "count")
	addFilter("list(value)", func(c *filterCall, a []any) (any, error) {
		items, err := python.Items(c.m, a[0])
		c.m.Charge(len(items))
		return &python.List{Items: append([]any{}, items...)}, err
	})
	addFilter("first(seq)", func(c *filterCall, a []any) (any, error) {
		it, err := python.Iter(c.m, a[0])
		return next(it, err, "No first item, sequence was empty.")
	})
	addFilter("last(seq)", func(c *filterCall, a []any) (any, error) {
		it, err := python.Reversed(c.m, a[0])
		return next(it, err, "No last item, sequence was empty.")
	})
	addFilter("random(seq)", randomFilter)
	filters["random"].context = true
	addFilter("reverse(value)", reverseFilter)
	addFilter("items(value)", itemsFilter)
	addFilter("join(value, d='', attribute=None)", joinFilter)
	addFilter("batch(value, linecount, fill_with=None)", batchFilter)
	addFilter("slice(value, slices, fill_with=None)", sliceFilter)
	addFilter("dictsort(value, case_sensitive=False, by='key', reverse=False)", dictSortFilter)
	addFilter("sort(value, reverse=False, case_sensitive=False, attribute=None)", sortFilter)
	addFilter("unique(value, case_sensitive=False, attribute=None)", uniqueFilter)
	addFilter("groupby(value, attribute, default=None, case_sensitive=False)", groupByFilter)
}

func next(it *python.Iterator, err error, otherwise string) (any, error) {
	if err != nil {
		return nil, err
	}
	v, ok, err := it.Next()
	if err != nil || ok {
		return v, err
	}
	return &python.Undefined{Message: otherwise}, nil
}

// randomFilter refuses to choose: the same conversation must give the same prompt.
func randomFilter(c *filterCall, a []any) (any, error) {
	n, err := python.Len(c.m, a[0])
	switch {
	case err != nil:
		return nil, err
	case n == 0:
		return &python.Undefined{Message: "No random item, sequence was empty."}, nil
	case n == 1:
		return c.getItem(a[0], int64(0))
	}
	return nil, python.Errorf("UnsupportedError",
		"random chooses among %d items: the same conversation must give the same prompt", n)
}

func reverseFilter(c *filterCall, a []any) (any, error) {
	if _, isString := python.IsString(a[0]); isString {
		return python.Slice(c.m, a[0], python.Bounds{nil, nil, int64(-1)})
	}
	if it, err := python.Reversed(c.m, a[0]); err == nil {
		return it, nil
	}
	items, err := python.Items(c.m, a[0])
	if err != nil {
		return nil, python.Errorf("FilterArgumentError", "argument must be iterable")
	}
	out := make([]any, len(items))
	for i, item := range items {
		out[len(items)-1-i] = item
	}
	return &python.List{Items: out}, nil
}

func itemsFilter(_ *filterCall, a []any) (any, error) {
	return generator("do_items", func() (func() (any, bool, error), error) {
		switch x := a[0].(type) {
		case *python.Undefined:
			return none, nil
		case *python.Dict:
			it, err := python.Iter(nil, &python.View{Dict: x, Kind: "items"})
			return it.Next, err
		}
		return nil, python.Errorf("TypeError", "Can only get item pairs from a mapping.")
	}), nil
}

func joinFilter(c *filterCall, a []any) (any, error) {
	g, err := c.reacher(a[2], false, nil)
	if err != nil {
		return nil, err
	}
	var values []any
	safe := false
	err = python.Each(c.m, a[0], func(item any) (bool, error) {
		v, err := g.get(item)
		if err != nil {
			return false, err
		}
		_, is := v.(python.Markup)
		safe = safe || is
		if !is {
			v, err = c.str(v)
		}
		values = append(values, v)
		return true, err
	})
	if err != nil {
		return nil, err
	}
	sep, err := c.str(a[1])
	if err != nil {
		return nil, err
	}
	_, safeSep := a[1].(python.Markup)
	if c.autoescape && (safe || safeSep) {
		if !safeSep {
			sep = python.EscapeText(c.m, sep)
		}
		return c.method(python.Markup(sep), "join", &python.List{Items: values})
	}
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i], _ = python.IsString(v)
	}
	return python.Join(c.m, parts, sep), nil
}
