package python

import (
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"
)

func (p *percenter) char(v any) (string, error) {
	if s, ok := IsString(v); ok && utf8.RuneCountInString(s) == 1 && !p.safe {
		return s, nil
	}
	i, ok := integer(v)
	switch {
	case !ok || p.safe:
		return "", typeError("%%c requires int or char")
	case !i.IsInt64() || i.Sign() < 0 || i.Int64() > unicode.MaxRune:
		return "", Errorf("OverflowError", "%%c arg not in range(0x110000)")
	}
	return string(rune(i.Int64())), nil
}

func (p *percenter) integer(d *directive, v any) (sign, body string, err error) {
	based := strings.ContainsRune("oxX", d.kind)
	_, isFloat := v.(float64)
	if p.safe && based || based && isFloat || !p.safe && !IsNumber(v) {
		if u, ok := v.(*Undefined); ok && !based {
			return "", "", u.Err()
		}
		return "", "", typeError("%%%c format: a real number is required, not %s", d.kind, TypeName(v))
	}
	whole, err := Int(p.m, v)
	if err != nil {
		return "", "", err
	}
	i, _ := integer(whole)
	base := map[rune]int{'o': 8, 'x': 16, 'X': 16}[d.kind]
	if base == 0 {
		if body, err = bigText(new(big.Int).Abs(i)); err != nil {
			return "", "", err
		}
	} else {
		p.m.Bytes(i.BitLen())
		body = new(big.Int).Abs(i).Text(base)
	}
	if d.precision > int64(len(body)) {
		body = strings.Repeat("0", p.m.Times(d.precision-int64(len(body)), 1)) + body
	}
	prefix := ""
	if d.flag("#") && base != 0 {
		prefix = map[rune]string{'o': "0o", 'x': "0x", 'X': "0X"}[d.kind]
	}
	if d.kind == 'X' {
		body = strings.ToUpper(body)
	}
	return d.sign(i.Sign() < 0) + prefix, body, nil
}

func (d *directive) sign(negative bool) string {
	switch {
	case negative:
		return "-"
	case d.flag("+"):
		return "+"
	case d.flag(" "):
		return " "
	}
	return ""
}

func (p *percenter) float(d *directive, v any) (sign, body string, err error) {
	if _, isString := IsString(v); isString && !p.safe {
		return "", "", typeError("must be real number, not str")
	}
	x, err := Float(p.m, v)
	if err != nil {
		return "", "", err
	}
	negative := x < 0 || x == 0 && 1/x < 0
	if negative {
		x = -x
	}
	return d.sign(negative), floatText(p.m, x, d.kind, d.precision, d.flag("#")), nil
}
