package jinja

import (
	"textmill/tokenize/chat/internal/python"
	"textmill/tokenize/chat/internal/syntax"
)

// loopCode is a loop as written.
type loopCode struct {
	layout, testLayout *frameLayout
	target, testTarget assign
	test               eval // nil: none
	enter, testEnter   []entry
	body               exec
	otherwise          exec // nil: none
	elseLayout         *frameLayout
	elseEnter          []entry
	loop               int // slot of its own variable; -1: nobody asks for it
	recursive          bool
	line               int
}

func (c *compiler) forStatement(n *syntax.For, s scope) (exec, error) {
	for _, part := range []syntax.Node{n} {
		line := 0
		each([]syntax.Node{part}, func(x syntax.Node) bool {
			name, ok := x.(*syntax.Name)
			if ok && name.Store && name.ID == "loop" {
				line = max(name.Line, 1)
			}
			return line == 0
		})
		if line > 0 {
			return nil, c.fail(line, "TemplateAssertionError", "Can't assign to special loop variable in for-loop target")
		}
	}
	code := &loopCode{loop: -1, recursive: n.Recursive, line: n.Line}
	inner := s.inner()
	inner.loop = true
	code.layout = inner.layout
	scoped := false
	each([]syntax.Node{n}, func(x syntax.Node) bool {
		b, ok := x.(*syntax.Block)
		scoped = scoped || ok && b.Scoped
		return !scoped
	})
	if n.Recursive || scoped || undeclared(n.Body, "loop")["loop"] {
		code.loop = inner.parameter("loop").slot
	}
	inner.visitTarget(n.Target)
	inner.visit(n.Body...)
	var err error
	if code.target, err = c.target(n.Target, inner); err != nil {
		return nil, err
	}
	if err := c.loopTest(code, n, s); err != nil {
		return nil, err
	}
	iter, err := c.checked(n.Iter, s)
	if err != nil {
		return nil, err
	}
	if code.body, err = c.body(n.Body, inner); err != nil {
		return nil, err
	}
	code.enter = inner.entries()
	if len(n.Else) > 0 {
		other := s.inner()
		other.visit(n.Else...)
		code.elseLayout = other.layout
		if code.otherwise, err = c.body(n.Else, other); err != nil {
			return nil, err
		}
		code.elseEnter = other.entries()
	}
	return func(r *run, f *frame) (jump, error) {
		r.line = n.Line
		over, err := iter(r, f)
		if err != nil {
			return onward, at(n.Line, err)
		}
		if !code.recursive {
			return code.run(r, f, over, 0)
		}
		s, err := r.capture(func() error { _, err := code.run(r, f, over, 0); return err })
		if err == nil {
			r.write(s)
		}
		return onward, err
	}, nil
}

func (c *compiler) loopTest(code *loopCode, n *syntax.For, s scope) error {
	if n.Test == nil {
		return nil
	}
	inner := s.inner()
	inner.visitTarget(n.Target)
	inner.visit(n.Test)
	code.testLayout = inner.layout
	var err error
	if code.testTarget, err = c.target(n.Target, inner); err != nil {
		return err
	}
	code.test, err = c.checked(n.Test, inner)
	code.testEnter = inner.entries()
	return err
}

// filtered leaves out the items that the loop's own condition refuses.
func (l *loopCode) filtered(r *run, f *frame, over any) *python.Iterator {
	var it *python.Iterator
	in := l.testLayout.open(f)
	return &python.Iterator{Name: "generator", Next: func() (any, bool, error) {
		if it == nil {
			if err := r.enter(in, l.testEnter); err != nil {
				return nil, false, err
			}
			var err error
			if it, err = python.Iter(r.m, over); err != nil {
				return nil, false, at(l.line, err)
			}
		}
		for {
			r.m.Charge(1)
			item, ok, err := it.Next()
			if err != nil || !ok {
				return nil, false, at(l.line, err)
			}
			if err := l.testTarget(r, in, item); err != nil {
				return nil, false, at(l.line, err)
			}
			v, err := l.test(r, in)
			if err != nil {
				return nil, false, at(l.line, err)
			}
			keep, err := python.Truth(v)
			if err != nil {
				return nil, false, at(l.line, err)
			}
			if keep {
				return item, true, nil
			}
		}
	}}
}

func (l *loopCode) run(r *run, f *frame, over any, depth int) (jump, error) {
	if l.test != nil {
		over = l.filtered(r, f, over)
	}
	it, err := python.Iter(r.m, over)
	if err != nil {
		return onward, at(l.line, err)
	}
	in := l.layout.open(f)
	lp := &loop{code: l, r: r, outer: f, over: over, it: it, index0: -1, depth0: depth}
	completed := false
	for {
		r.m.Charge(1)
		item, ok, err := lp.next()
		if err != nil {
			return onward, at(l.line, err)
		}
		if !ok {
			break
		}
		if l.loop >= 0 {
			in.vars[l.loop] = lp
		}
		if err := l.target(r, in, item); err != nil {
			return onward, at(l.line, err)
		}
		if err := r.enter(in, l.enter); err != nil {
			return onward, err
		}
		j, err := l.body(r, in)
		if err != nil {
			got, err := left(l.line, err)
			if err != nil {
				return onward, err
			}
			j = got
		}
		if j == breaking {
			break
		}
		completed = completed || j == onward
	}
	for i := range in.vars {
		in.vars[i] = missing
	}
	if completed || l.otherwise == nil { // as in jinja2, a loop whose every round was left by continue has an else
		return onward, nil
	}
	other := l.elseLayout.open(f)
	if err := r.enter(other, l.elseEnter); err != nil {
		return onward, err
	}
	return l.otherwise(r, other)
}
