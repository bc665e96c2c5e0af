// Package python computes with values as Python does: what they print, compare and sum to, their methods and formats,
// each within bounds of time and memory.
package python

import (
	"fmt"
	"math/big"
	"strings"
)

// Values are nil, bool, int64, *big.Int (what does not fit int64), float64, string, Markup, *List, *Tuple, *Dict,
// *Range,
// *View, *Iterator, *Undefined, *Func, and what implements Object.

// Markup is a string that is safe to stand in HTML: its operators escape their partner.
type Markup string

// List is a list; what templates can reach never changes it.
type List struct{ Items []any }

// Tuple is a tuple; a group of groupby names its two items grouper and list.
type Tuple struct {
	Items []any
	Group bool
}

// Range is range(from, to, step), held as its first item, its step and its length.
type Range struct {
	From, Step int64
	Len        int
	To         int64 // as given
}

// View is what keys(), values() and items() of a dict return.
type View struct {
	Dict *Dict
	Kind string // keys, values, items
}

// Iterator gives each item once.
type Iterator struct {
	Name string // of its type; "generator object NAME" of a generator
	Next func() (item any, ok bool, err error)
}

// Undefined is the value of a name or an attribute that is not there. Class is of the error that its use raises.
type Undefined struct{ Class, Message string }

// Err is the error of using the value.
func (u *Undefined) Err() error {
	if u.Class == "" {
		return Errorf("UndefinedError", "%s", u.Message)
	}
	return Errorf(u.Class, "%s", u.Message)
}

// Func is a function or a bound method.
type Func struct {
	Name string
	Call func(a *Args) (any, error)
	Type string // what type() says of it, "" for a method
}

// Object is a value that only templates make: a macro, a loop, a namespace.
type Object interface {
	TypeName() string
	Attr(name string) (any, bool, error)
	Repr(m *Meter) string
}

// Caller is an Object that can be called.
type Caller interface{ Call(a *Args) (any, error) }

// Sized is an Object with a length.
type Sized interface{ Length() (int, error) }

// Iterated is an Object that a loop can go over.
type Iterated interface{ Iterate() *Iterator }

// Indexed is an Object with items.
type Indexed interface {
	Item(key any) (any, bool, error)
}

// Error is an exception; Class is Python's name for it, LimitError when a bound of ours is exceeded, and
// UnsupportedError where Python has an answer and this package has none.
type Error struct{ Class, Message string }

func (e *Error) Error() string {
	switch e.Class {
	case "UndefinedError", "TemplateRuntimeError", "TemplateError", "SecurityError", "LimitError", "UnsupportedError":
		return e.Message
	}
	return e.Class + ": " + e.Message
}

// Errorf makes an exception.
func Errorf(class, format string, args ...any) error {
	return &Error{class, fmt.Sprintf(format, args...)}
}

func typeError(format string, args ...any) error  { return Errorf("TypeError", format, args...) }
func valueError(format string, args ...any) error { return Errorf("ValueError", format, args...) }

// TypeName is Python's name of the type.
func TypeName(v any) string {
	switch x := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case Markup:
		return "Markup"
	case *List:
		return "list"
	case *Tuple:
		if x.Group {
			return "_GroupTuple"
		}
		return "tuple"
	case *Dict:
		return "dict"
	case *Range:
		return "range"
	case *View:
		return "dict_" + x.Kind
	case *Iterator:
		name, _, _ := strings.Cut(x.Name, " ")
		return name
	case *Undefined:
		return "Undefined"
	case *Func:
		if x.Type != "" {
			return x.Type
		}
		return "builtin_function_or_method"
	case Object:
		return x.TypeName()
	}
	return "object"
}

// IsString tells strings, and gives their text.
func IsString(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case Markup:
		return string(x), true
	}
	return "", false
}

// Truth is bool(v).
func Truth(v any) (bool, error) {
	switch x := v.(type) {
	case nil, *Undefined:
		return false, nil
	case bool:
		return x, nil
	case int64:
		return x != 0, nil
	case float64:
		return x != 0, nil
	case string:
		return x != "", nil
	case Markup:
		return x != "", nil
	case *List:
		return len(x.Items) > 0, nil
	case *Tuple:
		return len(x.Items) > 0, nil
	case *Dict:
		return x.Len() > 0, nil
	case *Range:
		return x.Len > 0, nil
	case *View:
		return x.Dict.Len() > 0, nil
	case Sized:
		n, err := x.Length()
		return n > 0, err
	}
	return true, nil
}
