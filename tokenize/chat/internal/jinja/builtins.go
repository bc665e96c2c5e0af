package jinja

import (
	"errors"
	"fmt"
)

// builtins are the globals that every template has.
var builtins = map[string]callable{
	"range":     rangeFunction,
	"dict":      func(c *call) (any, error) { return named(c) },
	"namespace": func(c *call) (any, error) { d, err := named(c); return &namespace{d}, err },
	"raise_exception": func(c *call) (any, error) {
		message := ""
		if len(c.args) > 0 {
			message = c.r.text(c.args[0])
		}
		return nil, &Raised{message}
	},
}

func rangeFunction(c *call) (any, error) {
	bounds := make([]int64, len(c.args))
	for i, a := range c.args {
		var ok bool
		if bounds[i], ok = integer(a); !ok {
			return nil, fmt.Errorf("'%s' object cannot be interpreted as an integer", typeName(a))
		}
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
		return nil, errors.New("range takes one to three arguments")
	}
	if step == 0 {
		return nil, errors.New("range() arg 3 must not be zero")
	}
	out := &List{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		if len(out.Items) >= maxRange {
			return nil, fmt.Errorf("range too big, the sandbox allows %d items", maxRange)
		}
		out.Items = append(out.Items, i)
		if step > 0 && i > to-step || step < 0 && i < to-step {
			break
		}
	}
	return out, nil
}

// named collects dict(a=1) and dict(mapping).
func named(c *call) (*Dict, error) {
	d := NewDict()
	for _, a := range c.args {
		from, ok := a.(*Dict)
		if !ok {
			return nil, errors.New("a mapping is wanted")
		}
		c.r.charge(len(from.keys))
		for _, k := range from.keys {
			d.Set(k, from.values[k])
		}
	}
	for _, name := range c.names {
		d.Set(name, c.named[name])
	}
	return d, nil
}
