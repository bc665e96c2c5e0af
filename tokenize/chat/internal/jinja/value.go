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
func (r *renderer) text(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case *Undefined:
		return ""
	case *List, *Dict:
		var b strings.Builder
		r.repr(&b, v, 0)
		return b.String()
	}
	return scalar(v)
}

// repr writes Python's repr.
func (r *renderer) repr(b *strings.Builder, v any, depth int) {
	s, _ := v.(string)
	r.nested(depth, 1)
	r.room(b, len(s))
	between := func(i int) {
		if i > 0 {
			b.WriteString(", ")
		}
	}
	switch x := v.(type) {
	case *List:
		open, end := "[", "]"
		switch {
		case x.Tuple && len(x.Items) == 1:
			open, end = "(", ",)"
		case x.Tuple:
			open, end = "(", ")"
		}
		b.WriteString(open)
		for i, item := range x.Items {
			between(i)
			r.repr(b, item, depth+1)
		}
		b.WriteString(end)
	case *Dict:
		b.WriteByte('{')
		for i, k := range x.keys {
			between(i)
			r.repr(b, k, depth+1)
			b.WriteString(": ")
			r.repr(b, x.values[k], depth+1)
		}
		b.WriteByte('}')
	default:
		b.WriteString(scalar(v))
	}
}

// scalar is the repr of what holds no other values.
func scalar(v any) string {
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

func (r *renderer) equal(a, b any) bool { return r.same(a, b, 0) }

func (r *renderer) same(a, b any, depth int) bool {
	r.nested(depth, 1)
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
		if ok && len(x) == len(y) {
			r.charge(len(x) / 64)
		}
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
			if !r.same(x.Items[i], y.Items[i], depth+1) {
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
			if !ok || !r.same(x.values[k], v, depth+1) {
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
