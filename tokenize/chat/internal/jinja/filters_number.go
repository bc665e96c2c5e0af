package jinja

import (
	"errors"
	"math"

	"textmill/tokenize/chat/internal/python"
)

func addNumberFilters() {
	addFilter("abs(x, /)", func(_ *filterCall, a []any) (any, error) { return python.Abs(a[0]) })
	addFilter("int(value, default=0, base=10)", intFilter)
	addFilter("float(value, default=0.0)", func(c *filterCall, a []any) (any, error) {
		f, err := python.Float(c.m, a[0])
		if isClass(err, "TypeError", "ValueError") {
			return a[1], nil
		}
		return f, err
	})
	addFilter("round(value, precision=0, method='common')", roundFilter)
}

// isClass tells whether an error is an exception of one of the classes.
func isClass(err error, classes ...string) bool {
	var e *python.Error
	if !errors.As(err, &e) {
		return false
	}
	for _, c := range classes {
		if e.Class == c {
			return true
		}
	}
	return false
}

func intFilter(c *filterCall, a []any) (any, error) {
	var v any
	var err error
	if s, ok := python.IsString(a[0]); ok {
		var base int64
		if base, err = python.Index(a[2]); err == nil {
			v, err = python.ParseInt(c.m, s, base)
		}
	} else {
		v, err = python.Int(c.m, a[0])
	}
	if !isClass(err, "TypeError", "ValueError") {
		return v, err
	}
	f, err := python.Float(c.m, a[0])
	if err == nil {
		v, err = python.Int(c.m, f)
	}
	if isClass(err, "TypeError", "ValueError", "OverflowError") {
		return a[1], nil
	}
	return v, err
}

func roundFilter(c *filterCall, a []any) (any, error) {
	if _, err := python.Hash(c.m, a[2]); err != nil {
		return nil, err
	}
	method, _ := python.IsString(a[2])
	switch method {
	case "common":
		return python.Round(c.m, a[0], a[1])
	case "ceil", "floor":
	default:
		return nil, python.Errorf("FilterArgumentError", "method must be common, ceil or floor")
	}
	scale, err := python.Binary(c.m, "**", int64(10), a[1])
	if err != nil {
		return nil, err
	}
	scaled, err := python.Binary(c.m, "*", a[0], scale)
	if err != nil {
		return nil, err
	}
	whole := scaled
	if f, isFloat := scaled.(float64); isFloat {
		if method == "ceil" {
			f = math.Ceil(f)
		} else {
			f = math.Floor(f)
		}
		if whole, err = python.Int(c.m, f); err != nil {
			return nil, err
		}
	} else if !python.IsNumber(scaled) {
		return nil, python.Errorf("TypeError", "must be real number, not %s", python.TypeName(scaled))
	}
	return python.Binary(c.m, "/", whole, scale)
}
