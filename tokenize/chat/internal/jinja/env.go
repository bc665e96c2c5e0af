package jinja

import (
	"fmt"
	"strings"

	"textmill/tokenize/chat/internal/python"
)

// getAttr is v.name: the attribute, else the item.
func (r *run) getAttr(v any, name string) (any, error) {
	if u, ok := v.(*python.Undefined); ok && !dunder(v, name) {
		return nil, u.Err()
	}
	value, ok, err := r.attribute(v, name)
	if err != nil || ok {
		return value, err
	}
	value, ok, err = python.Item(r.m, v, name)
	if err != nil || ok {
		return value, err
	}
	return notThere(v, name), nil
}

// getItem is v[key]: the item, else the attribute.
func (r *run) getItem(v, key any) (any, error) {
	value, ok, err := python.Item(r.m, v, key)
	if err != nil || ok {
		return value, err
	}
	if name, isString := python.IsString(key); isString {
		value, ok, err = r.attribute(v, name)
		if err != nil || ok {
			return value, err
		}
	}
	return notThere(v, key), nil
}

// attribute is getattr(v, name) as the sandbox lets templates have it.
func (r *run) attribute(v any, name string) (any, bool, error) {
	if _, isString := python.IsString(v); isString && (name == "format" || name == "format_map") {
		return r.formatMethod(v, name), true, nil
	}
	if python.Mutates(v, name) || strings.HasPrefix(name, "_") && dunder(v, name) {
		return &python.Undefined{Class: "SecurityError",
			Message: fmt.Sprintf("access to attribute %s of %s object is unsafe.",
				python.Quote(short(name)), python.Quote(python.TypeName(v)))}, true, nil
	}
	if strings.HasPrefix(name, "_") {
		return nil, false, nil
	}
	return python.Attr(r.m, v, name)
}

const everyDunder = " __class__ __doc__ __init__ __new__ __dir__ __eq__ __format__ __ge__ __getattribute__ __gt__ __hash__ __le__ __lt__ __ne__" +
	" __reduce__ __reduce_ex__ __repr__ __setattr__ __delattr__ __sizeof__ __str__ __subclasshook__ __init_subclass__ __getstate__ "

const sequenceDunder = " __len__ __contains__ __getitem__ __iter__ __add__ __mul__ __rmul__ __mod__ __getnewargs__ "

// dunder tells attributes that every object has, or every sequence.
func dunder(v any, name string) bool {
	if strings.Contains(everyDunder, " "+name+" ") {
		return true
	}
	switch v.(type) {
	case string, python.Markup, *python.List, *python.Dict, *python.Tuple:
		return strings.Contains(sequenceDunder, " "+name+" ")
	}
	return false
}

func short(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}

// notThere is the undefined value of an attribute or an item.
func notThere(v, key any) *python.Undefined {
	of := python.TypeName(v) + " object"
	if v == nil {
		of = "None"
	}
	if name, ok := python.IsString(key); ok {
		return &python.Undefined{Message: fmt.Sprintf("'%s' has no attribute %s", of, python.Quote(short(name)))}
	}
	shown := python.TypeName(key)
	if i, ok := python.Small(key); ok {
		shown = fmt.Sprint(i)
	}
	return &python.Undefined{Message: fmt.Sprintf("%s has no element %s", of, shown)}
}

// formatMethod is str.format in the sandbox.
func (r *run) formatMethod(s any, name string) *python.Func {
	in := python.Lookup{Attr: r.getAttr, Item: r.getItem}
	return &python.Func{Name: name, Call: func(a *python.Args) (any, error) {
		if name == "format" {
			return python.FormatString(r.m, in, s, a.Pos, func(key string) (any, bool, error) {
				v, ok := a.Named[key]
				return v, ok, nil
			})
		}
		if len(a.Names) > 0 || len(a.Pos) != 1 {
			return nil, python.Errorf("TypeError", "format_map() takes exactly one argument (%d given)", len(a.Pos))
		}
		return python.FormatString(r.m, in, s, nil, func(key string) (any, bool, error) {
			switch from := a.Pos[0].(type) {
			case *python.Dict:
				v, ok := from.GetString(key)
				return v, ok, nil
			case *python.Undefined:
				return nil, false, from.Err()
			}
			return nil, false, python.Errorf("TypeError", "'%s' object is not a mapping", python.TypeName(a.Pos[0]))
		})
	}}
}
