package jinja

import (
	"errors"
	"fmt"
)

type testFunc func(v any, c *call) (bool, error)

func comparison(op string) testFunc {
	return func(v any, c *call) (bool, error) {
		if len(c.args) != 1 {
			return false, errors.New("the test takes one argument")
		}
		return c.r.compare(op, v, c.args[0])
	}
}

func kindOf[T any](v any, _ *call) (bool, error) {
	_, ok := v.(T)
	return ok, nil
}

func divisible(v any, by int64) (bool, error) {
	i, ok := integer(v)
	if !ok || by == 0 {
		return false, fmt.Errorf("'%s' cannot be divided by %d", typeName(v), by)
	}
	return i%by == 0, nil
}

var tests = map[string]testFunc{
	"defined":   func(v any, c *call) (bool, error) { u, _ := kindOf[*Undefined](v, c); return !u, nil },
	"undefined": kindOf[*Undefined],
	"none":      func(v any, _ *call) (bool, error) { return v == nil, nil },
	"string":    kindOf[string],
	"boolean":   kindOf[bool],
	"integer":   kindOf[int64],
	"float":     kindOf[float64],
	"number":    func(v any, _ *call) (bool, error) { _, ok := number(v); return ok, nil },
	"mapping":   kindOf[*Dict],
	"true":      func(v any, _ *call) (bool, error) { return v == true, nil },
	"false":     func(v any, _ *call) (bool, error) { return v == false, nil },
	"iterable":  func(v any, _ *call) (bool, error) { return iterable(v), nil },
	"sequence":  func(v any, _ *call) (bool, error) { _, err := length(v); return err == nil, nil },
	"callable": func(v any, _ *call) (bool, error) {
		switch v.(type) {
		case callable, *macro, *loop:
			return true, nil
		}
		return false, nil
	},
	"sameas": func(v any, c *call) (bool, error) {
		if len(c.args) != 1 {
			return false, errors.New("sameas takes one argument")
		}
		if _, ok := v.(callable); ok {
			return false, nil
		}
		return v == c.args[0], nil
	},
	"odd":         func(v any, _ *call) (bool, error) { even, err := divisible(v, 2); return !even, err },
	"even":        func(v any, _ *call) (bool, error) { return divisible(v, 2) },
	"divisibleby": func(v any, c *call) (bool, error) { n, _ := integer(c.arg(0, "num", nil)); return divisible(v, n) },
	"upper":       func(v any, c *call) (bool, error) { s := c.r.text(v); return s == upper(s) && s != lower(s), nil },
	"lower":       func(v any, c *call) (bool, error) { s := c.r.text(v); return s == lower(s) && s != upper(s), nil },
	"in":          comparison("in"),
	"==":          comparison("=="), "eq": comparison("=="), "equalto": comparison("=="),
	"!=": comparison("!="), "ne": comparison("!="),
	"<": comparison("<"), "lt": comparison("<"), "lessthan": comparison("<"),
	"<=": comparison("<="), "le": comparison("<="),
	">": comparison(">"), "gt": comparison(">"), "greaterthan": comparison(">"),
	">=": comparison(">="), "ge": comparison(">="),
}
