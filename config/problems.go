package config

import (
	"fmt"
	"strings"

	"textmill/ground/naming"
)

// FromFlag is the Source of problems of the command line.
const FromFlag = "--set"

// Problem is one thing wrong with the configuration.
type Problem struct {
	Source string // file:line, environment variable or flag; empty when it lies in the values together
	Path   string // the key, such as nats.ack_wait
	Err    error
}

func (p Problem) String() string {
	var b strings.Builder
	for _, part := range []string{p.Source, p.Path} {
		if part != "" {
			b.WriteString(part)
			b.WriteString(": ")
		}
	}
	b.WriteString(p.Err.Error())
	return b.String()
}

// Error lists everything wrong at once.
type Error struct{ Problems []Problem }

func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	if len(lines) == 1 {
		return "config: " + lines[0]
	}
	return fmt.Sprintf("config: %d problems:\n  %s", len(lines), strings.Join(lines, "\n  "))
}

// Unwrap gives errors.Is every problem's cause.
func (e *Error) Unwrap() []error {
	causes := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		causes[i] = p.Err
	}
	return causes
}

// problems collects; its zero value is ready.
type problems []Problem

func (p *problems) add(source, path string, err error) {
	*p = append(*p, Problem{Source: source, Path: path, Err: err})
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &Error{Problems: p}
}

// unknown says that name is not among known, and which of them was probably meant.
func unknown(name string, known []string) error {
	if n := naming.Meant(name, known); n != "" {
		return fmt.Errorf("unknown key %q; did you mean %q?", name, n)
	}
	return fmt.Errorf("unknown key %q", name)
}
