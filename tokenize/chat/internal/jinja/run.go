// Package jinja renders chat templates as Python's Jinja does under transformers: trim_blocks, lstrip_blocks, a sandbox
// without mutation, loop controls, and values that print like Python's. What it does not know it refuses, never guesses.
package jinja

import (
	"errors"
	"fmt"
	"strings"
)

// Limits keep a template from running or growing without end.
const (
	maxSteps  = 4_000_000
	maxOutput = 16 << 20
	maxRange  = 100_000
)

// Template is a parsed template; it is safe for concurrent use.
type Template struct{ body []statement }

// Parse reads a template; an error says on which line it is wrong or uses what is not supported.
func Parse(source string) (*Template, error) {
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	body, _, err := p.body()
	if err != nil {
		return nil, err
	}
	return &Template{body}, nil
}

// Function is a global that templates may call with positional arguments.
type Function func(args []any) (any, error)

// Render runs the template. Values are those that FromJSON makes; a name bound to a Function can be called.
func (t *Template) Render(names map[string]any) (out string, err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case exhausted:
			out, err = "", p.error
		default:
			panic(p)
		}
	}()
	globals := &scope{vars: map[string]any{}}
	for name, f := range builtins {
		globals.vars[name] = f
	}
	for name, v := range names {
		if f, ok := v.(Function); ok {
			v = callable(func(c *call) (any, error) { return f(c.args) })
		}
		globals.vars[name] = v
	}
	r := &renderer{}
	top := &scope{parent: globals, vars: map[string]any{}}
	if _, err := r.run(t.body, top); err != nil {
		return "", err
	}
	return r.out.String(), nil
}

// scope binds names; loops, macros and with-blocks open a new one.
type scope struct {
	vars   map[string]any
	parent *scope
}

func (s *scope) open() *scope { return &scope{parent: s, vars: map[string]any{}} }

func (s *scope) lookup(name string) any {
	for ; s != nil; s = s.parent {
		if v, ok := s.vars[name]; ok {
			return v
		}
	}
	return &Undefined{fmt.Sprintf("'%s'", name)}
}

// jump is how a statement ended.
type jump uint8

const (
	onward jump = iota
	breaking
	continuing
)

type renderer struct {
	out      *builder
	captured string // what a set block or a filter block has rendered
	steps    int
	depth    int
}

type builder struct{ strings.Builder }

func (b *builder) String() string {
	if b == nil {
		return ""
	}
	return b.Builder.String()
}

func (r *renderer) write(s string) error {
	if r.out == nil {
		r.out = &builder{}
	}
	if r.out.Len()+len(s) > maxOutput {
		return errors.New("the template's output is too large")
	}
	if err := r.spend(len(s) / 64); err != nil {
		return err
	}
	r.out.WriteString(s)
	return nil
}

func (r *renderer) step() error { return r.spend(1) }

// spend counts work that grows with the size of values, too.
func (r *renderer) spend(steps int) error {
	if r.steps += steps; r.steps > maxSteps {
		return errors.New("the template runs too long")
	}
	return nil
}

// exhausted is what charge panics with, and Render returns.
type exhausted struct{ error }

// charge spends for work deep inside of values, before it is done or memory is given to it. What a template may do with values
// that it put together by sharing parts, each twice, is otherwise without end.
func (r *renderer) charge(steps int) {
	if err := r.spend(steps); err != nil {
		panic(exhausted{err})
	}
}

// nested is charge at a depth of values.
func (r *renderer) nested(depth, steps int) {
	if depth > maxDepth {
		panic(exhausted{errors.New("a value nests too deep")})
	}
	r.charge(steps)
}

// room charges for so many bytes that are to follow in b, and keeps it from growing without end.
func (r *renderer) room(b *strings.Builder, more int) {
	if b.Len()+more > maxOutput {
		panic(exhausted{errors.New("string too large")})
	}
	r.charge(more / 64)
}

// size is what it takes to go through a string.
func size(s string) int { return 1 + len(s)/64 }

// handled spends what it took to make or to read a value, and passes the value on.
func (r *renderer) handled(v any, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	switch x := v.(type) {
	case string:
		err = r.spend(size(x))
	case *List:
		err = r.spend(1 + len(x.Items))
	case *Dict:
		err = r.spend(1 + len(x.keys))
	}
	return v, err
}

// capture renders a body aside.
func (r *renderer) capture(body []statement, s *scope) (string, error) {
	if r.depth++; r.depth > maxDepth {
		return "", errors.New("calls nest too deep")
	}
	outer := r.out
	r.out = nil
	_, err := r.run(body, s)
	inner := r.out.String()
	r.out = outer
	r.depth--
	return inner, err
}

func (r *renderer) run(body []statement, s *scope) (jump, error) {
	for _, st := range body {
		if err := r.step(); err != nil {
			return onward, err
		}
		j, err := st.run(r, s)
		if err != nil || j != onward {
			return j, err
		}
	}
	return onward, nil
}

// at adds the line to an error that has none yet.
func at(line int, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	var raised *Raised
	if errors.As(err, &raised) {
		return err
	}
	return &Error{Line: line, Message: err.Error()}
}

// Raised is the error of a template that called raise_exception.
type Raised struct{ Message string }

func (e *Raised) Error() string { return e.Message }
