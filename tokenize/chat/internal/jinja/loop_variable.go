package jinja

import (
	"fmt"

	"textmill/tokenize/chat/internal/python"
)

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
	hasAfter       bool
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
