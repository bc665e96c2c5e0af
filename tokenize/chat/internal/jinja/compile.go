package jinja

import (
	"fmt"

	"textmill/tokenize/chat/internal/python"
	"textmill/tokenize/chat/internal/syntax"
)

// scope is a frame while the template is compiled.
type scope struct {
	*symbols
	toplevel, loop, block bool
	soft                  bool // in a branch: unknown filters and tests are no error yet
	root                  bool // not even in a branch of the top
}

func (s scope) inner() scope { return scope{symbols: newSymbols(s.symbols)} }

func (s scope) branch() scope {
	s.soft, s.root = true, false
	return s
}

// place tells where a name is as seen from here.
func (s scope) place(r ref) place {
	hops := 0
	for at := s.symbols; at != nil && at.layout != r.frame; at = at.parent {
		hops++
	}
	return place{hops, r.slot}
}

func (s scope) entries() []entry {
	var out []entry
	for _, slot := range s.order {
		l := s.loads[slot]
		e := entry{slot: slot, kind: l.kind, name: l.name}
		if l.kind == loadAlias {
			e.outer = s.place(l.outer)
		}
		out = append(out, e)
	}
	return out
}

type escaping uint8

const (
	escapeNever escaping = iota
	escapeAlways
	escapeMaybe // as the run says
)

// compiler turns trees into functions; the first error ends it.
type compiler struct {
	blocks  map[string]*block
	escape  escaping
	extends bool          // at the top: what follows is never printed
	folds   *python.Meter // of making constants; nil while one is made
}

