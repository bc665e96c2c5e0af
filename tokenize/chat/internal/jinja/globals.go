package jinja

import (
	"strings"

	"textmill/tokenize/chat/internal/python"
)

// globals are the names that every template has.
var globals map[string]func(r *run) any

func init() {
	function := func(signature string, call func(r *run, a *python.Args, bound []any) (any, error)) {
		sig := python.Sig(signature)
		globals[sig.Name] = func(r *run) any {
			if r.globals == nil {
				r.globals = map[string]any{}
			}
			if f, ok := r.globals[sig.Name]; ok {
				return f // the same function each time
			}
			f := &python.Func{Name: sig.Name, Type: "function", Call: func(a *python.Args) (any, error) {
				bound, err := sig.Bind(a)
				if err != nil {
					return nil, err
				}
				return call(r, a, bound)
			}}
			r.globals[sig.Name] = f
			return f
		}
	}
	globals = map[string]func(r *run) any{"dict": func(*run) any { return dictType{} }}
	function("range(*args)", func(_ *run, a *python.Args, _ []any) (any, error) { return safeRange(a.Pos) })
	function("namespace(*args, **kwargs)", func(r *run, a *python.Args, _ []any) (any, error) { return newNamespace(a) })
	function("cycler(*items)", func(_ *run, a *python.Args, _ []any) (any, error) {
		if len(a.Pos) == 0 {
			return nil, python.Errorf("RuntimeError", "at least one item has to be provided")
		}
		return &cycler{items: a.Pos}, nil
	})
	function("joiner(sep=', ')", func(_ *run, _ *python.Args, bound []any) (any, error) {
		return &joiner{sep: bound[0]},
			nil
	})
	function("lipsum(n=5, html=True, min=20, max=100)", func(*run, *python.Args, []any) (any, error) {
		return nil, python.Errorf("UnsupportedError",
			"lipsum makes random text: the same conversation must give the same prompt")
	})
	function("raise_exception(message)", func(r *run, _ *python.Args, bound []any) (any, error) {
		message, err := python.Str(r.m, bound[0])
		if err != nil {
			return nil, err
		}
		return nil, python.Errorf("TemplateError", "%s", message)
	})
	function("strftime_now(format)", func(r *run, _ *python.Args, bound []any) (any, error) {
		format, ok := python.IsString(bound[0])
		if !ok {
			return nil, python.Errorf("TypeError", "strftime() argument 1 must be str, not %s", python.TypeName(bound[0]))
		}
		r.m.Bytes(len(format) * 16)
		return strftime(r.m, r.now, format), nil
	})
}

// safeRange is range, which the sandbox keeps short.
func safeRange(args []any) (any, error) {
	bounds := make([]int64, len(args))
	for i, a := range args {
		n, err := python.Index(a)
		if err != nil {
			return nil, err
		}
		if n > 1<<60 || n < -1<<60 {
			return nil, python.Errorf("OverflowError", "range is too far out")
		}
		bounds[i] = n
	}
	from, to, step := int64(0), int64(0), int64(1)
	switch len(bounds) {
	case 1:
		to = bounds[0]
	case 2:
		from, to = bounds[0], bounds[1]
	case 3:
		from, to, step = bounds[0], bounds[1], bounds[2]
	default:
		return nil, python.Errorf("TypeError", "range expected 1 to 3 arguments, got %d", len(bounds))
	}
	if step == 0 {
		return nil, python.Errorf("ValueError", "range() arg 3 must not be zero")
	}
	out := python.NewRange(from, to, step)
	if out.Len > python.MaxRange {
		return nil, python.Errorf("OverflowError", "Range too big. The sandbox blocks ranges larger than MAX_RANGE (%d).",
			python.MaxRange)
	}
	return out, nil
}

// dictType is dict, as transformers gives it to templates.
type dictType struct{}

func (dictType) TypeName() string          { return "TemplateDict" }
func (dictType) Repr(*python.Meter) string { return "<TemplateDict object>" }

func (dictType) Call(a *python.Args) (any, error) { return python.MakeDict(a) }

func (dictType) Attr(name string) (any, bool, error) {
	if name != "fromkeys" {
		return nil, false, nil
	}
	return &python.Func{Name: name, Call: func(a *python.Args) (any, error) {
		bound, err := python.Sig("fromkeys(iterable, value=None, /)").Bind(a)
		if err != nil {
			return nil, err
		}
		return python.FromKeys(a.M, bound)
	}}, true, nil
}

// namespace holds what a loop may set for the outside.
type namespace struct{ attrs *python.Dict }

