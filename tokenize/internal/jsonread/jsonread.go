// Package jsonread reads JSON in one pass and names the path of whatever it refuses.
package jsonread

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrSyntax is the class of every error about text that is not JSON.
var ErrSyntax = errors.New("not JSON")

// Error says what is wrong and where: Path is the JSON path from the root ("" is the root itself).
type Error struct {
	Path string
	Err  error
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// maxDepth bounds nesting, as Hugging Face's own reader does.
const maxDepth = 128

// Reader walks one JSON document. The first error stops it for good: later calls do nothing.
// Strings it returns may alias the document, which must not change while they are in use.
type Reader struct {
	data  []byte
	pos   int
	path  []step
	err   error
	depth int
	buf   []byte
}

type step struct {
	key   []byte
	index int // of an array; -1 for a member
}

// New reads data, which must be one JSON value.
func New(data []byte) *Reader { return &Reader{data: data} }

// Err is the first error met.
func (r *Reader) Err() error { return r.err }

// Path is the JSON path of the value being read.
func (r *Reader) Path() string {
	var b strings.Builder
	for _, s := range r.path {
		switch {
		case s.index >= 0:
			b.WriteByte('[')
			b.WriteString(strconv.Itoa(s.index))
			b.WriteByte(']')
		case plain(s.key):
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.Write(s.key)
		default:
			fmt.Fprintf(&b, "[%q]", s.key)
		}
	}
	return b.String()
}

func plain(key []byte) bool {
	for i := 0; i < len(key); i++ {
		c := key[i] | 0x20
		if (c < 'a' || c > 'z') && (key[i] < '0' || key[i] > '9') && key[i] != '_' {
			return false
		}
	}
	return len(key) > 0 && len(key) < 64
}

// Failf records an error at the current path, unless one is recorded already.
func (r *Reader) Failf(format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Path: r.Path(), Err: fmt.Errorf(format, args...)}
	}
}

func (r *Reader) syntax(what string) {
	r.Failf("%w at byte %d: %s", ErrSyntax, r.pos, what)
}

// Kind is the first byte of the next value: one of { [ " t f n and 0 for a number; 'e' at the end or after an error.
func (r *Reader) Kind() byte {
	if r.err != nil {
		return 'e'
	}
	r.space()
	if r.pos >= len(r.data) {
		return 'e'
	}
	switch c := r.data[r.pos]; c {
	case '{', '[', '"', 't', 'f', 'n':
		return c
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return '0'
	}
	return '?'
}

func (r *Reader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\n', '\t', '\r':
			r.pos++
		default:
			return
		}
	}
}

// End checks that nothing follows the value.
func (r *Reader) End() error {
	if r.err == nil {
		r.space()
		if r.pos != len(r.data) {
			r.syntax("trailing characters")
		}
	}
	return r.err
}

// Null consumes a null and reports whether there was one.
func (r *Reader) Null() bool {
	if r.Kind() != 'n' {
		return false
	}
	r.literal("null")
	return r.err == nil
}

func (r *Reader) literal(word string) {
	if len(r.data)-r.pos < len(word) || string(r.data[r.pos:r.pos+len(word)]) != word {
		r.syntax("expected " + word)
		return
	}
	r.pos += len(word)
}

// Bool reads true or false.
func (r *Reader) Bool() bool {
	switch r.Kind() {
	case 't':
		r.literal("true")
		return r.err == nil
	case 'f':
		r.literal("false")
	default:
		r.want("true or false")
	}
	return false
}

// want reports that the next value is of another type than what.
func (r *Reader) want(what string) {
	if r.err != nil {
		return
	}
	r.Failf("expected %s, found %s", what, r.found())
}

func (r *Reader) found() string {
	switch r.Kind() {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	case '0':
		return "a number"
	case 'e':
		return "the end of the text"
	}
	return fmt.Sprintf("%q", r.data[r.pos])
}

// Skip reads a value of any kind, checking its syntax.
func (r *Reader) Skip() {
	switch r.Kind() {
	case '{':
		r.Object(func(string) { r.Skip() })
	case '[':
		r.Array(func(int) { r.Skip() })
	case '"':
		r.Bytes()
	case 't', 'f':
		r.Bool()
	case 'n':
		r.literal("null")
	case '0':
		r.number()
	default:
		r.syntax("expected a value")
	}
}

// Raw reads a value of any kind and returns its text.
func (r *Reader) Raw() []byte {
	r.Kind()
	from := r.pos
	r.Skip()
	if r.err != nil {
		return nil
	}
	return r.data[from:r.pos]
}

// Sub reads raw, the text of the member name of the object at this path; errors found go to r.
func (r *Reader) Sub(name string, raw []byte, read func(*Reader)) {
	if r.err != nil {
		return
	}
	path := append(append([]step(nil), r.path...), step{key: []byte(name), index: -1})
	s := &Reader{data: raw, path: path, depth: r.depth}
	read(s)
	if s.err != nil {
		r.err = s.err
	}
}

// String reads a string.
func (r *Reader) String() string { return string(r.Bytes()) }

// Bytes reads a string; what it returns is valid until the next read.
func (r *Reader) Bytes() []byte {
	if r.Kind() != '"' {
		r.want("a string")
		return nil
	}
	return r.rawString()
}

// Rune reads a string of exactly one character.
func (r *Reader) Rune() rune {
	b := r.Bytes()
	if r.err != nil {
		return 0
	}
	c, n := utf8.DecodeRune(b)
	if n == 0 || n != len(b) {
		r.Failf("expected one character, found %q", b)
	}
	return c
}
