package jinja

import (
	"fmt"

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

// loop is what templates see under that name.
type loop struct {
	code           *loopCode
	r              *run
	outer          *frame
	over           any
	it             *python.Iterator
	length         *int
	index0, depth0 int
	after          any // peeked at
	hasAfter, end  bool
	before         any
	current        any
	last           any // what changed was called with
	changes        bool
}

func (l *loop) next() (any, bool, error) {
	if !l.hasAfter {
		item, ok, err := l.it.Next()
		if err != nil || !ok {
			return nil, false, err
		}
		l.after = item
	}
	l.hasAfter = false
	l.index0++
	l.before, l.current = l.current, l.after
	return l.current, true, nil
}

// peek tells whether another item follows, and keeps it.
func (l *loop) peek() (bool, error) {
	if l.hasAfter {
		return true, nil
	}
	item, ok, err := l.it.Next()
	if ok {
		l.after, l.hasAfter = item, true
	}
	return ok, err
}

// Length counts the items, going through those to come if there is no other way.
func (l *loop) Length() (int, error) {
	if l.length == nil {
		n, err := python.Len(l.r.m, l.over)
		if err != nil {
			items, err := python.Items(l.r.m, l.it)
			if err != nil {
				return 0, err
			}
			if l.it, err = python.Iter(l.r.m, &python.List{Items: items}); err != nil {
				return 0, err
			}
			n = len(items) + l.index0 + 1
			if l.hasAfter {
				n++
			}
		}
		l.length = &n
	}
	return *l.length, nil
}

func (l *loop) TypeName() string { return "LoopContext" }

func (l *loop) Repr(*python.Meter) string {
	n, err := l.Length()
	if err != nil {
		return "<LoopContext>"
	}
	return fmt.Sprintf("<LoopContext %d/%d>", l.index0+1, n)
}

// Iterate goes on with the loop itself.
func (l *loop) Iterate() *python.Iterator {
	return &python.Iterator{Name: "LoopContext", Next: func() (any, bool, error) {
		item, ok, err := l.next()
		return &python.Tuple{Items: []any{item, l}}, ok, err
	}}
}

func (l *loop) Attr(name string) (any, bool, error) {
	switch name {
	case "index":
		return int64(l.index0 + 1), true, nil
	case "index0":
		return int64(l.index0), true, nil
	case "first":
		return l.index0 == 0, true, nil
	case "depth":
		return int64(l.depth0 + 1), true, nil
	case "depth0":
		return int64(l.depth0), true, nil
	case "length", "revindex", "revindex0":
		n, err := l.Length()
		return int64(n - map[string]int{"length": 0, "revindex": l.index0, "revindex0": l.index0 + 1}[name]), true, err
	case "last":
		more, err := l.peek()
		return !more, true, err
	case "previtem":
		if l.index0 == 0 {
			return &python.Undefined{Message: "there is no previous item"}, true, nil
		}
		return l.before, true, nil
	case "nextitem":
		more, err := l.peek()
		if !more {
			return &python.Undefined{Message: "there is no next item"}, true, err
		}
		return l.after, true, err
	case "cycle":
		return &python.Func{Name: "cycle", Call: l.cycle}, true, nil
	case "changed":
		return &python.Func{Name: "changed", Call: l.changed}, true, nil
	}
	return nil, false, nil
}

func (l *loop) cycle(a *python.Args) (any, error) {
	switch {
	case len(a.Names) > 0:
		return nil, python.Errorf("TypeError", "cycle() takes no keyword arguments")
	case len(a.Pos) == 0:
		return nil, python.Errorf("TypeError", "no items for cycling given")
	}
	return a.Pos[l.index0%len(a.Pos)], nil
}

func (l *loop) changed(a *python.Args) (any, error) {
	if len(a.Names) > 0 {
		return nil, python.Errorf("TypeError", "changed() takes no keyword arguments")
	}
	now := &python.Tuple{Items: a.Pos}
	if l.changes && python.Equal(a.M, l.last, now) {
		return false, nil
	}
	l.last, l.changes = now, true
	return true, nil
}

// Call is loop(items) of a recursive loop.
func (l *loop) Call(a *python.Args) (any, error) {
	bound, err := python.Sig("loop(iterable)").Bind(a)
	if err != nil {
		return nil, err
	}
	if !l.code.recursive {
		return nil, python.Errorf("TypeError", "The loop must have the 'recursive' marker to be called recursively.")
	}
	r := l.r
	return r.deeper(func() (string, error) {
		return r.capture(func() error { _, err := l.code.run(r, l.outer, bound[0], l.depth0+1); return err })
	})
}
