package jinja

import (
	"textmill/tokenize/chat/internal/python"
	"textmill/tokenize/chat/internal/syntax"
)

// assign binds a value to what stands left of an equals sign.
type assign func(r *run, f *frame, v any) error

// target compiles what a set, a loop or a with-block binds; s is the frame that holds its names.
func (c *compiler) target(n syntax.Expr, s scope) (assign, error) {
	switch x := n.(type) {
	case *syntax.Name:
		found, _ := s.find(x.ID)
		p := s.place(found)
		public := s.toplevel
		return func(r *run, f *frame, v any) error {
			p.set(f, v)
			if public {
				r.context.vars[x.ID] = v
			}
			return nil
		}, nil
	case *syntax.NSRef:
		found, _ := s.find(x.ID)
		p := s.place(found)
		return func(r *run, f *frame, v any) error {
			switch of := p.get(f).(type) {
			case *namespace:
				return of.set(r, x.Attr, v)
			case *python.Dict: // a set block asks no more than this
				return of.Set(r.m, x.Attr, v)
			default:
				return python.Errorf("TypeError", "'%s' object does not support item assignment", python.TypeName(of))
			}
		}, nil
	case *syntax.Tuple:
		parts := make([]assign, len(x.Items))
		for i, item := range x.Items {
			var err error
			if parts[i], err = c.target(item, s); err != nil {
				return nil, err
			}
		}
		return unpack(parts), nil
	}
	return nil, c.fail(0, "TemplateSyntaxError", "can't assign to that")
}

func unpack(parts []assign) assign {
	return func(r *run, f *frame, v any) error {
		it, err := python.Iter(r.m, v)
		if err != nil {
			return python.Errorf("TypeError", "cannot unpack non-iterable %s object", python.TypeName(v))
		}
		var values []any
		for len(values) <= len(parts) {
			r.m.Charge(1)
			item, ok, err := it.Next()
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			values = append(values, item)
		}
		switch {
		case len(values) > len(parts):
			return python.Errorf("ValueError", "too many values to unpack (expected %d)", len(parts))
		case len(values) < len(parts):
			return python.Errorf("ValueError", "not enough values to unpack (expected %d, got %d)", len(parts), len(values))
		}
		for i, p := range parts {
			if err := p(r, f, values[i]); err != nil {
				return err
			}
		}
		return nil
	}
}

func (c *compiler) set(n *syntax.Set, s scope) (exec, error) {
	bind, err := c.target(n.Target, s)
	if err != nil {
		return nil, err
	}
	var namespaces []place
	each([]syntax.Node{n.Target}, func(x syntax.Node) bool {
		if ns, ok := x.(*syntax.NSRef); ok {
			found, _ := s.find(ns.ID)
			namespaces = append(namespaces, s.place(found))
		}
		return true
	})
	value, err := c.checked(n.Value, s)
	return func(r *run, f *frame) (jump, error) {
		r.line = n.Line
		for _, p := range namespaces {
			if _, ok := p.get(f).(*namespace); !ok {
				return onward, at(n.Line, python.Errorf("TemplateRuntimeError", "cannot assign attribute on non-namespace object"))
			}
		}
		v, err := value(r, f)
		if err == nil {
			err = bind(r, f, v)
		}
		return onward, at(n.Line, err)
	}, err
}

// captured compiles a body that is rendered aside in a frame of its own; the function yields that frame and the text.
func (c *compiler) captured(nodes []syntax.Node, inner scope) (func(r *run, f *frame) (*frame, string, error), error) {
	body, err := c.body(nodes, inner)
	if err != nil {
		return nil, err
	}
	enter := inner.entries()
	return func(r *run, f *frame) (*frame, string, error) {
		in := inner.layout.open(f)
		if err := r.enter(in, enter); err != nil {
			return nil, "", err
		}
		var left jump
		s, err := r.capture(func() (err error) { left, err = body(r, in); return err })
		if err == nil && left != onward {
			err = leaving{left}
		}
		return in, s, err
	}, nil
}

