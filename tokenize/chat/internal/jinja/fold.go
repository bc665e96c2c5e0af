package jinja

import (
	"math/big"

	"textmill/tokenize/chat/internal/python"
	"textmill/tokenize/chat/internal/syntax"
)

// check refuses filters and tests that are unknown, as jinja2's compiler does: not in a branch, and not where the
// expression around them is a constant whatever they are.
func (c *compiler) check(n syntax.Expr, soft bool) error {
	if !c.special(n) {
		return nil
	}
	if _, ok := c.constant(n); ok {
		return nil
	}
	switch x := n.(type) {
	case *syntax.Filter:
		if filters[x.Name] == nil && !soft {
			return c.fail(x.Line, "TemplateAssertionError", "No filter named %s.", python.Quote(x.Name))
		}
	case *syntax.Test:
		if tests[x.Name] == nil && !soft {
			return c.fail(x.Line, "TemplateAssertionError", "No test named %s.", python.Quote(x.Name))
		}
	case *syntax.Cond:
		soft = true
	}
	for _, child := range n.Children() {
		if err := c.check(child, soft); err != nil {
			return err
		}
	}
	return nil
}

// fold computes an expression that asks for no name and calls nothing.
func (c *compiler) fold(n syntax.Expr) (v any, ok bool) {
	defer func() {
		if p := recover(); p != nil {
			if _, exhausted := p.(python.Exhausted); !exhausted {
				panic(p)
			}
			ok = false
		}
	}()
	s := scope{symbols: newSymbols(nil)}
	s.visit(n)
	e, err := (&compiler{escape: c.escape}).expr(n, s)
	if err != nil {
		return nil, false
	}
	v, err = e(&run{m: c.folds, folding: true}, s.layout.open(nil))
	return v, err == nil
}

// constant is what jinja2 puts in place of an expression beforehand, if it does.
func (c *compiler) constant(n syntax.Expr) (any, bool) {
	switch n.(type) {
	case *syntax.Filter, *syntax.Test, *syntax.Cond, *syntax.Binary, *syntax.Logic, *syntax.Not, *syntax.Unary,
		*syntax.Concat, *syntax.Compare,
		*syntax.Getattr, *syntax.Getitem, *syntax.Call:
		v, ok := c.fold(n)
		return v, ok && plain(v)
	}
	return nil, false
}

// special tells whether it matters that jinja2 computes constants beforehand: for filters and tests that are unknown,
// which are no error then, and for slices of what has none, which are undefined then.
func (c *compiler) special(n syntax.Expr) bool {
	return !each([]syntax.Node{n}, func(n syntax.Node) bool {
		switch x := n.(type) {
		case *syntax.Filter:
			return filters[x.Name] != nil
		case *syntax.Test:
			return tests[x.Name] != nil
		case *syntax.Slice:
			return false
		}
		return true
	})
}

// plain tells the values that Python source can be made of.
func plain(v any) bool {
	switch x := v.(type) {
	case nil, bool, int64, *big.Int, float64, string, python.Markup, *python.Range:
		return true
	case *python.List:
		return allPlain(x.Items)
	case *python.Tuple:
		return !x.Group && allPlain(x.Items)
	case *python.Dict:
		for i := range x.Len() {
			k, v := x.At(i)
			if !plain(k) || !plain(v) {
				return false
			}
		}
		return true
	}
	return false
}

func allPlain(items []any) bool {
	for _, item := range items {
		if !plain(item) {
			return false
		}
	}
	return true
}
