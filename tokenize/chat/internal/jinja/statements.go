package jinja

import (
	"errors"
	"fmt"
)

type statement interface {
	run(r *renderer, s *scope) (jump, error)
}

type (
	textStatement  struct{ text string }
	printStatement struct {
		value expression
		line  int
	}
	jumpStatement struct{ breaks bool }
	ifStatement   struct {
		conditions []expression
		bodies     [][]statement
		otherwise  []statement
	}
	setStatement struct {
		targets   []string
		attribute string // of a namespace
		value     expression
		capture   bool
		block     []statement
		line      int
	}
	filterStatement struct {
		value expression
		body  []statement
		line  int
	}
	withStatement struct {
		names  []string
		values []expression
		body   []statement
	}
	macroStatement struct {
		name       string
		parameters []string
		defaults   []expression // nil: none
		body       []statement
		usesCaller bool
	}
	callStatement struct {
		call   *callExpression
		caller *macroStatement
		line   int
	}
)

func (t *textStatement) run(r *renderer, _ *scope) (jump, error) { return onward, r.write(t.text) }

func (p *printStatement) run(r *renderer, s *scope) (jump, error) {
	v, err := p.value.eval(r, s)
	if err != nil {
		return onward, at(p.line, err)
	}
	return onward, at(p.line, r.write(r.text(v)))
}

func (j *jumpStatement) run(*renderer, *scope) (jump, error) {
	if j.breaks {
		return breaking, nil
	}
	return continuing, nil
}

func (i *ifStatement) run(r *renderer, s *scope) (jump, error) {
	for n, c := range i.conditions {
		v, err := c.eval(r, s)
		if err != nil {
			return onward, err
		}
		if truth(v) {
			return r.run(i.bodies[n], s)
		}
	}
	return r.run(i.otherwise, s)
}

func (t *setStatement) run(r *renderer, s *scope) (jump, error) {
	if t.capture {
		inner, err := r.capture(t.block, s.open())
		if err != nil {
			return onward, err
		}
		r.captured = inner
	}
	v, err := t.value.eval(r, s)
	if err != nil {
		return onward, at(t.line, err)
	}
	if t.attribute != "" {
		ns, ok := s.lookup(t.targets[0]).(*namespace)
		if !ok {
			return onward, at(t.line, errors.New("cannot assign attribute on non-namespace object"))
		}
		ns.attributes.Set(t.attribute, v)
		return onward, nil
	}
	return onward, at(t.line, r.bind(s, t.targets, v))
}

// bind assigns a value to names, taking it apart when there are several.
func (r *renderer) bind(s *scope, names []string, v any) error {
	if len(names) == 1 {
		s.vars[names[0]] = v
		return nil
	}
	parts, err := r.iterate(v)
	if err != nil {
		return err
	}
	if len(parts) != len(names) {
		return fmt.Errorf("%d values for %d names", len(parts), len(names))
	}
	for i, n := range names {
		s.vars[n] = parts[i]
	}
	return nil
}

func (f *filterStatement) run(r *renderer, s *scope) (jump, error) {
	inner, err := r.capture(f.body, s.open())
	if err != nil {
		return onward, err
	}
	r.captured = inner
	v, err := f.value.eval(r, s)
	if err != nil {
		return onward, at(f.line, err)
	}
	return onward, at(f.line, r.write(r.text(v)))
}

func (w *withStatement) run(r *renderer, s *scope) (jump, error) {
	inner := s.open()
	for i, name := range w.names {
		v, err := w.values[i].eval(r, s)
		if err != nil {
			return onward, err
		}
		inner.vars[name] = v
	}
	return r.run(w.body, inner)
}

type macro struct {
	*macroStatement
	scope *scope
}

func (m *macroStatement) run(_ *renderer, s *scope) (jump, error) {
	s.vars[m.name] = &macro{m, s}
	return onward, nil
}

func (m *macro) call(c *call) (any, error) {
	if len(c.args) > len(m.parameters) {
		return nil, fmt.Errorf("macro %q takes not more than %d argument(s)", m.name, len(m.parameters))
	}
	if c.caller != nil && !m.usesCaller {
		return nil, fmt.Errorf("macro %q is called with a block but does not use its caller", m.name)
	}
	inner := m.scope.open()
	for i, name := range m.parameters {
		v, named := c.named[name]
		switch {
		case i < len(c.args):
			v = c.args[i]
		case named:
		case m.defaults[i] != nil:
			var err error
			if v, err = m.defaults[i].eval(c.r, inner); err != nil {
				return nil, err
			}
		default:
			v = &Undefined{fmt.Sprintf("parameter '%s'", name)}
		}
		inner.vars[name] = v
	}
	for _, name := range c.names {
		if _, ok := inner.vars[name]; !ok {
			return nil, fmt.Errorf("macro %q takes no keyword argument %q", m.name, name)
		}
	}
	if c.caller != nil {
		inner.vars["caller"] = c.caller
	}
	return c.r.capture(m.body, inner)
}

func (t *callStatement) run(r *renderer, s *scope) (jump, error) {
	v, err := t.call.evalWith(r, s, &macro{t.caller, s})
	if err != nil {
		return onward, at(t.line, err)
	}
	return onward, at(t.line, r.write(r.text(v)))
}
