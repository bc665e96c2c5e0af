package python

import (
	"math"
	"math/big"
	"strings"
	"unicode"
)

// Small gives an int or a bool that fits int64.
func Small(v any) (int64, bool) {
	switch x := v.(type) {
	case bool:
		if x {
			return 1, true
		}
		return 0, true
	case int64:
		return x, true
	}
	return 0, false
}

func integer(v any) (*big.Int, bool) {
	if x, ok := v.(*big.Int); ok {
		return x, true
	}
	if i, ok := Small(v); ok {
		return big.NewInt(i), true
	}
	return nil, false
}

// whole makes a value of an integer.
func whole(x *big.Int) any {
	if x.IsInt64() {
		return x.Int64()
	}
	if x.BitLen() > maxBits {
		exceeded("integer too large")
	}
	return x
}

// IsNumber tells numbers; a bool is one.
func IsNumber(v any) bool {
	switch v.(type) {
	case bool, int64, *big.Int, float64:
		return true
	}
	return false
}

// real gives a number as a float.
func real(v any) (f float64, isNumber bool, err error) {
	switch x := v.(type) {
	case float64:
		return x, true, nil
	case *big.Int:
		f, _ := new(big.Float).SetInt(x).Float64()
		if math.IsInf(f, 0) {
			return 0, true, Errorf("OverflowError", "int too large to convert to float")
		}
		return f, true, nil
	}
	if i, ok := Small(v); ok {
		return float64(i), true, nil
	}
	return 0, false, nil
}

// Index gives an int for a length or a place; a larger one is cut to what no string reaches.
func Index(v any) (int64, error) {
	if x, ok := v.(*big.Int); ok {
		if x.Sign() < 0 {
			return math.MinInt32, nil
		}
		return math.MaxInt32 * 1024, nil
	}
	if i, ok := Small(v); ok {
		return i, nil
	}
	return 0, typeError("'%s' object cannot be interpreted as an integer", TypeName(v))
}

// Int is int(v).
func Int(m *Meter, v any) (any, error) {
	switch x := v.(type) {
	case *big.Int:
		return x, nil
	case float64:
		switch {
		case math.IsNaN(x):
			return nil, valueError("cannot convert float NaN to integer")
		case math.IsInf(x, 0):
			return nil, Errorf("OverflowError", "cannot convert float infinity to integer")
		}
		i, _ := big.NewFloat(x).Int(nil)
		return whole(i), nil
	case *Undefined:
		return nil, x.Err()
	}
	if i, ok := Small(v); ok {
		return i, nil
	}
	if s, ok := IsString(v); ok {
		return ParseInt(m, s, 10)
	}
	return nil, typeError("int() argument must be a string, a bytes-like object or a real number, not '%s'", TypeName(v))
}

// Float is float(v).
func Float(m *Meter, v any) (float64, error) {
	if f, ok, err := real(v); ok {
		return f, err
	}
	if u, ok := v.(*Undefined); ok {
		return 0, u.Err()
	}
	if s, ok := IsString(v); ok {
		return parseFloat(m, s)
	}
	return 0, typeError("float() argument must be a string or a real number, not '%s'", TypeName(v))
}

// asciiDigits turns decimal digits of every script into 0 to 9, and white space around away.
func asciiDigits(m *Meter, s string) string {
	m.Bytes(len(s))
	return strings.Map(func(r rune) rune {
		if d := decimal(r); d >= 0 {
			return '0' + rune(d)
		}
		return r
	}, strings.TrimFunc(s, IsSpace))
}

// decimal is the value of a decimal digit, or -1. Unicode keeps ten together in each script.
func decimal(r rune) int {
	if r < 0x80 {
		if r >= '0' && r <= '9' {
			return int(r - '0')
		}
		return -1
	}
	for _, block := range unicode.Nd.R16 {
		if r >= rune(block.Lo) && r <= rune(block.Hi) {
			return int(r-rune(block.Lo)) % 10
		}
	}
	for _, block := range unicode.Nd.R32 {
		if r >= rune(block.Lo) && r <= rune(block.Hi) {
			return int(r-rune(block.Lo)) % 10
		}
	}
	return -1
}

// ParseInt is int(s, base).
func ParseInt(m *Meter, s string, base int64) (any, error) {
	if base != 0 && (base < 2 || base > 36) {
		return nil, valueError("int() base must be >= 2 and <= 36, or 0")
	}
	invalid := func() (any, error) {
		return nil, valueError("invalid literal for int() with base %d: %s", base, Quote(shortened(s)))
	}
	digits := asciiDigits(m, s)
	negative := strings.HasPrefix(digits, "-")
	if negative || strings.HasPrefix(digits, "+") {
		digits = digits[1:]
	}
	leading := strings.ToLower(digits[:min(2, len(digits))])
	prefixed := false
	for prefix, b := range map[string]int64{"0x": 16, "0o": 8, "0b": 2} {
		if leading == prefix && (base == 0 || base == b) {
			base, prefixed = b, true
			digits = strings.TrimPrefix(digits[2:], "_")
		}
	}
	octal := base == 0
	if base == 0 {
		base = 10
	}
	if digits == "" || strings.HasPrefix(digits, "_") || strings.HasSuffix(digits, "_") ||
		strings.Contains(digits, "__") {
		return invalid()
	}
	digits = strings.ReplaceAll(digits, "_", "")
	if octal && !prefixed && digits[0] == '0' && strings.Trim(digits, "0") != "" {
		return invalid()
	}
	for _, c := range digits {
		if d := digitValue(c); d < 0 || d >= base {
			return invalid()
		}
	}
	if len(digits) > maxDigits && base&(base-1) != 0 {
		return nil, valueError("Exceeds the limit (%d digits) for integer string conversion: value has %d digits", maxDigits,
			len(digits))
	}
	if len(digits) > maxBits/4 {
		exceeded("integer too large")
	}
	i, ok := new(big.Int).SetString(digits, int(base))
	if !ok {
		return invalid()
	}
	if negative {
		i.Neg(i)
	}
	return whole(i), nil
}

func digitValue(c rune) int64 {
	switch {
	case c >= '0' && c <= '9':
		return int64(c - '0')
	case c >= 'a' && c <= 'z':
		return int64(c-'a') + 10
	case c >= 'A' && c <= 'Z':
		return int64(c-'A') + 10
	}
	return -1
}

// shortened is a string as an error shows it.
func shortened(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
