package python

import (
	"math"
	"math/big"
)

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