func compileTemplate(body []syntax.Node) (t *Template, err error) {
	c := &compiler{blocks: map[string]*block{}, folds: &python.Meter{}}
	var named []*syntax.Block
	each(body, func(n syntax.Node) bool {
		switch x := n.(type) {
		case *syntax.Block:
			if _, twice := c.blocks[x.Name]; twice {
				err = &Error{x.Line, "TemplateAssertionError", fmt.Sprintf("block %q is defined twice", x.Name)}
				return false
			}
			c.blocks[x.Name] = &block{name: x.Name}
			named = append(named, x)
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	s := scope{symbols: newSymbols(nil), toplevel: true, root: true}
	t = &Template{root: s.layout, blocks: c.blocks}
	if undeclared(body, "self")["self"] {
		r := s.parameter("self")
		t.self = &r
	}
	s.visit(body...)
	if t.body, err = c.body(body, s); err != nil {
		return nil, err
	}
	t.enter = s.entries()
	for _, b := range named {
		if err := c.blockBody(b); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (c *compiler) fail(line int, class, format string, args ...any) error {
	return &Error{line, class, fmt.Sprintf(format, args...)}
}

func (c *compiler) body(nodes []syntax.Node, s scope) (exec, error) {
	list := make([]exec, 0, len(nodes))
	for _, n := range nodes {
		x, err := c.statement(n, s)
		if err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return func(r *run, f *frame) (jump, error) {
		for _, x := range list {
			r.m.Charge(1)
			if j, err := x(r, f); err != nil || j != onward {
				return j, err
			}
		}
		return onward, nil
	}, nil
}

func (c *compiler) statement(n syntax.Node, s scope) (exec, error) {
	switch x := n.(type) {
	case *syntax.Output:
		return c.output(x, s)
	case *syntax.If:
		return c.ifStatement(x, s)
	case *syntax.For:
		return c.forStatement(x, s)
	case *syntax.Set:
		return c.set(x, s)
	case *syntax.SetBlock:
		return c.setBlock(x, s)
	case *syntax.With:
		return c.with(x, s)
	case *syntax.Macro:
		return c.macroStatement(x, s)
	case *syntax.CallBlock:
		return c.callBlock(x, s)
	case *syntax.FilterBlock:
		return c.filterBlock(x, s)
	case *syntax.Autoescape:
		return c.autoescape(x, s)
	case *syntax.Block:
		return c.blockStatement(x, s)
	case *syntax.Load:
		return c.load(x, s)
	case *syntax.Jump:
		j := continuing
		if x.Break {
			j = breaking
		}
		return func(*run, *frame) (jump, error) { return j, nil }, nil
	}
	return nil, c.fail(0, "UnsupportedError", "unknown statement")
}

// escapes tells at run time whether what is printed is escaped.
func (c *compiler) escapes() func(r *run) bool {
	switch c.escape {
	case escapeNever:
		return func(*run) bool { return false }
	case escapeAlways:
		return func(*run) bool { return true }
	}
	return func(r *run) bool { return r.autoescape }
}

func (c *compiler) output(n *syntax.Output, s scope) (exec, error) {
	escaped := c.escapes()
	var list []exec
	for _, e := range n.Nodes {
		if d, ok := e.(*syntax.Data); ok {
			list = append(list, func(r *run, _ *frame) (jump, error) { r.write(d.Text); return onward, nil })
			continue
		}
		v, err := c.printed(e, s)
		if err != nil {
			return nil, err
		}
		line := n.Line
		list = append(list, func(r *run, f *frame) (jump, error) {
			r.line = line
			value, err := v(r, f)
			if err == nil {
				err = r.print(value, escaped(r))
			}
			return onward, at(line, err)
		})
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return func(r *run, f *frame) (jump, error) {
		for _, x := range list {
			if _, err := x(r, f); err != nil {
				return onward, err
			}
		}
		return onward, nil
	}, nil
}

// printed compiles what an output prints: a constant if it is one, else what must be known of its filters and tests is
// checked.
func (c *compiler) printed(e syntax.Expr, s scope) (eval, error) {
	if c.special(e) {
		if v, ok := c.fold(e); ok {
			return func(*run, *frame) (any, error) { return v, nil }, nil
		}
	}
	if c.extends {
		s.soft = true
	}
	return c.checked(e, s)
}

// checked compiles an expression, whose filters and tests must be known.
func (c *compiler) checked(e syntax.Expr, s scope) (eval, error) {
	if err := c.check(e, s.soft); err != nil {
		return nil, err
	}
	return c.expr(e, s)
}

func (c *compiler) ifStatement(n *syntax.If, s scope) (exec, error) {
	inner := s.branch()
	tests := make([]eval, len(n.Tests))
	bodies := make([]exec, len(n.Tests))
	var err error
	for i := range n.Tests {
		if tests[i], err = c.checked(n.Tests[i], inner); err != nil {
			return nil, err
		}
		if bodies[i], err = c.body(n.Bodies[i], inner); err != nil {
			return nil, err
		}
	}
	otherwise, err := c.body(n.Else, inner)
	if err != nil {
		return nil, err
	}
	return func(r *run, f *frame) (jump, error) {
		for i, test := range tests {
			r.line = n.Line
			v, err := test(r, f)
			if err != nil {
				return onward, at(n.Line, err)
			}
			holds, err := r.truth(v)
			if err != nil {
				return onward, at(n.Line, err)
			}
			if holds {
				return bodies[i](r, f)
			}
		}
		return otherwise(r, f)
	}, nil
}

// load is a tag that wants another template: there is no loader.
func (c *compiler) load(n *syntax.Load, s scope) (exec, error) {
	if n.Tag == "extends" {
		if !s.toplevel {
			return nil, c.fail(n.Line, "TemplateAssertionError", "extends below the top of the template")
		}
		defer func() { c.extends = c.extends || s.root }()
	}
	v, err := c.checked(n.Template, s)
	if err != nil {
		return nil, err
	}
	_, named := n.Template.(*syntax.Const)
	return func(r *run, f *frame) (jump, error) {
		name, err := v(r, f)
		if err != nil {
			return onward, at(n.Line, err)
		}
		_, isString := python.IsString(name)
		if _, undefined := name.(*python.Undefined); n.Tag == "include" && !named && !isString && !undefined {
			if any, err := python.Truth(name); err == nil && !any {
				if n.IgnoreMissing {
					return onward, nil
				}
				return onward, at(n.Line, python.Errorf("TemplatesNotFound", "there is no template to include"))
			}
		}
		return onward, at(n.Line, python.Errorf("TypeError", "a chat template cannot load another one: %s", n.Tag))
	}, nil
}