// leaving is how a loop is left from within a block that renders aside.
type leaving struct{ how jump }

func (leaving) Error() string { return "break or continue" }

// left turns the error back into a jump.
func left(line int, err error) (jump, error) {
	if l, ok := err.(leaving); ok { //nolint:errorlint // never wrapped
		return l.how, nil
	}
	return onward, at(line, err)
}

func (c *compiler) setBlock(n *syntax.SetBlock, s scope) (exec, error) {
	inner := s.inner()
	inner.visit(n.Body...)
	extends := c.extends
	c.extends = false
	text, err := c.captured(n.Body, inner)
	c.extends = extends
	if err != nil {
		return nil, err
	}
	bind, err := c.target(n.Target, s)
	if err != nil {
		return nil, err
	}
	value, err := c.blockFilter(n.Filter, inner, s.soft)
	return func(r *run, f *frame) (jump, error) {
		in, s, err := text(r, f)
		if err != nil {
			return left(n.Line, err)
		}
		v, err := value(r, in, s)
		if err == nil {
			if v, err = r.marked(v); err == nil {
				err = bind(r, f, v)
			}
		}
		return onward, at(n.Line, err)
	}, err
}

// marked is what a set block holds: safe where output is escaped.
func (r *run) marked(v any) (any, error) {
	if !r.autoescape {
		return v, nil
	}
	if safe, ok := v.(python.Markup); ok {
		return safe, nil
	}
	s, err := python.Str(r.m, v)
	return python.Markup(s), err
}

// blockFilter compiles the filters, if any, that a block's text goes through.
func (c *compiler) blockFilter(
	n *syntax.Filter, s scope, soft bool,
) (func(r *run, f *frame, s string) (any, error), error) {
	escaped := c.escapes()
	type holder struct{ text any }
	wrap := func(r *run, s string) any {
		if escaped(r) {
			return python.Markup(s)
		}
		return s
	}
	if n == nil {
		return func(_ *run, _ *frame, s string) (any, error) { return s, nil }, nil
	}
	for at := n; at != nil; {
		if filters[at.Name] == nil && !soft {
			return nil, c.fail(at.Line, "TemplateAssertionError", "No filter named %s.", python.Quote(at.Name))
		}
		if err := c.checkAll(at.Args.Children(), soft); err != nil {
			return nil, err
		}
		next, ok := at.Of.(*syntax.Filter)
		if !ok {
			break
		}
		at = next
	}
	slot := s.layout.slot("the text of the block") // no name of a template's
	of := func(_ *run, f *frame) (any, error) { return f.vars[slot].(holder).text, nil }
	chain, err := c.filterChain(n, of, s)
	return func(r *run, f *frame, s string) (any, error) {
		for len(f.vars) <= slot {
			f.vars = append(f.vars, missing)
		}
		f.vars[slot] = holder{wrap(r, s)}
		return chain(r, f)
	}, err
}

func (c *compiler) checkAll(nodes []syntax.Node, soft bool) error {
	for _, n := range nodes {
		if err := c.check(n, soft); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) filterBlock(n *syntax.FilterBlock, s scope) (exec, error) {
	inner := s.inner()
	inner.visit(n.Body...)
	inner.visit(n.Filter)
	text, err := c.captured(n.Body, inner)
	if err != nil {
		return nil, err
	}
	value, err := c.blockFilter(n.Filter, inner, s.soft)
	return func(r *run, f *frame) (jump, error) {
		in, s, err := text(r, f)
		if err != nil {
			return left(n.Line, err)
		}
		v, err := value(r, in, s)
		if err == nil {
			r.append(n.Line, v)
		}
		return onward, at(n.Line, err)
	}, err
}

// append writes what a call or a filter block yields: only strings will do, which jinja2 finds out when it joins all
// parts.
func (r *run) append(line int, v any) {
	s, ok := python.IsString(v)
	if !ok && r.out.failed == nil {
		r.out.failed = at(line, python.Errorf("TypeError", "sequence item 0: expected str instance, %s found",
			python.TypeName(v)))
	}
	r.write(s)
}
