package jinja

import (
	"strings"

	"textmill/tokenize/chat/internal/python"
)

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
	items, err = python.Sorted(c.m, items, func(
		item any,
	) (any, error) {
		return g.folded(item.(*python.Tuple).Items[place]), nil
	}, reverse)
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
