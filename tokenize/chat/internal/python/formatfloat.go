package python

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

func (f *spec) float(m *Meter, x float64, typeName string) (string, error) {
	kind, precision, percent := f.kind, f.precision, false
	switch kind {
	case 'n':
		kind = 'g'
	case '%':
		x, kind, percent = x*100, 'f', true
	case 0, 'e', 'E', 'f', 'F', 'g', 'G':
	default:
		return "", valueError("Unknown format code '%c' for object of type '%s'", f.kind, typeName)
	}
	var body string
	if f.kind == 0 {
		body = plainFloat(m, math.Abs(x), precision, f.alt)
	} else {
		body = floatText(m, math.Abs(x), kind, precision, f.alt)
	}
	negative := math.Signbit(x) && !math.IsNaN(x)
	if f.z && strings.Trim(body, "0.eE+-") == "" {
		negative = false
	}
	if percent {
		body += "%"
	}
	sign := f.signOf(negative)
	end := strings.IndexFunc(body, func(r rune) bool { return !unicode.IsDigit(r) })
	if end < 0 {
		end = len(body)
	}
	if end > 0 {
		body = f.grouped(m, body[:end], body[end:], len(sign), 3)
	}
	return f.place(m, sign, body, '>'), nil
}

// plainFloat is the form without a type: as repr, or as 'g' that keeps a point.
func plainFloat(m *Meter, x float64, precision int64, alt bool) string {
	if precision < 0 {
		s := FormatFloat(x)
		if mantissa, exponent, ok := strings.Cut(s, "e"); ok && alt && !strings.Contains(mantissa, ".") {
			s = mantissa + ".e" + exponent
		}
		return s
	}
	return generalFloat(m, x, precision, alt, true)
}

// floatText formats a float that is not negative with e, f or g, in capitals if those were asked for.
func floatText(m *Meter, x float64, kind rune, precision int64, alt bool) string {
	if precision < 0 {
		precision = 6
	}
	m.Times(precision, 1)
	var s string
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		s = FormatFloat(x)
	case kind == 'g' || kind == 'G':
		s = generalFloat(m, x, precision, alt, false)
	default:
		s = strconv.FormatFloat(x, byte(unicode.ToLower(kind)), int(precision), 64)
		if alt && precision == 0 {
			mantissa, exponent, isExponent := strings.Cut(s, "e")
			if s = mantissa + "."; isExponent {
				s += "e" + exponent
			}
		}
	}
	if unicode.IsUpper(kind) {
		return strings.ToUpper(s)
	}
	return s
}

// generalFloat is 'g': so many digits, with an exponent where that is shorter.
func generalFloat(m *Meter, x float64, precision int64, alt, point bool) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return FormatFloat(x)
	}
	precision = max(precision, 1)
	m.Times(precision, 1)
	s := strconv.FormatFloat(x, 'e', int(precision-1), 64)
	mantissa, exponent, _ := strings.Cut(s, "e")
	e, _ := strconv.Atoi(exponent)
	limit := precision
	if point {
		limit--
	}
	if e < -4 || int64(e) >= limit {
		return trimmed(mantissa, alt) + "e" + exponent
	}
	s = trimmed(strconv.FormatFloat(x, 'f', int(precision-1-int64(e)), 64), alt)
	if point && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// trimmed takes zeros from the end of a fraction, unless the alternate form keeps them.
func trimmed(s string, alt bool) string {
	if alt {
		if !strings.Contains(s, ".") {
			s += "."
		}
		return s
	}
	if strings.Contains(s, ".") {
		s = strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
	}
	return s
}