func newNamespace(a *python.Args) (*namespace, error) {
	attrs, err := python.MakeDict(a)
	if err != nil {
		return nil, err
	}
	for _, k := range attrs.Keys() {
		if err := checkName(k); err != nil {
			return nil, err
		}
	}
	return &namespace{attrs}, nil
}

func checkName(key any) error {
	if name, ok := python.IsString(key); ok && strings.HasPrefix(name, "_") {
		return python.Errorf("SecurityError", "Chat templates cannot store underscore-prefixed attributes on a namespace, but got %s. Please rename the attribute.",
			python.Quote(short(name)))
	}
	return nil
}

func (n *namespace) set(r *run, name string, v any) error {
	if err := checkName(name); err != nil {
		return err
	}
	return n.attrs.Set(r.m, name, v)
}

func (n *namespace) TypeName() string { return "TemplateNamespace" }

func (n *namespace) Repr(m *python.Meter) string {
	s, err := python.Repr(m, n.attrs)
	if err != nil {
		return "<Namespace>"
	}
	return "<Namespace " + s + ">"
}

func (n *namespace) Attr(name string) (any, bool, error) {
	v, ok := n.attrs.GetString(name)
	return v, ok, nil
}

// cycler gives its items in turn.
type cycler struct {
	items []any
	at    int
}

func (c *cycler) TypeName() string          { return "Cycler" }
func (c *cycler) Repr(*python.Meter) string { return "<jinja2.utils.Cycler object at 0x7f0000000000>" }

func (c *cycler) Attr(name string) (any, bool, error) {
	noArguments := func(f func() any) (any, bool, error) {
		return &python.Func{Name: name, Call: func(a *python.Args) (any, error) {
			if _, err := python.Sig(name + "()").Bind(a); err != nil {
				return nil, err
			}
			return f(), nil
		}}, true, nil
	}
	switch name {
	case "current":
		return c.items[c.at], true, nil
	case "items":
		return &python.Tuple{Items: c.items}, true, nil
	case "pos":
		return int64(c.at), true, nil
	case "reset":
		return noArguments(func() any { c.at = 0; return nil })
	case "next":
		return noArguments(func() any {
			v := c.items[c.at]
			c.at = (c.at + 1) % len(c.items)
			return v
		})
	}
	return nil, false, nil
}

// joiner gives nothing when it is first called, and its separator after that.
type joiner struct {
	sep  any
	used bool
}

func (j *joiner) TypeName() string          { return "Joiner" }
func (j *joiner) Repr(*python.Meter) string { return "<jinja2.utils.Joiner object at 0x7f0000000000>" }

func (j *joiner) Attr(name string) (any, bool, error) {
	switch name {
	case "sep":
		return j.sep, true, nil
	case "used":
		return j.used, true, nil
	}
	return nil, false, nil
}

func (j *joiner) Call(a *python.Args) (any, error) {
	if _, err := python.Sig("joiner()").Bind(a); err != nil {
		return nil, err
	}
	if !j.used {
		j.used = true
		return "", nil
	}
	return j.sep, nil
}

// templateReference is self: its items are the blocks.
type templateReference struct {
	r       *run
	context *context
}

func (t *templateReference) TypeName() string                    { return "TemplateReference" }
func (t *templateReference) Repr(*python.Meter) string           { return "<TemplateReference None>" }
func (t *templateReference) Attr(name string) (any, bool, error) { return nil, false, nil }
func (t *templateReference) Item(key any) (v any, ok bool, err error) {
	name, _ := python.IsString(key)
	b, ok := t.r.blocks[name]
	if !ok {
		return nil, false, nil
	}
	return &blockReference{b, t}, true, nil
}

// blockReference prints a block when it is called.
type blockReference struct {
	*block
	of *templateReference
}

func (b *blockReference) TypeName() string          { return "BlockReference" }
func (b *blockReference) Repr(*python.Meter) string { return "<BlockReference>" }

func (b *blockReference) Attr(name string) (any, bool, error) {
	switch name {
	case "name":
		return b.name, true, nil
	case "super":
		return &python.Undefined{Message: "there is no parent block called " + python.Quote(b.name) + "."}, true, nil
	}
	return nil, false, nil
}

func (b *blockReference) Call(a *python.Args) (any, error) {
	if _, err := python.Sig("block()").Bind(a); err != nil {
		return nil, err
	}
	r := b.of.r
	s, err := r.deeper(func() (string, error) {
		return r.capture(func() error { return b.render(r, b.of.context) })
	})
	if r.autoescape && err == nil {
		return python.Markup(s), nil
	}
	return s, err
}
