package python

import (
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"
)

// spec is a format specification: [[fill]align][sign][z][#][0][width][grouping][.precision][type].
type spec struct {
	fill      rune
	align     rune // 0: the type's own
	sign      rune // 0: as '-'
	z, alt    bool
	width     int64
	grouping  string
	precision int64 // -1: none
	kind      rune  // 0: none
}

// Format is format(v, specification).
func Format(m *Meter, v any, specification string) (string, error) {
	if s, ok := IsString(v); ok {
		if specification == "" {
			return s, nil
		}
		f, err := parseSpec(specification, "str", '<')
		if err != nil {
			return "", err
		}
		return f.text(m, s)
	}
	if specification == "" {
		return Str(m, v)
	}
	switch x := v.(type) {
	case bool, int64, *big.Int:
		i, _ := integer(x)
		f, err := parseSpec(specification, TypeName(v), '>')
		if err != nil {
			return "", err
		}
		return f.integer(m, i, TypeName(v))
	case float64:
		f, err := parseSpec(specification, "float", '>')
		if err != nil {
			return "", err
		}
		return f.float(m, x, "float")
	}
	return "", typeError("unsupported format string passed to %s.__format__", TypeName(v))
}

func isAlign(r rune) bool { return strings.ContainsRune("<>=^", r) }

func parseSpec(s, typeName string, right rune) (*spec, error) {
	f := &spec{fill: ' ', precision: -1}
	rest := []rune(s)
	peek := func() rune {
		if len(rest) == 0 {
			return 0
		}
		return rest[0]
	}
	take := func(set string) rune {
		if r := peek(); r != 0 && strings.ContainsRune(set, r) {
			rest = rest[1:]
			return r
		}
		return 0
	}
	filled := false
	if len(rest) > 1 && isAlign(rest[1]) {
		f.fill, f.align, filled = rest[0], rest[1], true
		rest = rest[2:]
	} else {
		f.align = take("<>=^")
	}
	f.sign = take("+- ")
	f.z = take("z") != 0
	f.alt = take("#") != 0
	if !filled && take("0") != 0 {
		f.fill = '0'
		if f.align == 0 && right == '>' {
			f.align = '='
		}
	}
	var err error
	if f.width, rest, err = digits(rest); err != nil {
		return nil, err
	}
	f.width = max(f.width, 0)
	f.grouping = string(take(","))
	if f.grouping == "\x00" {
		f.grouping = ""
	}
	if take("_") != 0 {
		if f.grouping != "" {
			return nil, valueError("Cannot specify both ',' and '_'.")
		}
		f.grouping = "_"
	}
	if f.grouping != "" && peek() == ',' {
		return nil, valueError("Cannot specify both ',' and '_'.")
	}
	if take(".") != 0 {
		if f.precision, rest, err = digits(rest); err != nil {
			return nil, err
		}
		if f.precision < 0 {
			return nil, valueError("Format specifier missing precision")
		}
	}
	if len(rest) > 1 {
		return nil, valueError("Invalid format specifier %s for object of type '%s'", Quote(shortened(s)), typeName)
	}
	f.kind = peek()
	return f, f.checkGrouping(typeName)
}

func (f *spec) checkGrouping(typeName string) error {
	kind := f.kind
	if kind == 0 && typeName == "str" {
		kind = 's'
	}
	switch {
	case f.grouping == "" || kind == 0 || strings.ContainsRune("defgEG%F", kind):
		return nil
	case f.grouping == "_" && strings.ContainsRune("boxX", kind):
		return nil
	}
	return valueError("Cannot specify '%s' with '%c'.", f.grouping, kind)
}

// digits reads a number; -1 is none.
func digits(s []rune) (n int64, rest []rune, err error) {
	n = -1
	for len(s) > 0 && unicode.IsDigit(s[0]) {
		n = max(n, 0)*10 + int64(decimal(s[0]))
		if n > 1<<40 {
			return 0, nil, valueError("Too many decimal digits in format string")
		}
		s = s[1:]
	}
	return n, s, nil
}

