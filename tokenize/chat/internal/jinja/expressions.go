package jinja

import "fmt"

type expression interface {
	eval(r *renderer, s *scope) (any, error)
}

type (
	constant       struct{ value any }
	capturedText   struct{}
	nameExpression struct {
		name string
		line int
	}
	listExpression struct {
		items []expression
		tuple bool
	}
	dictExpression struct {
		keys, values []expression
		line         int
	}
	conditionalExpression struct{ then, condition, otherwise expression }
	logicExpression       struct {
		left, right expression
		or          bool
	}
	notExpression     struct{ of expression }
	compareExpression struct {
		first     expression
		operators []string
		operands  []expression
		line      int
	}
	attributeExpression struct {
		of   expression
		name string
		line int
	}
	itemExpression struct {
		of, key expression
		line    int
	}
	sliceExpression struct {
		of    expression
		parts [3]expression
		line  int
	}
	arguments struct {
		positional []expression
		names      []string
		named      []expression
	}
	callExpression struct {
		of        expression
		arguments arguments
		line      int
	}
	filterExpression struct {
		of        expression
		name      string
		arguments arguments
		line      int
	}
	testExpression struct {
		of        expression
		name      string
		arguments arguments
		negated   bool
		line      int
	}
)

func (c *constant) eval(*renderer, *scope) (any, error)           { return c.value, nil }
func (c *capturedText) eval(r *renderer, _ *scope) (any, error)   { return r.captured, nil }
func (n *nameExpression) eval(r *renderer, s *scope) (any, error) { return s.lookup(n.name), nil }

func evalAll(r *renderer, s *scope, list []expression) ([]any, error) {
	values := make([]any, len(list))
	for i, e := range list {
		v, err := e.eval(r, s)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}

func (l *listExpression) eval(r *renderer, s *scope) (any, error) {
	items, err := evalAll(r, s, l.items)
	return &List{items, l.tuple}, err
}

func (d *dictExpression) eval(r *renderer, s *scope) (any, error) {
	out := NewDict()
	for i := range d.keys {
		k, err := d.keys[i].eval(r, s)
		if err != nil {
			return nil, err
		}
		v, err := d.values[i].eval(r, s)
		if err != nil {
			return nil, err
		}
		hashed, ok := key(k)
		if !ok {
			return nil, at(d.line, fmt.Errorf("a %s as the key of a mapping is not supported", typeName(k)))
		}
		out.Set(hashed, v)
	}
	return out, nil
}

func (c *conditionalExpression) eval(r *renderer, s *scope) (any, error) {
	v, err := c.condition.eval(r, s)
	switch {
	case err != nil:
		return nil, err
	case truth(v):
		return c.then.eval(r, s)
	case c.otherwise == nil:
		return &Undefined{"the inline if-expression evaluated to false and no else section was defined; it"}, nil
	}
	return c.otherwise.eval(r, s)
}

func (l *logicExpression) eval(r *renderer, s *scope) (any, error) {
	v, err := l.left.eval(r, s)
	if err != nil || truth(v) == l.or {
		return v, err
	}
	return l.right.eval(r, s)
}

func (n *notExpression) eval(r *renderer, s *scope) (any, error) {
	v, err := n.of.eval(r, s)
	return !truth(v), err
}

func (c *compareExpression) eval(r *renderer, s *scope) (any, error) {
	left, err := c.first.eval(r, s)
	if err != nil {
		return nil, err
	}
	for i, op := range c.operators {
		right, err := c.operands[i].eval(r, s)
		if err != nil {
			return nil, err
		}
		holds, err := r.compare(op, left, right)
		if err != nil {
			return nil, at(c.line, err)
		}
		if !holds {
			return false, nil
		}
		left = right
	}
	return true, nil
}

func (a *attributeExpression) eval(r *renderer, s *scope) (any, error) {
	of, err := a.of.eval(r, s)
	if err != nil {
		return nil, err
	}
	v, err := attribute(of, a.name)
	return v, at(a.line, err)
}

func (i *itemExpression) eval(r *renderer, s *scope) (any, error) {
	of, err := i.of.eval(r, s)
	if err != nil {
		return nil, err
	}
	k, err := i.key.eval(r, s)
	if err != nil {
		return nil, err
	}
	if s, ok := of.(string); ok {
		r.charge(size(s))
	}
	v, err := item(of, k)
	return v, at(i.line, err)
}

func (e *sliceExpression) eval(r *renderer, s *scope) (any, error) {
	of, err := e.of.eval(r, s)
	if err != nil {
		return nil, err
	}
	var bounds [3]any
	for i, p := range e.parts {
		if p == nil {
			continue
		}
		if bounds[i], err = p.eval(r, s); err != nil {
			return nil, err
		}
	}
	v, err := r.handled(r.slice(of, bounds))
	return v, at(e.line, err)
}

func (a *arguments) eval(r *renderer, s *scope) (*call, error) {
	args, err := evalAll(r, s, a.positional)
	if err != nil {
		return nil, err
	}
	values, err := evalAll(r, s, a.named)
	if err != nil {
		return nil, err
	}
	c := &call{r: r, args: args, names: a.names}
	if len(values) > 0 {
		c.named = map[string]any{}
		for i, name := range a.names {
			c.named[name] = values[i]
		}
	}
	return c, nil
}

func (c *callExpression) eval(r *renderer, s *scope) (any, error) { return c.evalWith(r, s, nil) }

func (c *callExpression) evalWith(r *renderer, s *scope, caller *macro) (any, error) {
	of, err := c.of.eval(r, s)
	if err != nil {
		return nil, err
	}
	a, err := c.arguments.eval(r, s)
	if err != nil {
		return nil, err
	}
	if caller != nil {
		a.caller = caller
	}
	if err := r.step(); err != nil {
		return nil, err
	}
	v, err := r.handled(invoke(of, a))
	return v, at(c.line, err)
}

func invoke(of any, c *call) (any, error) {
	switch f := of.(type) {
	case callable:
		return f(c)
	case *macro:
		return f.call(c)
	case *loop:
		return f.call(c)
	case *Undefined:
		return nil, fmt.Errorf("%s is undefined", f.what)
	}
	return nil, fmt.Errorf("'%s' object is not callable", typeName(of))
}

func (f *filterExpression) eval(r *renderer, s *scope) (any, error) {
	of, err := f.of.eval(r, s)
	if err != nil {
		return nil, err
	}
	a, err := f.arguments.eval(r, s)
	if err != nil {
		return nil, err
	}
	if _, err := r.handled(of, nil); err != nil {
		return nil, at(f.line, err)
	}
	v, err := r.handled(filters[f.name](of, a))
	return v, at(f.line, err)
}

func (t *testExpression) eval(r *renderer, s *scope) (any, error) {
	of, err := t.of.eval(r, s)
	if err != nil {
		return nil, err
	}
	a, err := t.arguments.eval(r, s)
	if err != nil {
		return nil, err
	}
	holds, err := tests[t.name](of, a)
	return holds != t.negated, at(t.line, err)
}
