// Package jinja renders chat templates as jinja2's ImmutableSandboxedEnvironment does where transformers sets it up,
// within bounds of time and memory. What it does not know it refuses, never guesses.
package jinja

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"textmill/tokenize/chat/internal/python"
	"textmill/tokenize/chat/internal/syntax"
)

const (
	maxOutput = 16 << 20
	maxDepth  = 200 // of calls
)

// Error says where a template is wrong or what went wrong when it ran. Class is Python's name for it.
type Error struct {
	Line           int
	Class, Message string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("template line %d: %s", e.Line, e.Message)
}

// at adds the line to an error that has none yet.
func at(line int, err error) error {
	var placed *Error
	if err == nil || errors.As(err, &placed) {
		return err
	}
	var e *python.Error
	if errors.As(err, &e) {
		return &Error{line, e.Class, e.Error()}
	}
	return &Error{line, "", err.Error()}
}

// Template is a template that is ready to run; it is safe for concurrent use.
type Template struct {
	root   *frameLayout
	self   *ref
	enter  []entry
	body   exec
	blocks map[string]*block
}

// Parse reads a template; an error says on which line it is wrong.
func Parse(source string) (t *Template, err error) {
	body, err := syntax.Parse(source)
	if err == nil {
		t, err = compileTemplate(body)
	}
	var e *syntax.Error
	if errors.As(err, &e) {
		err = &Error{e.Line, e.Class, e.Message}
	}
	return t, err
}

// Render runs the template with names of values that FromJSON makes; now is what strftime_now sees.
func (t *Template) Render(names map[string]any, now time.Time) (out string, err error) {
	r := &run{m: &python.Meter{}, now: now, blocks: t.blocks, out: &buffer{}}
	defer recoverExhausted(r, &err)
	r.context = &context{names: names, vars: map[string]any{}}
	f := t.root.open(nil)
	if t.self != nil {
		f.vars[t.self.slot] = &templateReference{r: r, context: r.context}
	}
	if err := r.enter(f, t.enter); err != nil {
		return "", err
	}
	if _, err := t.body(r, f); err != nil {
		return "", at(0, err)
	}
	return r.out.String(), r.out.failed
}

func recoverExhausted(r *run, err *error) {
	switch p := recover().(type) {
	case nil:
	case python.Exhausted:
		*err = at(r.line, p.Err)
	default:
		panic(p)
	}
}

// run is one rendering.
type run struct {
	m          *python.Meter
	now        time.Time
	context    *context
	blocks     map[string]*block
	out        *buffer
	autoescape bool
	depth      int
	line       int // of the statement that runs
	folding    bool
	globals    map[string]any
}

// context holds what the template was given, and what it has set at its top.
type context struct {
	names  map[string]any
	vars   map[string]any
	parent *context
}

func (c *context) resolve(r *run, name string) any {
	for ; c != nil; c = c.parent {
		if v, ok := c.vars[name]; ok {
			return v
		}
		if v, ok := c.names[name]; ok {
			return v
		}
		if c.parent == nil {
			if make, ok := globals[name]; ok {
				return make(r)
			}
		}
	}
	return missing
}

// buffer is what has been rendered; failed is why its parts cannot be joined in the end.
type buffer struct {
	strings.Builder
	failed error
}

// missing stands for a name that is not bound yet.
var missing any = &struct{ _ int }{}

// frame holds the names of a loop, a macro, a block.
type frame struct {
	vars   []any
	parent *frame
}

func (l *frameLayout) open(parent *frame) *frame {
	f := &frame{make([]any, len(l.names)), parent}
	for i := range f.vars {
		f.vars[i] = missing
	}
	return f
}

func (f *frame) up(hops int) *frame {
	for ; hops > 0; hops-- {
		f = f.parent
	}
	return f
}

// place is a name as seen from a frame.
type place struct{ hops, slot int }

func (p place) get(f *frame) any    { return f.up(p.hops).vars[p.slot] }
func (p place) set(f *frame, v any) { f.up(p.hops).vars[p.slot] = v }

// entry binds one name when its frame is entered.
type entry struct {
	slot  int
	kind  loadKind
	name  string
	outer place
}

func (r *run) enter(f *frame, entries []entry) error {
	r.m.Charge(1 + len(entries)/4)
	for _, e := range entries {
		switch e.kind {
		case loadResolve:
			f.vars[e.slot] = r.context.resolve(r, e.name)
		case loadAlias:
			f.vars[e.slot] = e.outer.get(f)
		case loadUndefined:
			f.vars[e.slot] = missing
		}
	}
	return nil
}

// jump is how a statement ended.
type jump uint8

const (
	onward jump = iota
	breaking
	continuing
)

type (
	exec func(r *run, f *frame) (jump, error)
	eval func(r *run, f *frame) (any, error)
)

func (r *run) write(s string) {
	r.m.Charge(1 + len(s)/64)
	if r.out.Len()+len(s) > maxOutput {
		panic(python.Exhausted{Err: python.Errorf("LimitError", "the template's output is too large")})
	}
	r.out.WriteString(s)
}

// capture renders aside.
func (r *run) capture(render func() error) (string, error) {
	outer := r.out
	r.out = &buffer{}
	err := render()
	inner := r.out
	r.out = outer
	if err == nil {
		err = inner.failed
	}
	return inner.String(), err
}

// deeper is one call more on the way.
func (r *run) deeper(f func() (string, error)) (string, error) {
	if r.depth++; r.depth > maxDepth {
		return "", python.Errorf("RecursionError", "calls nest deeper than %d", maxDepth)
	}
	s, err := f()
	r.depth--
	return s, err
}

func (r *run) truth(v any) (bool, error) { return python.Truth(v) }

// print is what an output statement writes of a value.
func (r *run) print(v any, escaped bool) error {
	if escaped {
		safe, err := python.Escape(r.m, v)
		if err == nil {
			r.write(string(safe))
		}
		return err
	}
	s, err := python.Str(r.m, v)
	if err == nil {
		r.write(s)
	}
	return err
}
