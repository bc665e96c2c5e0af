package python

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// Str is str(v).
func Str(m *Meter, v any) (string, error) {
	switch x := v.(type) {
	case string:
		return x, nil
	case Markup:
		return string(x), nil
	case *Undefined:
		return "", nil
	}
	return Repr(m, v)
}

// Repr is repr(v).
func Repr(m *Meter, v any) (string, error) {
	var b strings.Builder
	err := repr(m, &b, v, 0)
	return b.String(), err
}

func repr(m *Meter, b *strings.Builder, v any, depth int) error {
	m.Nested(depth)
	if b.Len() > MaxBytes {
		exceeded("string too large")
	}
	switch x := v.(type) {
	case *List:
		return reprItems(m, b, "[", "]", x.Items, depth)
	case *Tuple:
		if len(x.Items) == 1 {
			return reprItems(m, b, "(", ",)", x.Items, depth)
		}
		return reprItems(m, b, "(", ")", x.Items, depth)
	case *Dict:
		b.WriteByte('{')
		for i, k := range x.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := repr(m, b, k, depth+1); err != nil {
				return err
			}
			b.WriteString(": ")
			if err := repr(m, b, x.values[i], depth+1); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	case *View:
		items, err := Items(m, x)
		if err != nil {
			return err
		}
		return reprItems(m, b, "dict_"+x.Kind+"([", "])", items, depth)
	case *big.Int:
		s, err := bigText(x)
		b.WriteString(s)
		return err
	default:
		s := scalar(m, v)
		m.Bytes(len(s))
		b.WriteString(s)
	}
	return nil
}

func reprItems(m *Meter, b *strings.Builder, open, end string, items []any, depth int) error {
	b.WriteString(open)
	for i, item := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		if err := repr(m, b, item, depth+1); err != nil {
			return err
		}
	}
	b.WriteString(end)
	return nil
}

// address stands in for what Python shows of functions and iterators, which no two runs have in common.
const address = " at 0x7f0000000000>"

// scalar is the repr of what holds no other values.
func scalar(m *Meter, v any) string {
	switch x := v.(type) {
	case nil:
		return "None"
	case bool:
		if x {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(x, 10)
	case float64:
		return FormatFloat(x)
	case string:
		m.Bytes(len(x))
		return Quote(x)
	case Markup:
		m.Bytes(len(x))
		return "Markup(" + Quote(string(x)) + ")"
	case *Undefined:
		return "Undefined"
	case *Range:
		if x.Step == 1 {
			return fmt.Sprintf("range(%d, %d)", x.From, x.To)
		}
		return fmt.Sprintf("range(%d, %d, %d)", x.From, x.To, x.Step)
	case *Iterator:
		if strings.HasPrefix(x.Name, "generator ") {
			return "<" + x.Name + address
		}
		return "<" + x.Name + " object" + address
	case *Func:
		return "<function " + x.Name + address
	case Object:
		return x.Repr(m)
	}
	return "<object>"
}

const maxDigits = 4300 // that Python turns an integer into, or makes one of

// bigText is str of a large integer.
func bigText(x *big.Int) (string, error) {
	if x.BitLen() > maxDigits*10/3 {
		return "", valueError("Exceeds the limit (%d digits) for integer string conversion", maxDigits)
	}
	s := x.String()
	if len(strings.TrimPrefix(s, "-")) > maxDigits {
		return "", valueError("Exceeds the limit (%d digits) for integer string conversion", maxDigits)
	}
	return s, nil
}

// Quote is repr of a string.
func Quote(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	var b strings.Builder
	b.WriteByte(q)
	for _, r := range s {
		switch {
		case r == rune(q) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case isPrintable(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte(q)
	return b.String()
}

func isPrintable(r rune) bool { return unicode.IsPrint(r) }

// FormatFloat is repr of a float.
func FormatFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	e, _ := strconv.Atoi(exponent)
	if e >= -4 && e < 16 {
		s = strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	return fmt.Sprintf("%se%+03d", mantissa, e)
}
