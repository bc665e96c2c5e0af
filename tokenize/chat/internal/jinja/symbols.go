package jinja

import (
	"maps"
	"slices"

	"textmill/tokenize/chat/internal/syntax"
)

// frameLayout numbers the names of a frame.
type frameLayout struct{ names map[string]int }

func (l *frameLayout) slot(name string) int {
	i, ok := l.names[name]
	if !ok {
		i = len(l.names)
		l.names[name] = i
	}
	return i
}

// ref is where a name lives.
type ref struct {
	frame *frameLayout
	slot  int
}

type loadKind uint8

const (
	loadParameter loadKind = iota // bound by whoever enters the frame
	loadResolve                   // from the context, by name
	loadAlias                     // from an outer frame
	loadUndefined
)

// load is how a frame gets a name when it is entered.
type load struct {
	kind  loadKind
	name  string
	outer ref
}

// symbols are the names of a frame, found out before the template runs: which of them the frame binds itself, which
// come from outside. It decides as jinja2 does, whose templates see a name that is bound further down as undefined,
// not as the context's.
type symbols struct {
	parent *symbols
	layout *frameLayout
	refs   map[string]ref
	loads  map[int]load
	order  []int // in which loads were found
	stores map[string]bool
}

func newSymbols(parent *symbols) *symbols {
	return &symbols{parent: parent, layout: &frameLayout{map[string]int{}}, refs: map[string]ref{}, loads: map[int]load{},
		stores: map[string]bool{}}
}

func (s *symbols) copy() *symbols {
	return &symbols{s.parent, s.layout, maps.Clone(s.refs), maps.Clone(s.loads), slices.Clone(s.order),
		maps.Clone(s.stores)}
}

func (s *symbols) find(name string) (ref, bool) {
	for ; s != nil; s = s.parent {
		if r, ok := s.refs[name]; ok {
			return r, true
		}
	}
	return ref{}, false
}

func (s *symbols) setLoad(slot int, l load) {
	if _, known := s.loads[slot]; !known {
		s.order = append(s.order, slot)
	}
	s.loads[slot] = l
}

func (s *symbols) define(name string, l load) ref {
	r := ref{s.layout, s.layout.slot(name)}
	s.refs[name] = r
	s.setLoad(r.slot, l)
	return r
}

func (s *symbols) store(name string) {
	s.stores[name] = true
	if _, ok := s.refs[name]; ok {
		return
	}
	if s.parent != nil {
		if outer, ok := s.parent.find(name); ok {
			s.define(name, load{kind: loadAlias, outer: outer})
			return
		}
	}
	s.define(name, load{kind: loadUndefined})
}

func (s *symbols) parameter(name string) ref {
	s.stores[name] = true
	return s.define(name, load{kind: loadParameter})
}

func (s *symbols) load(name string) {
	if _, ok := s.find(name); !ok {
		s.define(name, load{kind: loadResolve, name: name})
	}
}

// merge takes in what the branches of an if found out.
func (s *symbols) merge(branches []*symbols) {
	stored := map[string]bool{}
	for _, b := range branches {
		for name := range b.stores {
			if !s.stores[name] {
				stored[name] = true
			}
		}
	}
	for _, b := range branches {
		maps.Copy(s.refs, b.refs)
		for _, slot := range b.order {
			s.setLoad(slot, b.loads[slot])
		}
		maps.Copy(s.stores, b.stores)
	}
	for name := range stored {
		target, _ := s.find(name)
		if s.parent != nil {
			if outer, ok := s.parent.find(name); ok {
				s.setLoad(target.slot, load{kind: loadAlias, outer: outer})
				continue
			}
		}
		s.setLoad(target.slot, load{kind: loadResolve, name: name})
	}
}

// visit finds the names that a node of this frame loads and stores; what has a frame of its own is left out.
func (s *symbols) visit(nodes ...syntax.Node) {
	for _, n := range nodes {
		switch x := n.(type) {
		case *syntax.Name:
			switch {
			case x.Param:
				s.parameter(x.ID)
			case x.Store:
				s.store(x.ID)
			default:
				s.load(x.ID)
			}
		case *syntax.NSRef:
			s.load(x.ID)
		case *syntax.If:
			s.visitIf(x)
		case *syntax.Macro:
			s.store(x.Name)
		case *syntax.Load:
			s.visit(x.Template)
			for _, name := range x.Names {
				s.store(name)
			}
		case *syntax.Set:
			s.visit(x.Value, x.Target)
		case *syntax.For:
			s.visit(x.Iter)
		case *syntax.CallBlock:
			if x.Call != nil {
				s.visit(x.Call)
			}
		case *syntax.FilterBlock:
			s.visit(x.Filter)
		case *syntax.With:
			s.visit(x.Values...)
		case *syntax.SetBlock:
			s.visit(x.Target)
		case *syntax.Autoescape, *syntax.Block:
		default:
			s.visit(n.Children()...)
		}
	}
}

// visitIf goes through tests and branches as jinja2 does: each elif is an if of its own within.
func (s *symbols) visitIf(n *syntax.If) {
	s.visit(n.Tests[0])
	body := s.copy()
	body.visit(n.Bodies[0]...)
	rest := s.copy()
	for i := 1; i < len(n.Tests); i++ {
		rest.visitIf(&syntax.If{Tests: n.Tests[i : i+1], Bodies: n.Bodies[i : i+1]})
	}
	otherwise := s.copy()
	otherwise.visit(n.Else...)
	s.merge([]*symbols{body, rest, otherwise})
}

// visitTarget makes parameters of a loop's targets.
func (s *symbols) visitTarget(n syntax.Node) {
	switch x := n.(type) {
	case *syntax.Name:
		s.parameter(x.ID)
	case *syntax.Tuple:
		for _, item := range x.Items {
			s.visitTarget(item)
		}
	}
}

// bound are the names that this frame or one around it stores.
func (s *symbols) bound() map[string]ref {
	out := map[string]ref{}
	for at := s; at != nil; at = at.parent {
		for name := range at.stores {
			if _, ok := out[name]; !ok {
				out[name], _ = s.find(name)
			}
		}
	}
	return out
}

// undeclared are those of names that nodes load before they bind them, blocks left out.
func undeclared(nodes []syntax.Node, names ...string) map[string]bool {
	wanted, found := map[string]bool{}, map[string]bool{}
	for _, n := range names {
		wanted[n] = true
	}
	var visit func(nodes []syntax.Node)
	visit = func(nodes []syntax.Node) {
		for _, n := range nodes {
			switch x := n.(type) {
			case *syntax.Name:
				if !x.Store && !x.Param && wanted[x.ID] {
					found[x.ID] = true
				} else {
					delete(wanted, x.ID)
				}
			case *syntax.Block:
			default:
				visit(n.Children())
			}
		}
	}
	visit(nodes)
	return found
}

// each calls f with all nodes within, the given ones included, until it returns false.
func each(nodes []syntax.Node, f func(n syntax.Node) bool) bool {
	for _, n := range nodes {
		if !f(n) || !each(n.Children(), f) {
			return false
		}
	}
	return true
}
