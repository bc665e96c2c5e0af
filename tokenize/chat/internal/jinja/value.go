package jinja

import (
	"strconv"
	"strings"
)

// Values are nil, bool, int64, float64, string, *List, *Dict, *Undefined, and what only templates make: *namespace,
// *macro, *loop and callable.

// List is a list or a tuple.
type List struct {
	Items []any
	Tuple bool
}

// Dict is a mapping that keeps the order in which keys came.
type Dict struct {
	keys   []any
	values map[any]any
}

// NewDict returns an empty mapping.
func NewDict() *Dict { return &Dict{values: map[any]any{}} }

// Set puts a value, at the end if the key is new.
func (d *Dict) Set(key, value any) {
	if _, ok := d.values[key]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[key] = value
}

// Get returns the value of a key.
func (d *Dict) Get(key any) (any, bool) {
	v, ok := d.values[key]
	return v, ok
}

// Keys returns the keys in order; the caller must not change it.
func (d *Dict) Keys() []any { return d.keys }

// Undefined is the value of a name or an attribute that is not there.
type Undefined struct{ what string }

type namespace struct{ attributes *Dict }

// callable is a function or a method of a value.
type callable func(c *call) (any, error)

// call holds the arguments of a call.
type call struct {
	r      *renderer
	args   []any
	names  []string
	named  map[string]any
	caller any
}

// key makes a value usable as a key of a mapping: 1, 1.0 and true are one key.
func key(v any) (any, bool) {
	switch x := v.(type) {
	case nil, string, int64:
		return x, true
	case bool:
		if x {
			return int64(1), true
		}
		return int64(0), true
	case float64:
		if float64(int64(x)) == x {
			return int64(x), true
		}
		return x, true
	}
	return nil, false
}

func truth(v any) bool {
	switch x := v.(type) {
	case nil, *Undefined:
		return false
	case bool:
		return x
	case int64:
		return x != 0
	case float64:
		return x != 0
	case string:
		return x != ""
	case *List:
		return len(x.Items) > 0
	case *Dict:
		return len(x.keys) > 0
	}
	return true
}

// text is Python's str.
func text(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case *Undefined:
		return ""
	}
	return repr(v)
}

// repr is Python's repr.
func repr(v any) string {
	switch x := v.(type) {
	case nil:
		return "None"
	case bool:
		if x {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return formatFloat(x)
	case string:
		return quote(x)
	case *Undefined:
		return "Undefined"
	case *List:
		parts := make([]string, len(x.Items))
		for i, item := range x.Items {
			parts[i] = repr(item)
		}
		inner := strings.Join(parts, ", ")
		switch {
		case x.Tuple && len(parts) == 1:
			return "(" + inner + ",)"
		case x.Tuple:
			return "(" + inner + ")"
		}
		return "[" + inner + "]"
	case *Dict:
		parts := make([]string, len(x.keys))
		for i, k := range x.keys {
			parts[i] = repr(k) + ": " + repr(x.values[k])
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return "<object>"
}

func number(v any) (f float64, isNumber bool) {
	switch x := v.(type) {
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case int64:
		return float64(x), true
	case float64:
		return x, true
	}
	return 0, false
}

func integer(v any) (int64, bool) {
	switch x := v.(type) {
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case int64:
		return x, true
	}
	return 0, false
}

func equal(a, b any) bool {
	if x, ok := integer(a); ok {
		if y, ok := integer(b); ok {
			return x == y
		}
	}
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y
	}
	switch x := a.(type) {
	case nil:
		return b == nil
	case string:
		y, ok := b.(string)
		return ok && x == y
	case *Undefined:
		_, ok := b.(*Undefined)
		return ok
	case *List:
		y, ok := b.(*List)
		if !ok || len(x.Items) != len(y.Items) || x.Tuple != y.Tuple {
			return false
		}
		for i := range x.Items {
			if !equal(x.Items[i], y.Items[i]) {
				return false
			}
		}
		return true
	case *Dict:
		y, ok := b.(*Dict)
		if !ok || len(x.keys) != len(y.keys) {
			return false
		}
		for _, k := range x.keys {
			v, ok := y.values[k]
			if !ok || !equal(x.values[k], v) {
				return false
			}
		}
		return true
	case callable:
		return false
	}
	return a == b
}

// typeName is Python's name for the type, for messages.
func typeName(v any) string {
	switch x := v.(type) {
	case nil:
		return "NoneType"
	case bool:
		return "bool"
	case int64:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case *Undefined:
		return "Undefined"
	case *List:
		if x.Tuple {
			return "tuple"
		}
		return "list"
	case *Dict:
		return "dict"
	case *namespace:
		return "Namespace"
	}
	return "function"
}
