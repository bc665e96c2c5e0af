package jinja

import (
	"fmt"

	"textmill/tokenize/chat/internal/python"
	"textmill/tokenize/chat/internal/syntax"
)

func (c *compiler) with(n *syntax.With, s scope) (exec, error) {
	inner := s.inner()
	inner.visit(n.Targets...)
	inner.visit(n.Body...)
	targets := make([]assign, len(n.Targets))
	values := make([]eval, len(n.Targets))
	var err error
	for i := range n.Targets {
		if targets[i], err = c.target(n.Targets[i], inner); err != nil {
			return nil, err
		}
		if values[i], err = c.checked(n.Values[i], s); err != nil {
			return nil, err
		}
	}
	body, err := c.body(n.Body, inner)
	enter := inner.entries()
	return func(r *run, f *frame) (jump, error) {
		in := inner.layout.open(f)
		if err := r.enter(in, enter); err != nil {
			return onward, err
		}
		for i := range targets {
			v, err := values[i](r, f)
			if err == nil {
				err = targets[i](r, in, v)
			}
			if err != nil {
				return onward, at(r.line, err)
			}
		}
		return body(r, in)
	}, err
}

func (c *compiler) autoescape(n *syntax.Autoescape, s scope) (exec, error) {
	inner := s.inner()
	inner.visit(n.On)
	inner.visit(n.Body...)
	on, err := c.checked(n.On, inner)
	if err != nil {
		return nil, err
	}
	outer := c.escape
	c.escape = escapeMaybe
	body, err := c.body(n.Body, inner)
	c.escape = outer
	enter := inner.entries()
	return func(r *run, f *frame) (jump, error) {
		in := inner.layout.open(f)
		if err := r.enter(in, enter); err != nil {
			return onward, err
		}
		v, err := on(r, in)
		if err != nil {
			return onward, at(n.Line, err)
		}
		was := r.autoescape
		if r.autoescape, err = python.Truth(v); err != nil {
			return onward, at(n.Line, err)
		}
		j, err := body(r, in)
		r.autoescape = was
		return j, err
	}, err
}

// block is a named part of the template, which it can print again by self.name().
type block struct {
	name   string
	layout *frameLayout
	self   int // slots of what it asks for; -1: nothing
	super  int
	enter  []entry
	body   exec
}

func (c *compiler) blockBody(n *syntax.Block) error {
	b := c.blocks[n.Name]
	s := scope{symbols: newSymbols(nil), block: true}
	b.layout, b.self, b.super = s.layout, -1, -1
	asked := undeclared(n.Body, "self", "super")
	if asked["self"] {
		b.self = s.parameter("self").slot
	}
	if asked["super"] {
		b.super = s.parameter("super").slot
	}
	s.visit(n.Body...)
	c.extends = false
	var err error
	b.body, err = c.body(n.Body, s)
	b.enter = s.entries()
	return err
}

func (b *block) render(r *run, in *context) error {
	f := b.layout.open(nil)
	outer := r.context
	r.context = in
	defer func() { r.context = outer }()
	if b.self >= 0 {
		f.vars[b.self] = &templateReference{r: r, context: in}
	}
	if b.super >= 0 {
		f.vars[b.super] = &python.Undefined{Message: fmt.Sprintf("there is no parent block called %s.",
			python.Quote(b.name))}
	}
	if err := r.enter(f, b.enter); err != nil {
		return err
	}
	_, err := b.body(r, f)
	return err
}

func (c *compiler) blockStatement(n *syntax.Block, s scope) (exec, error) {
	b := c.blocks[n.Name]
	bound := map[string]place{}
	if n.Scoped {
		for name, r := range s.bound() {
			bound[name] = s.place(r)
		}
	}
	return func(r *run, f *frame) (jump, error) {
		if n.Required {
			return onward, at(n.Line, python.Errorf("TemplateRuntimeError", "Required block %s not found",
				python.Quote(n.Name)))
		}
		in := r.context
		if n.Scoped {
			in = &context{parent: r.context, vars: map[string]any{}, names: map[string]any{}}
			for name, p := range bound {
				if v := p.get(f); v != missing {
					in.names[name] = v
				}
			}
		}
		_, err := r.deeper(func() (string, error) { return "", b.render(r, in) })
		return onward, at(n.Line, err)
	}, nil
}
