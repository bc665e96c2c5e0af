package python

import (
	"math"
	"math/big"
	"strings"
)

// Unary is +v or -v.
func Unary(op string, v any) (any, error) {
	switch x := v.(type) {
	case float64:
		if op == "-" {
			return -x, nil
		}
		return x, nil
	case *Undefined:
		return nil, x.Err()
	}
	i, ok := integer(v)
	if !ok {
		return nil, typeError("bad operand type for unary %s: '%s'", op, TypeName(v))
	}
	if op == "-" {
		i = new(big.Int).Neg(i)
	}
	return whole(i), nil
}

// Abs is abs(v).
func Abs(v any) (any, error) {
	if f, ok := v.(float64); ok {
		return math.Abs(f), nil
	}
	if i, ok := integer(v); ok {
		return whole(new(big.Int).Abs(i)), nil
	}
	return nil, typeError("bad operand type for abs(): '%s'", TypeName(v))
}

// Binary is a op b, for +, -, *, /, //, % and **.
func Binary(m *Meter, op string, a, b any) (any, error) {
	m.Charge(1)
	if x, ok := Small(a); ok {
		if y, ok := Small(b); ok {
			if v, ok := small(op, x, y); ok {
				return v, nil
			}
		}
	}
	if IsNumber(a) && IsNumber(b) {
		return numbers(m, op, a, b)
	}
	if v, done, err := strung(m, op, a, b); done {
		return v, err
	}
	if _, safe := a.(Markup); safe && op == "*" && !IsNumber(b) { // its own method asks for an integer
		return nil, typeError("'%s' object cannot be interpreted as an integer", TypeName(b))
	}
	for _, v := range []any{a, b} {
		if u, ok := v.(*Undefined); ok {
			return nil, u.Err()
		}
	}
	switch op {
	case "+":
		if v, ok := joined(m, a, b); ok {
			return v, nil
		}
	case "*":
		if n, isInt := integer(a); isInt {
			if v, ok, err := repeated(m, b, n); ok {
				return v, err
			}
		}
		if n, isInt := integer(b); isInt {
			if v, ok, err := repeated(m, a, n); ok {
				return v, err
			}
		}
	case "-":
		if x, ok := a.(*View); ok && x.Kind != "values" {
			return nil, Errorf("UnsupportedError", "sets are not supported")
		}
	}
	if _, ok := IsString(a); ok && op == "+" {
		return nil, typeError("can only concatenate str (not \"%s\") to str", TypeName(b))
	}
	return nil, typeError("unsupported operand type(s) for %s: '%s' and '%s'", op, TypeName(a), TypeName(b))
}

// strung calculates with strings: + and %, and what Markup makes of them.
func strung(m *Meter, op string, a, b any) (v any, done bool, err error) {
	s, isString := IsString(a)
	t, isToo := IsString(b)
	_, safe := a.(Markup)
	_, safeToo := b.(Markup)
	switch {
	case op == "%" && isString:
		v, err := Percent(m, a, b)
		return v, true, err
	case op != "+" || !isString || !isToo:
		return nil, false, nil
	}
	if safe || safeToo {
		if !safe {
			s = EscapeText(m, s)
		}
		if !safeToo {
			t = EscapeText(m, t)
		}
		m.Bytes(len(s) + len(t))
		return Markup(s + t), true, nil
	}
	m.Bytes(len(s) + len(t))
	return s + t, true, nil
}

func joined(m *Meter, a, b any) (any, bool) {
	join := func(x, y []any) []any {
		m.Charge(len(x) + len(y))
		return append(append(make([]any, 0, len(x)+len(y)), x...), y...)
	}
	switch x := a.(type) {
	case *List:
		if y, ok := b.(*List); ok {
			return &List{join(x.Items, y.Items)}, true
		}
	case *Tuple:
		if y, ok := b.(*Tuple); ok {
			return &Tuple{Items: join(x.Items, y.Items)}, true
		}
	}
	return nil, false
}

// repeated is v * n.
func repeated(m *Meter, v any, n *big.Int) (_ any, ok bool, err error) {
	switch v.(type) {
	case string, Markup, *List, *Tuple:
	default:
		return nil, false, nil
	}
	if !n.IsInt64() {
		return nil, true, Errorf("OverflowError", "cannot fit 'int' into an index-sized integer")
	}
	times := max(n.Int64(), 0)
	many := func(items []any) []any {
		count := m.Times(times, len(items)*16)
		out := make([]any, 0, count*len(items))
		for range count {
			out = append(out, items...)
		}
		return out
	}
	switch x := v.(type) {
	case string:
		return strings.Repeat(x, m.Times(times, len(x))), true, nil
	case Markup:
		return Markup(strings.Repeat(string(x), m.Times(times, len(x)))), true, nil
	case *List:
		return &List{many(x.Items)}, true, nil
	}
	return &Tuple{Items: many(v.(*Tuple).Items)}, true, nil
}
