package python

import (
	"strconv"
	"strings"
)

// Args are the arguments of a call.
type Args struct {
	M     *Meter
	Pos   []any
	Names []string // in order
	Named map[string]any
}

// Signature says which parameters a function has; Parse makes it of Python's own way to write one.
type Signature struct {
	Name     string
	params   []parameter
	plain    int // so many cannot be given by name
	variadic bool
	keywords bool
}

type parameter struct {
	name     string
	fallback any
	required bool
	named    bool // by name only
}

// Sig reads "name(a, b=1, /, c='x', *args, **kwargs)".
func Sig(s string) *Signature {
	name, list, _ := strings.Cut(strings.TrimSuffix(s, ")"), "(")
	sig := &Signature{Name: name}
	named := false
	for _, p := range strings.Split(strings.ReplaceAll(list, "', '", "'\x00'"), ", ") {
		p = strings.ReplaceAll(p, "\x00", ", ")
		before, value, hasDefault := strings.Cut(p, "=")
		switch {
		case p == "":
		case p == "/":
			sig.plain = len(sig.params)
		case p == "*":
			named = true
		case strings.HasPrefix(p, "**"):
			sig.keywords = true
		case strings.HasPrefix(p, "*"):
			sig.variadic, named = true, true
		default:
			sig.params = append(sig.params, parameter{before, literal(value), !hasDefault, named})
		}
	}
	return sig
}

func literal(s string) any {
	switch s {
	case "", "None":
		return nil
	case "True", "False":
		return s == "True"
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f
	}
	return strings.Trim(s, "'")
}

// Bind puts arguments in the places of parameters; what Python refuses is a TypeError.
func (sig *Signature) Bind(a *Args) ([]any, error) {
	out := make([]any, len(sig.params))
	given := make([]bool, len(sig.params))
	for i, v := range a.Pos {
		if i >= len(sig.params) || sig.params[i].named {
			if sig.variadic {
				break
			}
			return nil, typeError("%s() takes at most %d arguments (%d given)", sig.Name, len(sig.params), len(a.Pos))
		}
		out[i], given[i] = v, true
	}
	for _, name := range a.Names {
		i := sig.place(name)
		switch {
		case i < 0 && sig.keywords:
		case i < 0:
			return nil, typeError("%s() got an unexpected keyword argument '%s'", sig.Name, name)
		case given[i]:
			return nil, typeError("%s() got multiple values for argument '%s'", sig.Name, name)
		default:
			out[i], given[i] = a.Named[name], true
		}
	}
	for i, p := range sig.params {
		if given[i] {
			continue
		}
		if p.required {
			return nil, typeError("%s() missing required argument: '%s'", sig.Name, p.name)
		}
		out[i] = p.fallback
	}
	return out, nil
}

func (sig *Signature) place(name string) int {
	for i := sig.plain; i < len(sig.params); i++ {
		if sig.params[i].name == name {
			return i
		}
	}
	return -1
}

// Rest are the positional arguments beyond the parameters.
func (sig *Signature) Rest(a *Args) []any {
	n := 0
	for n < len(sig.params) && !sig.params[n].named {
		n++
	}
	return a.Pos[min(n, len(a.Pos)):]
}

// method makes a bound method of a function whose first argument is its object.
func method[T any](v T, name string, sig *Signature, f func(m *Meter, v T, a []any) (any, error)) *Func {
	return &Func{Name: name, Call: func(a *Args) (any, error) {
		args, err := sig.Bind(a)
		if err != nil {
			return nil, err
		}
		a.M.Charge(1)
		return f(a.M, v, args)
	}}
}