func (f *spec) text(m *Meter, s string) (string, error) {
	switch {
	case f.sign != 0:
		return "", valueError("Sign not allowed in string format specifier")
	case f.z:
		return "", valueError("Negative zero coercion (z) not allowed in string format specifier")
	case f.alt:
		return "", valueError("Alternate form (#) not allowed in string format specifier")
	case f.align == '=':
		return "", valueError("'=' alignment not allowed in string format specifier")
	case f.kind != 0 && f.kind != 's':
		return "", valueError("Unknown format code '%c' for object of type 'str'", f.kind)
	}
	m.Bytes(len(s))
	if f.precision >= 0 && f.precision < int64(utf8.RuneCountInString(s)) {
		s = string([]rune(s)[:f.precision])
	}
	return f.place(m, "", s, '<'), nil
}

// place pads a text; with '=' between its sign and its body.
func (f *spec) place(m *Meter, sign, body string, align rune) string {
	missing := f.width - int64(utf8.RuneCountInString(sign)+utf8.RuneCountInString(body))
	if missing <= 0 {
		return sign + body
	}
	fill := func(n int64) string { return strings.Repeat(string(f.fill), m.Times(n, utf8.RuneLen(f.fill))) }
	if f.align != 0 {
		align = f.align
	}
	switch align {
	case '<':
		return sign + body + fill(missing)
	case '^':
		return fill(missing/2) + sign + body + fill(missing-missing/2)
	case '=':
		return sign + fill(missing) + body
	}
	return fill(missing) + sign + body
}

func (f *spec) signOf(negative bool) string {
	switch {
	case negative:
		return "-"
	case f.sign == '+' || f.sign == ' ':
		return string(f.sign)
	}
	return ""
}

func (f *spec) integer(m *Meter, i *big.Int, typeName string) (string, error) {
	if f.kind != 0 && strings.ContainsRune("eEfFgG%", f.kind) {
		x, _, err := real(whole(i))
		if err != nil {
			return "", err
		}
		return f.float(m, x, typeName)
	}
	switch {
	case f.precision >= 0:
		return "", valueError("Precision not allowed in integer format specifier")
	case f.z:
		return "", valueError("Negative zero coercion (z) not allowed in integer format specifier")
	}
	bases := map[rune]int{0: 10, 'd': 10, 'n': 10, 'b': 2, 'o': 8, 'x': 16, 'X': 16}
	if f.kind == 'c' {
		switch {
		case f.sign != 0:
			return "", valueError("Sign not allowed with integer format specifier 'c'")
		case f.alt:
			return "", valueError("Alternate form (#) not allowed with integer format specifier 'c'")
		case !i.IsInt64() || i.Sign() < 0 || i.Int64() > unicode.MaxRune:
			return "", Errorf("OverflowError", "%%c arg not in range(0x110000)")
		}
		return f.place(m, "", string(rune(i.Int64())), '>'), nil
	}
	base, ok := bases[f.kind]
	if !ok {
		return "", valueError("Unknown format code '%c' for object of type '%s'", f.kind, typeName)
	}
	m.Bytes(i.BitLen())
	body, err := bigText(new(big.Int).Abs(i))
	if base != 10 {
		body, err = new(big.Int).Abs(i).Text(base), nil
	}
	if err != nil {
		return "", err
	}
	prefix := ""
	if f.alt && base != 10 {
		prefix = map[rune]string{'b': "0b", 'o': "0o", 'x': "0x", 'X': "0X"}[f.kind]
	}
	if f.kind == 'X' {
		body = strings.ToUpper(body)
	}
	group := 3
	if base != 10 {
		group = 4
	}
	sign := f.signOf(i.Sign() < 0) + prefix
	return f.place(m, sign, f.grouped(m, body, "", len(sign), group), '>'), nil
}

// grouped puts separators between the digits before the point, zeros in front of them as the width asks for.
func (f *spec) grouped(m *Meter, whole, rest string, sign, group int) string {
	if f.grouping == "" {
		return whole + rest
	}
	least := int64(0)
	if f.fill == '0' && f.align == '=' {
		least = f.width - int64(sign+len(rest))
		m.Times(least, 2)
	}
	var parts []string
	for {
		n := min(int64(group), max(int64(len(whole)), least, 1))
		have := min(int64(len(whole)), n)
		parts = append(parts, strings.Repeat("0", int(n-have))+whole[int64(len(whole))-have:])
		whole = whole[:int64(len(whole))-have]
		if least -= n; whole == "" && least <= 0 {
			break
		}
		least--
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, f.grouping) + rest
}
