package jinja

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// attribute is v.name: a method or attribute first, else the value under that key.
func attribute(v any, name string) (any, error) {
	switch x := v.(type) {
	case *Undefined:
		return nil, fmt.Errorf("%s is undefined", x.what)
	case *namespace:
		if value, ok := x.attributes.Get(name); ok {
			return value, nil
		}
		return missing(v, name), nil
	case *loop:
		if value, ok := x.attribute(name); ok {
			return value, nil
		}
		return missing(v, name), nil
	case *macro:
		if name == "name" {
			return x.name, nil
		}
	}
	m, err := method(v, name)
	if err != nil {
		return nil, err
	}
	if m != nil {
		return m, nil
	}
	if d, ok := v.(*Dict); ok {
		if value, ok := d.Get(name); ok {
			return value, nil
		}
	}
	return missing(v, name), nil
}

func missing(v any, name any) *Undefined {
	return &Undefined{fmt.Sprintf("'%s object' has no attribute %s; it", typeName(v), shown(name))}
}

// shown is a key as an error shows it.
func shown(key any) string {
	switch x := key.(type) {
	case *List, *Dict:
		return typeName(x)
	case string:
		if len(x) > 100 {
			return quote(strings.ToValidUTF8(x[:100], "")) + "…"
		}
	}
	return scalar(key)
}

// item is v[k]: the value under that key, else the attribute.
func item(v, k any) (any, error) {
	switch x := v.(type) {
	case *Undefined:
		return nil, fmt.Errorf("%s is undefined", x.what)
	case *Dict:
		if hashed, ok := key(k); ok {
			if value, ok := x.Get(hashed); ok {
				return value, nil
			}
		}
	case *List:
		if i, ok := integer(k); ok {
			if i, ok = position(i, len(x.Items)); ok {
				return x.Items[i], nil
			}
			return missing(v, k), nil
		}
	case string:
		if i, ok := integer(k); ok {
			if i, ok = position(i, utf8.RuneCountInString(x)); !ok {
				return missing(v, k), nil
			}
			for _, char := range x {
				if i--; i < 0 {
					return string(char), nil
				}
			}
		}
	}
	if name, ok := k.(string); ok {
		m, err := method(v, name)
		if m != nil || err != nil {
			return m, err
		}
	}
	return missing(v, k), nil
}

// position turns an index that may count from the end into a plain one.
func position(i int64, n int) (int64, bool) {
	if i < 0 {
		i += int64(n)
	}
	return i, i >= 0 && i < int64(n)
}

// slice is v[from:to:step].
func (r *renderer) slice(v any, bounds [3]any) (any, error) {
	s, isString := v.(string)
	l, isList := v.(*List)
	if !isString && !isList {
		if u, ok := v.(*Undefined); ok {
			return nil, fmt.Errorf("%s is undefined", u.what)
		}
		return nil, fmt.Errorf("'%s' object cannot be sliced", typeName(v))
	}
	step := int64(1)
	if bounds[2] != nil {
		var ok bool
		if step, ok = integer(bounds[2]); !ok || step == 0 {
			return nil, errors.New("slice step must be an integer other than zero")
		}
	}
	if isString {
		r.charge(size(s))
		chars, err := sliced([]rune(s), bounds, step)
		return string(chars), err
	}
	items, err := sliced(l.Items, bounds, step)
	return &List{items, l.Tuple}, err
}

func sliced[T any](items []T, bounds [3]any, step int64) ([]T, error) {
	n := int64(len(items))
	from, to, err := sliceBounds(bounds, step, n)
	if err != nil {
		return nil, err
	}
	var out []T
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		out = append(out, items[i])
		if step > n || -step > n {
			break
		}
	}
	return out, nil
}

func sliceBounds(bounds [3]any, step, n int64) (from, to int64, err error) {
	low, high := int64(0), n
	if step < 0 {
		low, high = -1, n-1
	}
	limit := func(v any, fallback int64) int64 {
		if v == nil {
			return fallback
		}
		i, ok := integer(v)
		if !ok {
			err = errors.New("slice indices must be integers or None")
			return 0
		}
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	if step > 0 {
		from, to = limit(bounds[0], low), limit(bounds[1], high)
	} else {
		from, to = limit(bounds[0], high), limit(bounds[1], low)
	}
	return from, to, err
}

func length(v any) (int64, error) {
	switch x := v.(type) {
	case string:
		return int64(utf8.RuneCountInString(x)), nil
	case *List:
		return int64(len(x.Items)), nil
	case *Dict:
		return int64(len(x.keys)), nil
	case *Undefined:
		return 0, nil
	}
	return 0, fmt.Errorf("object of type '%s' has no len()", typeName(v))
}
