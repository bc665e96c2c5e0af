package jinja

import (
	"errors"
	"fmt"
	"strings"
)

// compare holds or not as in Python; ordering wants two of a kind.
func (r *renderer) compare(op string, a, b any) (bool, error) {
	switch op {
	case "==":
		return r.equal(a, b), nil
	case "!=":
		return !r.equal(a, b), nil
	case "in":
		return r.contains(b, a)
	case "not in":
		in, err := r.contains(b, a)
		return !in, err
	}
	order, err := r.order(a, b)
	if err != nil {
		return false, err
	}
	switch op {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

func (r *renderer) order(a, b any) (int, error) {
	r.charge(1)
	for _, v := range []any{a, b} {
		if u, ok := v.(*Undefined); ok {
			return 0, fmt.Errorf("%s is undefined", u.what)
		}
	}
	x, xok := number(a)
	y, yok := number(b)
	switch {
	case xok && yok && x < y:
		return -1, nil
	case xok && yok && x > y:
		return 1, nil
	case xok && yok:
		return 0, nil
	}
	if s, ok := a.(string); ok {
		if t, ok := b.(string); ok {
			r.charge(min(len(s), len(t)) / 64)
			return strings.Compare(s, t), nil
		}
	}
	if l, ok := a.(*List); ok {
		if m, ok := b.(*List); ok && l.Tuple == m.Tuple {
			for i := range min(len(l.Items), len(m.Items)) {
				if !r.equal(l.Items[i], m.Items[i]) {
					return r.order(l.Items[i], m.Items[i])
				}
			}
			return len(l.Items) - len(m.Items), nil
		}
	}
	return 0, fmt.Errorf("'<' not supported between instances of '%s' and '%s'", typeName(a), typeName(b))
}

func (r *renderer) contains(in, v any) (bool, error) {
	switch x := in.(type) {
	case string:
		s, ok := v.(string)
		if !ok {
			return false, errors.New("'in <string>' requires string as left operand")
		}
		r.charge(size(x))
		return strings.Contains(x, s), nil
	case *Dict:
		k, ok := key(v)
		if !ok {
			return false, fmt.Errorf("unhashable type: '%s'", typeName(v))
		}
		_, found := x.Get(k)
		return found, nil
	}
	items, err := r.iterate(in)
	for _, item := range items {
		if r.equal(item, v) {
			return true, nil
		}
	}
	return false, err
}
