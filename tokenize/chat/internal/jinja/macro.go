package jinja

import (
	"fmt"

	"textmill/tokenize/chat/internal/python"
	"textmill/tokenize/chat/internal/syntax"
)

// macroCode is a macro as written; macro is one with the frame around it.
type macroCode struct {
	name                      string
	layout                    *frameLayout
	params                    []string
	slots                     []int
	defaults                  []eval // nil: none
	enter                     []entry
	body                      exec
	caller, kwargs, varargs   int // their slots; -1: not asked for
	explicitCaller, anyCaller bool
}

type macro struct {
	*macroCode
	r      *run
	frame  *frame
	safe   bool
	parent *context
}

func (m *macro) TypeName() string { return "Macro" }

func (m *macro) Repr(*python.Meter) string { return "<Macro " + python.Quote(m.name) + ">" }

func (m *macro) Attr(name string) (any, bool, error) {
	switch name {
	case "name":
		return m.name, true, nil
	case "arguments":
		t := &python.Tuple{}
		for _, p := range m.params {
			t.Items = append(t.Items, p)
		}
		return t, true, nil
	case "catch_kwargs":
		return m.kwargs >= 0, true, nil
	case "catch_varargs":
		return m.varargs >= 0, true, nil
	case "caller":
		return m.anyCaller, true, nil
	case "explicit_caller":
		return m.explicitCaller, true, nil
	}
	return nil, false, nil
}

func (c *compiler) macroCode(n *syntax.Macro, s scope) (*macroCode, error) {
	inner := s.inner()
	m := &macroCode{name: n.Name, layout: inner.layout, caller: -1, kwargs: -1, varargs: -1}
	asked := undeclared(n.Body, "caller", "kwargs", "varargs")
	given := map[string]bool{}
	first := len(n.Params) - len(n.Defaults)
	for i, p := range n.Params {
		if given[p.ID] {
			return nil, c.fail(n.Line, "SyntaxError", "duplicate parameter %q", p.ID)
		}
		given[p.ID] = true
		m.params = append(m.params, p.ID)
		m.slots = append(m.slots, inner.parameter(p.ID).slot)
		if p.ID == "caller" {
			m.explicitCaller = true
			if asked["caller"] && i < first {
				return nil, c.fail(n.Line, "TemplateAssertionError", "the parameter \"caller\" must be left out or have a default")
			}
		}
	}
	for name, slot := range map[string]*int{"caller": &m.caller, "kwargs": &m.kwargs, "varargs": &m.varargs} {
		if asked[name] && !given[name] {
			*slot = inner.parameter(name).slot
		}
	}
	m.anyCaller = asked["caller"]
	for _, d := range n.Defaults {
		inner.visit(d)
	}
	inner.visit(n.Body...)
	outer := c.extends
	c.extends = false
	defer func() { c.extends = outer }()
	m.defaults = make([]eval, len(n.Params))
	for i, d := range n.Defaults {
		e, err := c.checked(d, inner)
		if err != nil {
			return nil, err
		}
		m.defaults[first+i] = e
	}
	var err error
	if m.body, err = c.body(n.Body, inner); err != nil {
		return nil, err
	}
	m.enter = inner.entries()
	return m, nil
}

func (m *macroCode) bind(r *run, f *frame) *macro {
	return &macro{macroCode: m, r: r, frame: f, safe: r.autoescape, parent: r.context}
}

