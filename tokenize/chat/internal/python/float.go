package python

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// parseFloat is float(s).
func parseFloat(m *Meter, s string) (float64, error) {
	text := asciiDigits(m, s)
	body := strings.ToLower(strings.TrimLeft(text[:min(1, len(text))], "+-") + text[min(1, len(text)):])
	switch body {
	case "inf", "infinity":
		if strings.HasPrefix(text, "-") {
			return math.Inf(-1), nil
		}
		return math.Inf(1), nil
	case "nan":
		return math.NaN(), nil
	}
	if !isDecimalFloat(body) {
		return 0, valueError("could not convert string to float: %s", Quote(shortened(s)))
	}
	f, _ := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64) // beyond the range is infinity, as in Python
	return f, nil
}

// isDecimalFloat tells digits, point and exponent; an underscore stands between digits only.
func isDecimalFloat(s string) bool {
	mantissa, exponent, hasExponent := strings.Cut(s, "e")
	if hasExponent {
		exponent = strings.TrimPrefix(exponent, "-")
		if len(exponent) > 0 && exponent[0] == '+' && !strings.Contains(s, "e-") {
			exponent = exponent[1:]
		}
		if !isDigits(exponent) {
			return false
		}
	}
	before, after, hasPoint := strings.Cut(mantissa, ".")
	if before == "" && after == "" {
		return false
	}
	return (before == "" && hasPoint || isDigits(before)) && (after == "" || isDigits(after))
}

func isDigits(s string) bool {
	if s == "" || s[0] == '_' || s[len(s)-1] == '_' || strings.Contains(s, "__") {
		return false
	}
	return strings.Trim(s, "0123456789_") == ""
}

// Round is round(v, places); places nil rounds to an integer.
func Round(m *Meter, v, places any) (any, error) {
	m.Charge(1)
	if i, ok := integer(v); ok {
		return roundInteger(i, places)
	}
	f, ok := v.(float64)
	if !ok {
		return nil, typeError("type %s doesn't define __round__ method", TypeName(v))
	}
	if places == nil {
		return Int(m, math.RoundToEven(f))
	}
	n, err := Index(places)
	if err != nil {
		return nil, err
	}
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0) || n > 323:
		return f, nil
	case n < -308:
		return 0 * f, nil
	case n >= 0:
		out, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(n), 64), 64)
		if err != nil {
			return nil, Errorf("OverflowError", "rounded value too large to represent")
		}
		return out, nil
	}
	exact, _ := new(big.Rat).SetString(strconv.FormatFloat(f, 'f', -1, 64))
	exact.SetFloat64(f)
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(-n), nil)
	i := halfEven(exact.Quo(exact, new(big.Rat).SetInt(scale)))
	out, _ := new(big.Float).SetInt(i.Mul(i, scale)).Float64()
	if math.IsInf(out, 0) {
		return nil, Errorf("OverflowError", "rounded value too large to represent")
	}
	return math.Copysign(out, f), nil
}

func roundInteger(i *big.Int, places any) (any, error) {
	if places == nil {
		return whole(i), nil
	}
	n, err := Index(places)
	if err != nil || n >= 0 {
		return whole(i), err
	}
	if n < -maxDigits*2 {
		return int64(0), nil
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(-n), nil)
	out := halfEven(new(big.Rat).SetFrac(i, scale))
	return whole(out.Mul(out, scale)), nil
}

// halfEven rounds to the nearest integer, halves to the even one.
func halfEven(x *big.Rat) *big.Int {
	twice := new(big.Int).Mul(x.Num(), big.NewInt(2))
	twice.Add(twice, x.Denom())
	q, rest := new(big.Int).DivMod(twice, new(big.Int).Mul(x.Denom(), big.NewInt(2)), new(big.Int))
	if rest.Sign() == 0 && q.Bit(0) == 1 {
		q.Sub(q, big.NewInt(1))
	}
	return q
}

// power is f ** g for g that is no integer, and for what a product cannot tell; rounded from many more digits.
func power(f, g float64) float64 {
	switch {
	case f <= 0, g == 0, f == 1, math.IsNaN(f), math.IsNaN(g), math.IsInf(f, 0), math.IsInf(g, 0):
		if f < 0 && g == math.Trunc(g) && !math.IsInf(f, 0) && !math.IsInf(g, 0) {
			p := power(-f, g)
			if math.Mod(g, 2) != 0 {
				p = -p
			}
			return p
		}
		return math.Pow(f, g)
	}
	if rough := g * math.Log2(f); rough > 1100 || rough < -1200 {
		return math.Pow(f, g) // infinity or zero
	}
	return exp(new(big.Float).SetPrec(precision).Mul(big.NewFloat(g).SetPrec(precision), log(f)))
}

const precision = 256

func wide(f float64) *big.Float { return new(big.Float).SetPrec(precision).SetFloat64(f) }

// log is the natural logarithm of f > 0: of its mantissa by the series of artanh, and of 2 by its exponent.
func log(f float64) *big.Float {
	mantissa, exponent := math.Frexp(f)
	if mantissa < math.Sqrt2/2 {
		mantissa, exponent = mantissa*2, exponent-1
	}
	out := artanh(wide(0).Quo(wide(0).Sub(wide(mantissa), wide(1)), wide(0).Add(wide(mantissa), wide(1))))
	two := artanh(wide(0).Quo(wide(1), wide(3)))
	return out.Mul(out.Add(out, two.Mul(two, wide(float64(exponent)))), wide(2))
}

func artanh(x *big.Float) *big.Float {
	sum, square := wide(0).Set(x), wide(0).Mul(x, x)
	for term, n := wide(0).Set(x), 3.0; n < 200; n += 2 {
		term.Mul(term, square)
		sum.Add(sum, wide(0).Quo(term, wide(n)))
	}
	return sum
}

// exp halves its argument 16 times, sums the series and squares back.
func exp(x *big.Float) float64 {
	const halvings = 16
	x = wide(0).SetMantExp(x, -halvings)
	sum, term := wide(1), wide(1)
	for n := 1.0; n < 40; n++ {
		term.Quo(term.Mul(term, x), wide(n))
		sum.Add(sum, term)
	}
	for range halvings {
		sum.Mul(sum, sum)
	}
	f, _ := sum.Float64()
	return f
}
