package jinja

import (
	"errors"
	"fmt"
)

type forStatement struct {
	targets         []string
	over, filter    expression
	body, otherwise []statement
	recursive       bool
	line            int
}

// loop is what templates see under that name.
type loop struct {
	statement *forStatement
	scope     *scope
	items     []any
	index     int
	depth     int
	last      []any // what changed was called with
	changes   bool
}

func (f *forStatement) run(r *renderer, s *scope) (jump, error) {
	v, err := f.over.eval(r, s)
	if err != nil {
		return onward, at(f.line, err)
	}
	return onward, f.each(r, s, v, 0)
}

func (f *forStatement) each(r *renderer, s *scope, over any, depth int) error {
	items, err := r.iterate(over)
	if err != nil {
		return at(f.line, err)
	}
	if f.filter != nil {
		if items, err = f.filtered(r, s, items); err != nil {
			return at(f.line, err)
		}
	}
	l := &loop{statement: f, scope: s, items: items, depth: depth}
	for i, item := range items {
		if err := r.step(); err != nil {
			return at(f.line, err)
		}
		l.index = i
		inner := s.open()
		inner.vars["loop"] = l
		if err := r.bind(inner, f.targets, item); err != nil {
			return at(f.line, err)
		}
		j, err := r.run(f.body, inner)
		if err != nil {
			return err
		}
		if j == breaking {
			break
		}
	}
	if len(items) == 0 {
		_, err = r.run(f.otherwise, s.open())
	}
	return err
}

func (f *forStatement) filtered(r *renderer, s *scope, items []any) ([]any, error) {
	var kept []any
	for _, item := range items {
		if err := r.step(); err != nil {
			return nil, err
		}
		inner := s.open()
		if err := r.bind(inner, f.targets, item); err != nil {
			return nil, err
		}
		v, err := f.filter.eval(r, inner)
		if err != nil {
			return nil, err
		}
		if truth(v) {
			kept = append(kept, item)
		}
	}
	return kept, nil
}

func (l *loop) attribute(name string) (any, bool) {
	n := len(l.items)
	neighbour := func(i int) any {
		if i < 0 || i >= n {
			return &Undefined{"there is no such item"}
		}
		return l.items[i]
	}
	switch name {
	case "index":
		return int64(l.index + 1), true
	case "index0":
		return int64(l.index), true
	case "revindex":
		return int64(n - l.index), true
	case "revindex0":
		return int64(n - l.index - 1), true
	case "first":
		return l.index == 0, true
	case "last":
		return l.index == n-1, true
	case "length":
		return int64(n), true
	case "depth":
		return int64(l.depth + 1), true
	case "depth0":
		return int64(l.depth), true
	case "previtem":
		return neighbour(l.index - 1), true
	case "nextitem":
		return neighbour(l.index + 1), true
	case "cycle":
		return callable(func(c *call) (any, error) {
			if len(c.args) == 0 {
				return nil, errors.New("no items for cycling given")
			}
			return c.args[l.index%len(c.args)], nil
		}), true
	case "changed":
		return callable(func(c *call) (any, error) {
			same := l.changes && c.r.equal(&List{Items: l.last}, &List{Items: c.args})
			l.last, l.changes = c.args, true
			return !same, nil
		}), true
	}
	return nil, false
}

// call is loop(items) of a recursive loop.
func (l *loop) call(c *call) (any, error) {
	if !l.statement.recursive || len(c.args) != 1 {
		return nil, errors.New("the loop must have the 'recursive' marker and one argument")
	}
	r := c.r
	if r.depth++; r.depth > maxDepth {
		return nil, errors.New("loops nest too deep")
	}
	outer := r.out
	r.out = nil
	err := l.statement.each(r, l.scope, c.args[0], l.depth+1)
	inner := r.out.String()
	r.out = outer
	r.depth--
	return inner, err
}

func iterable(v any) bool {
	switch v.(type) {
	case *List, *Dict, string, *Undefined:
		return true
	}
	return false
}

// iterate lists what a loop over v sees.
func (r *renderer) iterate(v any) ([]any, error) {
	switch x := v.(type) {
	case *List:
		return x.Items, nil
	case *Dict:
		return x.keys, nil
	case string:
		r.charge(len(x))
		items := make([]any, 0, len(x))
		for _, char := range x {
			items = append(items, string(char))
		}
		return items, nil
	case *Undefined:
		return nil, nil
	}
	return nil, fmt.Errorf("'%s' object is not iterable", typeName(v))
}
