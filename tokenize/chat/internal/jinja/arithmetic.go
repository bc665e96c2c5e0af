package jinja

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

type (
	binaryExpression struct {
		operator    string
		left, right expression
		line        int
	}
	signExpression struct {
		of    expression
		minus bool
		line  int
	}
)

var errTooLarge = errors.New("integer too large")

func (b *binaryExpression) eval(r *renderer, s *scope) (any, error) {
	left, err := b.left.eval(r, s)
	if err != nil {
		return nil, err
	}
	right, err := b.right.eval(r, s)
	if err != nil {
		return nil, err
	}
	v, err := r.handled(r.calculate(b.operator, left, right))
	return v, at(b.line, err)
}

func (e *signExpression) eval(r *renderer, s *scope) (any, error) {
	v, err := e.of.eval(r, s)
	if err != nil {
		return nil, err
	}
	if f, ok := v.(float64); ok {
		if e.minus {
			f = -f
		}
		return f, nil
	}
	i, ok := integer(v)
	if !ok {
		return nil, at(e.line, fmt.Errorf("bad operand type for unary sign: '%s'", typeName(v)))
	}
	if e.minus {
		i = -i
	}
	return i, nil
}

func (r *renderer) calculate(op string, a, b any) (any, error) {
	if op == "~" {
		return limited(r.text(a) + r.text(b))
	}
	for _, v := range []any{a, b} {
		if u, ok := v.(*Undefined); ok {
			return nil, fmt.Errorf("%s is undefined", u.what)
		}
	}
	x, xok := integer(a)
	y, yok := integer(b)
	if xok && yok {
		return integers(op, x, y)
	}
	f, fok := number(a)
	g, gok := number(b)
	if fok && gok {
		return floats(op, f, g)
	}
	switch op {
	case "+":
		if s, ok := a.(string); ok {
			if t, ok := b.(string); ok {
				return limited(s + t)
			}
		}
		if l, ok := a.(*List); ok {
			if m, ok := b.(*List); ok && l.Tuple == m.Tuple {
				if len(l.Items)+len(m.Items) > maxSteps {
					return nil, errors.New("list too large")
				}
				return &List{append(append([]any{}, l.Items...), m.Items...), l.Tuple}, nil
			}
		}
	case "*":
		if xok {
			return repeated(b, x, a)
		}
		if yok {
			return repeated(a, y, b)
		}
	case "%":
		if _, ok := a.(string); ok {
			return nil, errors.New("formatting with % is not supported")
		}
	}
	return nil, fmt.Errorf("unsupported operand type(s) for %s: '%s' and '%s'", op, typeName(a), typeName(b))
}

func limited(s string) (any, error) {
	if len(s) > maxOutput {
		return nil, errors.New("string too large")
	}
	return s, nil
}

func repeated(v any, n int64, times any) (any, error) {
	n = max(n, 0)
	switch x := v.(type) {
	case string:
		if n*int64(len(x)) > maxOutput || n > maxOutput {
			return nil, errors.New("string too large")
		}
		return strings.Repeat(x, int(n)), nil
	case *List:
		if n*int64(len(x.Items)) > maxRange || n > maxRange {
			return nil, errors.New("list too large")
		}
		out := &List{Tuple: x.Tuple}
		for range n {
			out.Items = append(out.Items, x.Items...)
		}
		return out, nil
	}
	return nil, fmt.Errorf("unsupported operand type(s) for *: '%s' and '%s'", typeName(v), typeName(times))
}

func integers(op string, x, y int64) (any, error) {
	switch op {
	case "+":
		sum := x + y
		if (sum > x) != (y > 0) && y != 0 {
			return nil, errTooLarge
		}
		return sum, nil
	case "-":
		difference := x - y
		if (difference < x) != (y > 0) && y != 0 {
			return nil, errTooLarge
		}
		return difference, nil
	case "*":
		product := x * y
		if x != 0 && (product/x != y || x == -1 && y == math.MinInt64) {
			return nil, errTooLarge
		}
		return product, nil
	case "**":
		return integerPower(x, y)
	}
	if y == 0 {
		return nil, errors.New("division by zero")
	}
	switch op {
	case "/":
		return float64(x) / float64(y), nil
	case "//":
		q := x / y
		if x%y != 0 && (x < 0) != (y < 0) {
			q--
		}
		return q, nil
	}
	m := x % y
	if m != 0 && (m < 0) != (y < 0) {
		m += y
	}
	return m, nil
}

func integerPower(x, y int64) (any, error) {
	if y < 0 {
		return math.Pow(float64(x), float64(y)), nil
	}
	switch {
	case y == 0:
		return int64(1), nil
	case x == 0 || x == 1:
		return x, nil
	case x == -1:
		return 1 - 2*(y%2), nil
	}
	out := any(int64(1))
	for range y {
		var err error
		if out, err = integers("*", out.(int64), x); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func floats(op string, f, g float64) (any, error) {
	switch op {
	case "+":
		return f + g, nil
	case "-":
		return f - g, nil
	case "*":
		return f * g, nil
	case "**":
		return math.Pow(f, g), nil
	}
	if g == 0 {
		return nil, errors.New("float division by zero")
	}
	switch op {
	case "/":
		return f / g, nil
	case "//":
		return math.Floor(f / g), nil
	}
	m := math.Mod(f, g)
	if m != 0 && (m < 0) != (g < 0) {
		m += g
	}
	return m, nil
}
