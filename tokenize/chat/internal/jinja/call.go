package jinja

import (
	"fmt"

	"textmill/tokenize/chat/internal/python"
	"textmill/tokenize/chat/internal/syntax"
)

// arguments compiles (a, b=c, *d, **e).
func (c *compiler) arguments(a *syntax.Args, s scope) (func(r *run, f *frame) (*python.Args, error), error) {
	pos, err := c.exprs(a.Pos, s)
	if err != nil {
		return nil, err
	}
	named, err := c.exprs(a.Named, s)
	if err != nil {
		return nil, err
	}
	var star, starStar eval
	if a.Star != nil {
		if star, err = c.expr(a.Star, s); err != nil {
			return nil, err
		}
	}
	if a.StarStar != nil {
		if starStar, err = c.expr(a.StarStar, s); err != nil {
			return nil, err
		}
	}
	return func(r *run, f *frame) (*python.Args, error) {
		values, err := r.all(pos, f)
		if err != nil {
			return nil, err
		}
		out := &python.Args{M: r.m, Pos: values}
		if star != nil {
			if err := r.spread(out, star, f); err != nil {
				return nil, err
			}
		}
		for i, e := range named {
			v, err := e(r, f)
			if err != nil {
				return nil, err
			}
			out.Names = append(out.Names, a.Names[i])
			if out.Named == nil {
				out.Named = map[string]any{}
			}
			out.Named[a.Names[i]] = v
		}
		if starStar != nil {
			return out, r.spreadNamed(out, starStar, f)
		}
		return out, nil
	}, nil
}

// spread adds what *args holds.
func (r *run) spread(out *python.Args, star eval, f *frame) error {
	v, err := star(r, f)
	if err != nil {
		return err
	}
	items, err := python.Items(r.m, v)
	if err != nil {
		return err
	}
	r.m.Charge(len(items))
	out.Pos = append(out.Pos, items...)
	return nil
}

// spreadNamed adds what **kwargs holds.
func (r *run) spreadNamed(out *python.Args, starStar eval, f *frame) error {
	v, err := starStar(r, f)
	if err != nil {
		return err
	}
	d, ok := v.(*python.Dict)
	if !ok {
		if u, is := v.(*python.Undefined); is {
			return u.Err()
		}
		return python.Errorf("TypeError", "argument after ** must be a mapping, not %s", python.TypeName(v))
	}
	r.m.Charge(d.Len())
	for i := range d.Len() {
		k, v := d.At(i)
		name, ok := python.IsString(k)
		if !ok {
			return python.Errorf("TypeError", "keywords must be strings")
		}
		if _, twice := out.Named[name]; twice {
			return python.Errorf("TypeError", "got multiple values for keyword argument '%s'", name)
		}
		if out.Named == nil {
			out.Named = map[string]any{}
		}
		out.Names = append(out.Names, name)
		out.Named[name] = v
	}
	return nil
}

// call compiles a call; caller, if any, is the macro that a call block makes of its body.
func (c *compiler) call(n *syntax.Call, s scope, caller func(r *run, f *frame) any) (eval, error) {
	of, err := c.expr(n.Of, s)
	if err != nil {
		return nil, err
	}
	arguments, err := c.arguments(&n.Args, s)
	if err != nil {
		return nil, err
	}
	return func(r *run, f *frame) (any, error) {
		if r.folding {
			return nil, errImpossible
		}
		callee, err := of(r, f)
		if err != nil {
			return nil, err
		}
		a, err := arguments(r, f)
		if err != nil {
			return nil, at(n.Line, err)
		}
		if caller != nil {
			if _, twice := a.Named["caller"]; twice {
				return nil, at(n.Line, python.Errorf("TypeError", "got multiple values for keyword argument 'caller'"))
			}
			if a.Named == nil {
				a.Named = map[string]any{}
			}
			a.Names = append(a.Names, "caller")
			a.Named["caller"] = caller(r, f)
		}
		v, err := r.invoke(callee, a)
		return v, at(n.Line, err)
	}, nil
}

