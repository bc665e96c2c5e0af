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

// small calculates where nothing overflows and nothing fails.
func small(op string, x, y int64) (any, bool) {
	const half = 1 << 31
	if x >= half || x <= -half || y >= half || y <= -half {
		return nil, false
	}
	switch op {
	case "+":
		return x + y, true
	case "-":
		return x - y, true
	case "*":
		return x * y, true
	}
	if y == 0 {
		return nil, false
	}
	switch op {
	case "/":
		return float64(x) / float64(y), true
	case "//":
		q := x / y
		if x%y != 0 && (x < 0) != (y < 0) {
			q--
		}
		return q, true
	case "%":
		rest := x % y
		if rest != 0 && (rest < 0) != (y < 0) {
			rest += y
		}
		return rest, true
	}
	return nil, false
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

func numbers(m *Meter, op string, a, b any) (any, error) {
	x, xok := integer(a)
	y, yok := integer(b)
	if xok && yok {
		return integers(m, op, x, y)
	}
	f, _, err := real(a)
	if err != nil {
		return nil, err
	}
	g, _, err := real(b)
	if err != nil {
		return nil, err
	}
	return floats(m, op, f, g)
}

func integers(m *Meter, op string, x, y *big.Int) (any, error) {
	m.Charge((len(x.Bits()) + 1) * (len(y.Bits()) + 1) / 256)
	switch op {
	case "+":
		return whole(new(big.Int).Add(x, y)), nil
	case "-":
		return whole(new(big.Int).Sub(x, y)), nil
	case "*":
		if x.BitLen()+y.BitLen() > maxBits {
			exceeded("integer too large")
		}
		return whole(new(big.Int).Mul(x, y)), nil
	case "**":
		return integerPower(m, x, y)
	}
	if y.Sign() == 0 {
		if op == "/" {
			return nil, Errorf("ZeroDivisionError", "division by zero")
		}
		return nil, Errorf("ZeroDivisionError", "integer division or modulo by zero")
	}
	if op == "/" {
		f, _ := new(big.Rat).SetFrac(x, y).Float64()
		if math.IsInf(f, 0) {
			return nil, Errorf("OverflowError", "integer division result too large for a float")
		}
		if f == 0 && x.Sign() < 0 != (y.Sign() < 0) {
			f = math.Copysign(0, -1)
		}
		return f, nil
	}
	q, rest := new(big.Int).QuoRem(x, y, new(big.Int))
	if rest.Sign() != 0 && rest.Sign() != y.Sign() {
		q.Sub(q, big.NewInt(1))
		rest.Add(rest, y)
	}
	if op == "//" {
		return whole(q), nil
	}
	return whole(rest), nil
}

func integerPower(m *Meter, x, y *big.Int) (any, error) {
	if y.Sign() < 0 {
		f, _, err := real(whole(x))
		if err != nil {
			return nil, err
		}
		g, _, err := real(whole(y))
		if err != nil {
			return nil, err
		}
		return floats(m, "**", f, g)
	}
	if x.BitLen() > 1 && (!y.IsInt64() || y.Int64() > maxBits || int64(x.BitLen()-1)*y.Int64() > maxBits) {
		exceeded("integer too large")
	}
	if x.BitLen() <= 1 { // -1, 0, 1
		if y.Sign() == 0 || x.Sign() < 0 && y.Bit(0) == 0 {
			return int64(1), nil
		}
		return whole(x), nil
	}
	m.Charge(int(y.Int64()) * x.BitLen() / 64)
	return whole(new(big.Int).Exp(x, y, nil)), nil
}

func floats(m *Meter, op string, f, g float64) (any, error) {
	switch op {
	case "+":
		return f + g, nil
	case "-":
		return f - g, nil
	case "*":
		return f * g, nil
	case "**":
		return floatPower(m, f, g)
	}
	if g == 0 {
		return nil, Errorf("ZeroDivisionError", "float division by zero")
	}
	if op == "/" {
		return f / g, nil
	}
	rest := math.Mod(f, g)
	q := (f - rest) / g
	if rest != 0 {
		if (g < 0) != (rest < 0) {
			rest += g
			q--
		}
	} else {
		rest = math.Copysign(0, g)
	}
	if op == "%" {
		return rest, nil
	}
	if q == 0 {
		return math.Copysign(0, f/g), nil
	}
	whole := math.Floor(q)
	if q-whole > 0.5 {
		whole++
	}
	return whole, nil
}

func floatPower(m *Meter, f, g float64) (any, error) {
	m.Charge(100)
	switch {
	case f == 0 && g < 0:
		return nil, Errorf("ZeroDivisionError", "0.0 cannot be raised to a negative power")
	case f < 0 && g != math.Trunc(g) && !math.IsInf(f, 0):
		return nil, Errorf("UnsupportedError", "complex numbers are not supported")
	}
	p := power(f, g)
	if math.IsInf(p, 0) && !math.IsInf(f, 0) && !math.IsInf(g, 0) {
		return nil, Errorf("OverflowError", "(34, 'Numerical result out of range')")
	}
	return p, nil
}
