package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// reach follows a path such as "function.name", as attribute= takes it.
func reach(v any, path any) (any, error) {
	if i, ok := integer(path); ok {
		return item(v, i)
	}
	s, ok := path.(string)
	if !ok {
		return nil, fmt.Errorf("attribute must be a name, not %s", typeName(path))
	}
	for _, part := range strings.Split(s, ".") {
		var k any = part
		if n, err := strconv.ParseInt(part, 10, 64); err == nil && n >= 0 {
			k = n
		}
		var err error
		if v, err = item(v, k); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// each gives the attribute of every item; fallback, if any, stands in for what is undefined.
func (r *renderer) each(items []any, path, fallback any) ([]any, error) {
	r.charge(len(items))
	out := make([]any, len(items))
	for i, item := range items {
		v, err := reach(item, path)
		if err != nil {
			return nil, err
		}
		if _, undefined := v.(*Undefined); undefined && fallback != nil {
			v = fallback
		}
		out[i] = v
	}
	return out, nil
}

func mapFilter(v any, c *call) (any, error) {
	items, err := c.r.iterate(v)
	if err != nil {
		return nil, err
	}
	if path, ok := c.named["attribute"]; ok && len(c.args) == 0 {
		out, err := c.r.each(items, path, c.named["default"])
		return &List{Items: out}, err
	}
	if len(c.args) == 0 {
		return nil, errors.New("map requires a filter argument")
	}
	f := filters[c.r.text(c.args[0])]
	if f == nil {
		return nil, fmt.Errorf("filter %q is not supported", c.r.text(c.args[0]))
	}
	inner := &call{r: c.r, args: c.args[1:], names: c.names, named: c.named}
	out := &List{Items: make([]any, len(items))}
	for i, item := range items {
		if out.Items[i], err = c.r.handled(f(item, inner)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// selectFilter makes select, reject, selectattr and rejectattr.
func selectFilter(reject, byAttribute bool) filterFunc {
	return func(v any, c *call) (any, error) {
		items, err := c.r.iterate(v)
		if err != nil {
			return nil, err
		}
		args, keys := c.args, items
		if byAttribute {
			if len(args) == 0 {
				return nil, errors.New("missing parameter for attribute name")
			}
			if keys, err = c.r.each(items, args[0], nil); err != nil {
				return nil, err
			}
			args = args[1:]
		}
		holds := func(v any, _ *call) (bool, error) { return truth(v), nil }
		inner := &call{r: c.r}
		if len(args) > 0 {
			inner.args = args[1:]
			if holds = tests[c.r.text(args[0])]; holds == nil {
				return nil, fmt.Errorf("test %q is not supported", c.r.text(args[0]))
			}
		}
		out := &List{}
		for i, item := range items {
			c.r.charge(1)
			keep, err := holds(keys[i], inner)
			if err != nil {
				return nil, err
			}
			if keep != reject {
				out.Items = append(out.Items, item)
			}
		}
		return out, nil
	}
}

// sorted sorts stably; strings without regard to case unless told otherwise.
func (r *renderer) sorted(items, keys []any, caseSensitive, reverse bool) ([]any, error) {
	type keyed struct{ key, item any }
	list := make([]keyed, len(items))
	for i, item := range items {
		k := keys[i]
		if s, ok := k.(string); ok && !caseSensitive {
			r.charge(size(s))
			k = lower(s)
		}
		list[i] = keyed{k, item}
	}
	var failed error
	slices.SortStableFunc(list, func(a, b keyed) int {
		o, err := r.order(a.key, b.key)
		if err != nil {
			failed = err
		}
		if reverse {
			return -o
		}
		return o
	})
	out := make([]any, len(list))
	for i, k := range list {
		out[i] = k.item
	}
	return out, failed
}

func sortFilter(v any, c *call) (any, error) {
	items, err := c.r.iterate(v)
	if err != nil {
		return nil, err
	}
	keys := items
	if path := c.arg(2, "attribute", nil); path != nil {
		if s, ok := path.(string); ok && strings.Contains(s, ",") {
			return nil, errors.New("sorting by several attributes is not supported")
		}
		if keys, err = c.r.each(items, path, nil); err != nil {
			return nil, err
		}
	}
	items, err = c.r.sorted(items, keys, truth(c.arg(1, "case_sensitive", false)), truth(c.arg(0, "reverse", false)))
	return &List{Items: items}, err
}

func uniqueFilter(v any, c *call) (any, error) {
	items, err := c.r.iterate(v)
	if err != nil {
		return nil, err
	}
	keys := items
	if path := c.arg(1, "attribute", nil); path != nil {
		if keys, err = c.r.each(items, path, nil); err != nil {
			return nil, err
		}
	}
	seen := map[any]bool{}
	out := &List{}
	for i, item := range items {
		k := keys[i]
		if s, ok := k.(string); ok && !truth(c.arg(0, "case_sensitive", false)) {
			c.r.charge(size(s))
			k = lower(s)
		}
		hashed, ok := key(k)
		if !ok {
			return nil, fmt.Errorf("unhashable type: '%s'", typeName(k))
		}
		if !seen[hashed] {
			seen[hashed] = true
			out.Items = append(out.Items, item)
		}
	}
	return out, nil
}

// extremeFilter makes min (−1) and max (1).
func extremeFilter(sign int) filterFunc {
	return func(v any, c *call) (any, error) {
		items, err := c.r.iterate(v)
		if err != nil || len(items) == 0 {
			return &Undefined{"no aggregated item, sequence was empty; it"}, err
		}
		keys := items
		if path := c.arg(1, "attribute", nil); path != nil {
			if keys, err = c.r.each(items, path, nil); err != nil {
				return nil, err
			}
		}
		fold := func(v any) any {
			if s, ok := v.(string); ok && !truth(c.arg(0, "case_sensitive", false)) {
				c.r.charge(size(s))
				return lower(s)
			}
			return v
		}
		best := 0
		for i := range items {
			o, err := c.r.order(fold(keys[i]), fold(keys[best]))
			if err != nil {
				return nil, err
			}
			if o*sign > 0 {
				best = i
			}
		}
		return items[best], nil
	}
}
