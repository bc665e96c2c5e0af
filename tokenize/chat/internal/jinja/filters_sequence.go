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
	return nil, python.Errorf("UnsupportedError", "random chooses among %d items: the same conversation must give the same prompt", n)
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

func batchFilter(c *filterCall, a []any) (any, error) {
	return generator("do_batch", func() (func() (any, bool, error), error) {
		it, err := python.Iter(c.m, a[0])
		if err != nil {
			return nil, err
		}
		var row []any
		ended := false
		return func() (any, bool, error) {
			for !ended {
				c.m.Charge(1)
				item, ok, err := it.Next()
				if err != nil {
					return nil, false, err
				}
				if !ok {
					ended = true
					break
				}
				full := python.Equal(c.m, int64(len(row)), a[1])
				if full {
					out := &python.List{Items: row}
					row = []any{item}
					return out, true, nil
				}
				row = append(row, item)
			}
			if len(row) == 0 {
				return nil, false, nil
			}
			out := &python.List{Items: row}
			row = nil
			if a[2] != nil {
				if short, err := python.Less(c.m, int64(len(out.Items)), a[1]); err != nil || !short {
					return out, true, err
				}
				missing, err := python.Binary(c.m, "-", a[1], int64(len(out.Items)))
				if err != nil {
					return nil, false, err
				}
				fill, err := python.Binary(c.m, "*", &python.List{Items: []any{a[2]}}, missing)
				if err != nil {
					return nil, false, err
				}
				out.Items = append(out.Items, fill.(*python.List).Items...) // a list repeated is one
			}
			return out, true, nil
		}, nil
	}), nil
}

func sliceFilter(c *filterCall, a []any) (any, error) {
	return generator("sync_do_slice", func() (func() (any, bool, error), error) {
		items, err := python.Items(c.m, a[0])
		if err != nil {
			return nil, err
		}
		if _, err := python.Binary(c.m, "//", int64(len(items)), a[1]); err != nil {
			return nil, err
		}
		n, err := python.Index(a[1])
		if err != nil {
			return nil, err
		}
		if n < 0 {
			return none, nil
		}
		each, extra := int64(len(items))/n, int64(len(items))%n
		at, offset := int64(0), int64(0)
		return func() (any, bool, error) {
			if at >= n {
				return nil, false, nil
			}
			c.m.Charge(1)
			start := offset + at*each
			if at < extra {
				offset++
			}
			row := append([]any{}, items[start:offset+(at+1)*each]...)
			if a[2] != nil && at >= extra {
				row = append(row, a[2])
			}
			at++
			return &python.List{Items: row}, true, nil
		}, nil
	}), nil
}

func dictSortFilter(c *filterCall, a []any) (any, error) {
	place := 0
	switch by, _ := python.IsString(a[2]); by {
	case "key":
	case "value":
		place = 1
	default:
		return nil, python.Errorf("FilterArgumentError", `You can only sort by either "key" or "value"`)
	}
	view, err := c.method(a[0], "items")
	if err != nil {
		return nil, err
	}
	items, err := python.Items(c.m, view)
	if err != nil {
		return nil, err
	}
	g, err := c.folding(nil, a[1], nil)
	if err != nil {
		return nil, err
	}
	reverse, err := python.Truth(a[3])
	if err != nil {
		return nil, err
	}
	items, err = python.Sorted(c.m, items, func(item any) (any, error) { return g.folded(item.(*python.Tuple).Items[place]), nil }, reverse)
	return &python.List{Items: items}, err
}

func sortFilter(c *filterCall, a []any) (any, error) {
	items, err := python.Items(c.m, a[0])
	if err != nil {
		return nil, err
	}
	paths := []any{a[3]}
	if s, isString := python.IsString(a[3]); isString {
		paths = nil
		for _, part := range strings.Split(s, ",") {
			paths = append(paths, part)
		}
	}
	var gets []*reacher
	for _, p := range paths {
		g, err := c.folding(p, a[2], nil)
		if err != nil {
			return nil, err
		}
		gets = append(gets, g)
	}
	reverse, err := python.Truth(a[1])
	if err != nil {
		return nil, err
	}
	items, err = python.Sorted(c.m, items, func(item any) (any, error) {
		keys := make([]any, len(gets))
		for i, g := range gets {
			var err error
			if keys[i], err = g.get(item); err != nil {
				return nil, err
			}
		}
		return &python.List{Items: keys}, nil
	}, reverse)
	return &python.List{Items: items}, err
}

func uniqueFilter(c *filterCall, a []any) (any, error) {
	return generator("sync_do_unique", func() (func() (any, bool, error), error) {
		g, err := c.folding(a[2], a[1], nil)
		if err != nil {
			return nil, err
		}
		it, err := python.Iter(c.m, a[0])
		if err != nil {
			return nil, err
		}
		seen := map[any]bool{}
		return func() (any, bool, error) {
			for {
				item, ok, err := it.Next()
				if err != nil || !ok {
					return nil, false, err
				}
				k, err := g.get(item)
				if err != nil {
					return nil, false, err
				}
				h, err := python.Hash(c.m, k)
				if err != nil {
					return nil, false, err
				}
				if !seen[h] {
					seen[h] = true
					return item, true, nil
				}
			}
		}, nil
	}), nil
}

func groupByFilter(c *filterCall, a []any) (any, error) {
	g, err := c.folding(a[1], a[3], a[2])
	if err != nil {
		return nil, err
	}
	shown, err := c.reacher(a[1], false, a[2])
	if err != nil {
		return nil, err
	}
	items, err := python.Items(c.m, a[0])
	if err != nil {
		return nil, err
	}
	if items, err = python.Sorted(c.m, items, g.get, false); err != nil {
		return nil, err
	}
	out := &python.List{}
	var key any
	var group *python.List
	for _, item := range items {
		k, err := g.get(item)
		if err != nil {
			return nil, err
		}
		if group == nil || !python.Equal(c.m, key, k) {
			key, group = k, &python.List{}
			label, err := shown.get(item)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, &python.Tuple{Items: []any{label, group}, Group: true})
		}
		group.Items = append(group.Items, item)
	}
	return out, nil
}
