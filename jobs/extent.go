package jobs

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// scanner finds where values end in JSON that need not be quite right: NaN, bad escapes, invalid UTF-8, a comma too
// many. It goes by quotes, brackets, commas and colons alone, and gives up where they do not fit together, so that it
// never takes two values for one.
type scanner struct {
	data []byte
	at   int
}

// extentError says where the end of a value cannot be found.
type extentError struct {
	what string
	at   int
}

func (e *extentError) Error() string { return fmt.Sprintf("%s at byte %d", e.what, e.at) }

func (s *scanner) fail(what string) error { return &extentError{what, s.at} }

func (s *scanner) space() {
	for s.at < len(s.data) && isSpace(s.data[s.at]) {
		s.at++
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// peek is the next byte that is no space, 0 at the end.
func (s *scanner) peek() byte {
	if s.space(); s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// take steps over c, the next byte that is no space.
func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.at >= len(s.data) {
		return false
	}
	s.at++
	return true
}

// key reads the name of a member and its colon.
func (s *scanner) key() (string, error) {
	if s.peek() != '"' {
		return "", s.fail("a key is missing")
	}
	from := s.at
	if err := s.quoted(); err != nil {
		return "", err
	}
	name, err := jsontext.AppendUnquote(nil, s.data[from:s.at])
	if err != nil && len(name) == 0 {
		name = s.data[from+1 : s.at-1]
	}
	if !s.take(':') {
		return "", s.fail("a colon is missing")
	}
	return string(name), nil
}

// quoted steps over a string.
func (s *scanner) quoted() error {
	from := s.at
	for at := from + 1; ; at++ {
		i := bytes.IndexByte(s.data[at:], '"')
		if i < 0 {
			return s.fail("a string without an end")
		}
		at += i
		escapes := 0
		for s.data[at-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			s.at = at + 1
			return nil
		}
	}
}

// value steps over the next value and returns it; a comma, a bracket or the end follows.
func (s *scanner) value() ([]byte, error) {
	s.space()
	e := extent{last: ':'}
	from, to := s.at, s.at
	for s.at < len(s.data) && !e.endsBefore(s.data[s.at]) {
		c := s.data[s.at]
		if !e.goesOn(c) {
			return nil, s.fail(fmt.Sprintf("a misplaced %q", c))
		}
		if c != '"' {
			s.at++
		} else if err := s.quoted(); err != nil {
			return nil, err
		}
		e.last, to = c, s.at
		s.space()
	}
	switch {
	case len(e.open) > 0:
		return nil, s.fail("it ends too early,")
	case from == to:
		return nil, s.fail("a value is missing")
	}
	return s.data[from:to], nil
}

// extent is what a value was so far.
type extent struct {
	open []byte // brackets that are not closed
	last byte   // that is no space; a string's is its quote
}

func (e *extent) endsBefore(c byte) bool {
	return len(e.open) == 0 && (c == ',' || c == '}' || c == ']')
}

// goesOn takes one more byte, or a string, or says that it cannot stand here.
func (e *extent) goesOn(c byte) bool {
	begin := bytes.IndexByte([]byte(":,{["), e.last) >= 0 // a value or a key may begin
	ended := e.last == '"' || e.last == '}' || e.last == ']'
	within := byte(0)
	if len(e.open) > 0 {
		within = e.open[len(e.open)-1]
	}
	switch c {
	case '"':
		return begin
	case '{', '[':
		e.open = append(e.open, c)
		return begin && (within != '{' || e.last == ':')
	case '}', ']':
		e.open = e.open[:len(e.open)-1]
		return within == c-2 // "{" and "[" are two before their partners
	case ',', ':':
		return within != 0
	}
	return !ended
}