// Call runs the macro as jinja2's Macro does.
func (m *macro) Call(a *python.Args) (any, error) {
	r := m.r
	f := m.layout.open(m.frame)
	kwargs := map[string]any{}
	for name, v := range a.Named {
		kwargs[name] = v
	}
	n := min(len(a.Pos), len(m.params))
	for i := range n {
		f.vars[m.slots[i]] = a.Pos[i]
	}
	foundCaller := n == len(m.params) && m.explicitCaller
	for i := n; i < len(m.params); i++ {
		name := m.params[i]
		if v, ok := kwargs[name]; ok {
			f.vars[m.slots[i]] = v
			delete(kwargs, name)
		}
		foundCaller = foundCaller || name == "caller"
	}
	if m.anyCaller && !foundCaller {
		caller, ok := kwargs["caller"]
		delete(kwargs, "caller")
		if !ok || caller == nil {
			caller = &python.Undefined{Message: "No caller defined"}
		}
		if m.caller >= 0 {
			f.vars[m.caller] = caller
		}
	}
	if err := m.bindRest(f, a, kwargs); err != nil {
		return nil, err
	}
	s, err := r.deeper(func() (string, error) {
		outer := r.context
		r.context = m.parent
		defer func() { r.context = outer }()
		return r.capture(func() error { return m.run(f) })
	})
	if m.safe && err == nil {
		return python.Markup(s), nil
	}
	return s, err
}

func (m *macro) bindRest(f *frame, a *python.Args, kwargs map[string]any) error {
	if m.kwargs >= 0 {
		rest := python.NewDict()
		for _, name := range a.Names {
			if v, ok := kwargs[name]; ok {
				rest.SetString(name, v)
			}
		}
		f.vars[m.kwargs] = rest
	} else if len(kwargs) > 0 {
		if _, ok := kwargs["caller"]; ok {
			return python.Errorf("TypeError", "macro %s was invoked with two values for the special caller argument",
				python.Quote(m.name))
		}
		for _, name := range a.Names {
			if _, ok := kwargs[name]; ok {
				return python.Errorf("TypeError", "macro %s takes no keyword argument %s", python.Quote(m.name),
					python.Quote(name))
			}
		}
	}
	if m.varargs >= 0 {
		f.vars[m.varargs] = &python.Tuple{Items: a.Pos[min(len(a.Pos), len(m.params)):]}
	} else if len(a.Pos) > len(m.params) {
		return python.Errorf("TypeError", "macro %s takes not more than %d argument(s)", python.Quote(m.name), len(m.params))
	}
	return nil
}

func (m *macro) run(f *frame) error {
	if err := m.r.enter(f, m.enter); err != nil {
		return err
	}
	for i, name := range m.params {
		if f.vars[m.slots[i]] != missing {
			continue
		}
		if m.defaults[i] == nil {
			f.vars[m.slots[i]] = &python.Undefined{Message: fmt.Sprintf("parameter %s was not provided", python.Quote(name))}
			continue
		}
		v, err := m.defaults[i](m.r, f)
		if err != nil {
			return err
		}
		f.vars[m.slots[i]] = v
	}
	_, err := m.body(m.r, f)
	return err
}

func (c *compiler) macroStatement(n *syntax.Macro, s scope) (exec, error) {
	code, err := c.macroCode(n, s)
	if err != nil {
		return nil, err
	}
	target, _ := s.find(n.Name)
	p := s.place(target)
	return func(r *run, f *frame) (jump, error) {
		m := code.bind(r, f)
		p.set(f, m)
		if s.toplevel {
			r.context.vars[n.Name] = m
		}
		return onward, nil
	}, nil
}

func (c *compiler) callBlock(n *syntax.CallBlock, s scope) (exec, error) {
	code, err := c.macroCode(n.Macro, s)
	if err != nil {
		return nil, err
	}
	call := func(r *run, f *frame) (any, error) { // the generation tag
		return code.bind(r, f).Call(&python.Args{M: r.m})
	}
	if n.Call != nil {
		if err := c.check(n.Call, s.soft); err != nil {
			return nil, err
		}
		if call, err = c.call(n.Call, s, func(r *run, f *frame) any { return code.bind(r, f) }); err != nil {
			return nil, err
		}
	}
	return func(r *run, f *frame) (jump, error) {
		r.line = n.Line
		v, err := call(r, f)
		if err == nil {
			r.append(n.Line, v)
		}
		return onward, at(n.Line, err)
	}, nil
}