// invoke calls a value.
func (r *run) invoke(callee any, a *python.Args) (any, error) {
	r.m.Charge(1)
	switch f := callee.(type) {
	case *python.Func:
		return f.Call(a)
	case python.Caller:
		return f.Call(a)
	case *python.Undefined:
		return nil, f.Err()
	}
	return nil, python.Errorf("TypeError", "'%s' object is not callable", python.TypeName(callee))
}

// filterCall is what a filter gets beside its arguments.
type filterCall struct {
	*run
	args *python.Args
	sig  *python.Signature
}

// filter is a filter or a test: what it is given comes first among its arguments.
type filter struct {
	sig     *python.Signature
	call    func(c *filterCall, a []any) (any, error)
	context bool // wants the context, so that no constant is made of it
}

func (f *filter) apply(r *run, of any, a *python.Args) (any, error) {
	r.m.Charge(1)
	args := &python.Args{M: r.m, Pos: append([]any{of}, a.Pos...), Names: a.Names, Named: a.Named}
	bound, err := f.sig.Bind(args)
	if err != nil {
		return nil, err
	}
	return f.call(&filterCall{r, args, f.sig}, bound)
}

// filter compiles a filter; what a block holds stands in its captured text.
func (c *compiler) filter(n *syntax.Filter, s scope) (eval, error) {
	if n.Of == nil {
		return nil, c.fail(n.Line, "UnsupportedError", "a filter of nothing")
	}
	of, err := c.expr(n.Of, s)
	if err != nil {
		return nil, err
	}
	return c.filterOf(n, of, s)
}

func (c *compiler) filterOf(n *syntax.Filter, of eval, s scope) (eval, error) {
	arguments, err := c.arguments(&n.Args, s)
	if err != nil {
		return nil, err
	}
	return applied("filter", n.Name, filters[n.Name], of, arguments, n.Line), nil
}

// filterChain compiles the filters of a block, whose text of yields.
func (c *compiler) filterChain(n *syntax.Filter, of eval, s scope) (eval, error) {
	if n.Of != nil {
		var err error
		if of, err = c.filterChain(n.Of.(*syntax.Filter), of, s); err != nil { // the parser chains filters only
			return nil, err
		}
	}
	return c.filterOf(n, of, s)
}

func (c *compiler) test(n *syntax.Test, s scope) (eval, error) {
	of, err := c.expr(n.Of, s)
	if err != nil {
		return nil, err
	}
	arguments, err := c.arguments(&n.Args, s)
	if err != nil {
		return nil, err
	}
	return applied("test", n.Name, tests[n.Name], of, arguments, n.Line), nil
}

func applied(kind, name string, known *filter, of eval, arguments func(*run, *frame) (*python.Args, error),
	line int) eval {
	return func(r *run, f *frame) (any, error) {
		if r.folding && (known == nil || known.context) {
			return nil, errImpossible
		}
		v, err := of(r, f)
		if err != nil {
			return nil, err
		}
		a, err := arguments(r, f)
		if err != nil {
			return nil, at(line, err)
		}
		if known == nil {
			return nil, at(line, unknownName(kind, name))
		}
		v, err = known.apply(r, v, a)
		return v, at(line, err)
	}
}

// named finds a filter or a test at run time.
func named(kind string, in map[string]*filter, name any) (*filter, error) {
	s, ok := python.IsString(name)
	if f := in[s]; ok && f != nil {
		return f, nil
	}
	switch x := name.(type) {
	case *python.Undefined:
		return nil, python.Errorf("TemplateRuntimeError",
			"No %s named Undefined. (%s; did you forget to quote the callable name?)", kind, x.Message)
	case *python.List, *python.Dict:
		return nil, python.Errorf("TypeError", "unhashable type: '%s'", python.TypeName(name))
	}
	return nil, unknownName(kind, fmt.Sprint(s))
}
