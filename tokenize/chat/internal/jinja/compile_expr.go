package jinja

import (
	"errors"
	"fmt"

	"textmill/tokenize/chat/internal/python"
	"textmill/tokenize/chat/internal/syntax"
)

// errImpossible is how an expression that is no constant ends when it is folded.
var errImpossible = errors.New("no constant")

func (c *compiler) expr(n syntax.Expr, s scope) (eval, error) {
	if c.folds != nil && c.special(n) {
		if v, ok := c.constant(n); ok {
			return func(*run, *frame) (any, error) { return v, nil }, nil
		}
	}
	switch x := n.(type) {
	case *syntax.Const:
		v := x.Value
		return func(*run, *frame) (any, error) { return v, nil }, nil
	case *syntax.Name:
		return c.name(x, s)
	case *syntax.Tuple:
		items, err := c.exprs(x.Items, s)
		return func(r *run, f *frame) (any, error) {
			values, err := r.all(items, f)
			return &python.Tuple{Items: values}, err
		}, err
	case *syntax.List:
		items, err := c.exprs(x.Items, s)
		return func(r *run, f *frame) (any, error) {
			values, err := r.all(items, f)
			return &python.List{Items: values}, err
		}, err
	case *syntax.Dict:
		return c.dict(x, s)
	case *syntax.Cond:
		return c.cond(x, s)
	case *syntax.Logic:
		return c.logic(x, s)
	case *syntax.Not:
		of, err := c.expr(x.Of, s)
		return func(r *run, f *frame) (any, error) {
			v, err := of(r, f)
			if err != nil {
				return nil, err
			}
			holds, err := python.Truth(v)
			return !holds, err
		}, err
	case *syntax.Binary:
		return c.binary(x, s)
	case *syntax.Unary:
		of, err := c.expr(x.Of, s)
		return func(r *run, f *frame) (any, error) {
			v, err := of(r, f)
			if err != nil {
				return nil, err
			}
			v, err = python.Unary(x.Op, v)
			return v, at(x.Line, err)
		}, err
	case *syntax.Concat:
		return c.concat(x, s)
	case *syntax.Compare:
		return c.compare(x, s)
	case *syntax.Getattr:
		of, err := c.expr(x.Of, s)
		return func(r *run, f *frame) (any, error) {
			v, err := of(r, f)
			if err != nil {
				return nil, err
			}
			v, err = r.getAttr(v, x.Attr)
			return v, at(x.Line, err)
		}, err
	case *syntax.Getitem:
		return c.item(x, s)
	case *syntax.Call:
		return c.call(x, s, nil)
	case *syntax.Filter:
		return c.filter(x, s)
	case *syntax.Test:
		return c.test(x, s)
	}
	return nil, c.fail(0, "UnsupportedError", "unknown expression")
}

func (c *compiler) exprs(list []syntax.Expr, s scope) ([]eval, error) {
	out := make([]eval, len(list))
	for i, e := range list {
		var err error
		if out[i], err = c.expr(e, s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *run) all(list []eval, f *frame) ([]any, error) {
	r.m.Charge(len(list))
	values := make([]any, len(list))
	for i, e := range list {
		v, err := e(r, f)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

func (c *compiler) name(n *syntax.Name, s scope) (eval, error) {
	found, ok := s.find(n.ID)
	if !ok {
		return nil, c.fail(n.Line, "AssertionError", "name %q is known only elsewhere", n.ID)
	}
	p := s.place(found)
	return func(r *run, f *frame) (any, error) {
		if r.folding {
			return nil, errImpossible
		}
		if v := p.get(f); v != missing {
			return v, nil
		}
		return &python.Undefined{Message: fmt.Sprintf("'%s' is undefined", n.ID)}, nil
	}, nil
}

func (c *compiler) dict(n *syntax.Dict, s scope) (eval, error) {
	keys, err := c.exprs(n.Keys, s)
	if err != nil {
		return nil, err
	}
	values, err := c.exprs(n.Values, s)
	return func(r *run, f *frame) (any, error) {
		all := make([][2]any, len(keys)) // none is put in before the last is known
		for i := range keys {
			for j, e := range []eval{keys[i], values[i]} {
				var err error
				if all[i][j], err = e(r, f); err != nil {
					return nil, err
				}
			}
		}
		d := python.NewDict()
		for _, pair := range all {
			if err := d.Set(r.m, pair[0], pair[1]); err != nil {
				return nil, at(n.Line, err)
			}
		}
		return d, nil
	}, err
}

func (c *compiler) cond(n *syntax.Cond, s scope) (eval, error) {
	s = s.branch()
	test, err := c.expr(n.Test, s)
	if err != nil {
		return nil, err
	}
	then, err := c.expr(n.Then, s)
	if err != nil {
		return nil, err
	}
	otherwise := func(r *run, _ *frame) (any, error) {
		if r.folding {
			return nil, errImpossible
		}
		return &python.Undefined{Message: fmt.Sprintf("the inline if-expression on line %d evaluated to false and no else section was defined.", n.Line)}, nil
	}
	if n.Else != nil {
		if otherwise, err = c.expr(n.Else, s); err != nil {
			return nil, err
		}
	}
	return func(r *run, f *frame) (any, error) {
		v, err := test(r, f)
		if err != nil {
			return nil, err
		}
		holds, err := python.Truth(v)
		if err != nil {
			return nil, at(n.Line, err)
		}
		if holds {
			return then(r, f)
		}
		return otherwise(r, f)
	}, nil
}
