package jinja

import (
	"strings"

	"textmill/tokenize/chat/internal/python"
	"textmill/tokenize/chat/internal/syntax"
)

func (c *compiler) logic(n *syntax.Logic, s scope) (eval, error) {
	left, err := c.expr(n.Left, s)
	if err != nil {
		return nil, err
	}
	right, err := c.expr(n.Right, s)
	return func(r *run, f *frame) (any, error) {
		v, err := left(r, f)
		if err != nil {
			return nil, err
		}
		holds, err := python.Truth(v)
		if err != nil || holds == n.Or {
			return v, err
		}
		return right(r, f)
	}, err
}

func (c *compiler) binary(n *syntax.Binary, s scope) (eval, error) {
	left, err := c.expr(n.Left, s)
	if err != nil {
		return nil, err
	}
	right, err := c.expr(n.Right, s)
	return func(r *run, f *frame) (any, error) {
		a, err := left(r, f)
		if err != nil {
			return nil, err
		}
		b, err := right(r, f)
		if err != nil {
			return nil, err
		}
		v, err := python.Binary(r.m, n.Op, a, b)
		return v, at(n.Line, err)
	}, err
}

func (c *compiler) concat(n *syntax.Concat, s scope) (eval, error) {
	parts, err := c.exprs(n.Parts, s)
	escaped := c.escapes()
	return func(r *run, f *frame) (any, error) {
		values, err := r.all(parts, f)
		if err != nil {
			return nil, err
		}
		texts := make([]string, len(values))
		safe := false
		for _, v := range values {
			if _, is := v.(python.Markup); is && escaped(r) {
				safe = true
			}
		}
		for i, v := range values {
			if texts[i], err = python.Str(r.m, v); err != nil {
				return nil, at(n.Line, err)
			}
			if _, is := v.(python.Markup); safe && !is {
				texts[i] = python.EscapeText(r.m, texts[i])
			}
		}
		if safe {
			return python.Markup(python.Join(r.m, texts, "")), nil
		}
		return python.Join(r.m, texts, ""), nil
	}, err
}

func (c *compiler) compare(n *syntax.Compare, s scope) (eval, error) {
	first, err := c.expr(n.First, s)
	if err != nil {
		return nil, err
	}
	operands, err := c.exprs(n.Operands, s)
	return func(r *run, f *frame) (any, error) {
		left, err := first(r, f)
		if err != nil {
			return nil, err
		}
		for i, op := range n.Ops {
			right, err := operands[i](r, f)
			if err != nil {
				return nil, err
			}
			holds, err := python.Compare(r.m, op, left, right)
			if err != nil || !holds {
				return false, at(n.Line, err)
			}
			left = right
		}
		return true, nil
	}, err
}

func (c *compiler) item(n *syntax.Getitem, s scope) (eval, error) {
	of, err := c.expr(n.Of, s)
	if err != nil {
		return nil, err
	}
	if cut, ok := n.Arg.(*syntax.Slice); ok {
		return c.slice(of, cut, n.Line, s)
	}
	arg, err := c.expr(n.Arg, s)
	return func(r *run, f *frame) (any, error) {
		v, err := of(r, f)
		if err != nil {
			return nil, err
		}
		k, err := arg(r, f)
		if err != nil {
			return nil, err
		}
		v, err = r.getItem(v, k)
		return v, at(n.Line, err)
	}, err
}

func (c *compiler) slice(of eval, n *syntax.Slice, line int, s scope) (eval, error) {
	var parts [3]eval
	for i, p := range n.Parts {
		if p != nil {
			var err error
			if parts[i], err = c.expr(p, s); err != nil {
				return nil, err
			}
		}
	}
	return func(r *run, f *frame) (any, error) {
		v, err := of(r, f)
		if err != nil {
			return nil, err
		}
		var bounds python.Bounds
		for i, p := range parts {
			if p != nil {
				if bounds[i], err = p(r, f); err != nil {
					return nil, err
				}
			}
		}
		cut, err := python.Slice(r.m, v, bounds)
		if r.folding && isClass(err, "TypeError") {
			return notThere(v, nil), nil // as jinja2 makes constants
		}
		return cut, at(line, err)
	}, nil
}

// names of filters and tests hold what jinja2 has no function for.
func unknownName(kind, name string) error {
	return python.Errorf("TemplateRuntimeError", "No %s named %s found.", kind,
		python.Quote(strings.ToValidUTF8(name[:min(len(name), 100)], "")))
}
