package python

import (
	"math/big"
	"strings"
	"unicode/utf8"
)

// directive is one %[(key)][flags][width][.precision]kind.
type directive struct {
	flags     string
	width     int64
	precision int64
	kind      rune
}

func (d *directive) flag(c string) bool { return strings.Contains(d.flags, c) }

// percenter formats as format % args.
type percenter struct {
	m       *Meter
	rest    []rune
	args    []any // nil when single
	single  any
	source  any // what keys are looked up in
	isTuple bool
	taken   int
	mapping bool
	safe    bool // arguments are escaped, for Markup
	out     strings.Builder
}

// Percent is format % args.
func Percent(m *Meter, format, args any) (any, error) {
	s, _ := IsString(format)
	_, safe := format.(Markup)
	m.Bytes(len(s))
	p := &percenter{m: m, rest: []rune(s), single: args, source: args, safe: safe}
	switch x := args.(type) {
	case *Tuple:
		p.args, p.isTuple = x.Items, true
	case *Dict, *List, *Undefined, *Range:
		p.mapping = true
	}
	for len(p.rest) > 0 {
		at := 0
		for at < len(p.rest) && p.rest[at] != '%' {
			at++
		}
		p.out.WriteString(string(p.rest[:at]))
		p.rest = p.rest[at:]
		if len(p.rest) == 0 {
			break
		}
		if err := p.directive(); err != nil {
			return nil, err
		}
		if p.out.Len() > MaxBytes {
			exceeded("string too large")
		}
	}
	if left := p.isTuple && p.taken < len(p.args) || !p.isTuple && p.taken == 0; left && !p.mapping {
		return nil, typeError("not all arguments converted during string formatting")
	}
	if safe {
		return Markup(p.out.String()), nil
	}
	return p.out.String(), nil
}

func (p *percenter) next() (any, error) {
	if !p.isTuple {
		if p.taken++; p.taken == 1 {
			return p.single, nil
		}
	} else if p.taken < len(p.args) {
		p.taken++
		return p.args[p.taken-1], nil
	}
	return nil, typeError("not enough arguments for format string")
}

func (p *percenter) peek() rune {
	if len(p.rest) == 0 {
		return 0
	}
	return p.rest[0]
}

func (p *percenter) directive() error {
	p.rest = p.rest[1:]
	if p.peek() == '%' {
		p.rest = p.rest[1:]
		p.out.WriteByte('%')
		return nil
	}
	d := &directive{precision: -1}
	if p.peek() == '(' {
		if err := p.key(); err != nil {
			return err
		}
	}
	for p.peek() != 0 && strings.ContainsRune("-+ #0", p.peek()) {
		d.flags += string(p.peek())
		p.rest = p.rest[1:]
	}
	var err error
	if d.width, err = p.number(); err != nil {
		return err
	}
	if d.width < -1 { // a negative one, taken for a star
		d.flags += "-"
		d.width = -(d.width + far)
	}
	if p.peek() == '.' {
		p.rest = p.rest[1:]
		if d.precision, err = p.number(); err != nil {
			return err
		}
		d.precision = max(d.precision, 0)
	}
	if p.peek() == 'h' || p.peek() == 'l' || p.peek() == 'L' {
		p.rest = p.rest[1:]
	}
	if len(p.rest) == 0 {
		return valueError("incomplete format")
	}
	d.kind = p.peek()
	p.rest = p.rest[1:]
	return p.convert(d)
}

func (p *percenter) key() error {
	if !p.mapping {
		return typeError("format requires a mapping")
	}
	depth, at := 0, 0
	for ; at < len(p.rest); at++ {
		if p.rest[at] == '(' {
			depth++
		} else if p.rest[at] == ')' {
			if depth--; depth == 0 {
				break
			}
		}
	}
	if at == len(p.rest) {
		return valueError("incomplete format key")
	}
	name := string(p.rest[1:at])
	p.rest = p.rest[at+1:]
	if _, isDict := p.source.(*Dict); !isDict {
		if u, ok := p.source.(*Undefined); ok {
			return u.Err()
		}
		return typeError("%s indices must be integers or slices, not str", TypeName(p.source))
	}
	v, ok, err := Item(p.m, p.source, name)
	if err != nil {
		return err
	}
	if !ok {
		return Errorf("KeyError", "%s", Quote(shortened(name)))
	}
	p.single, p.isTuple, p.taken = v, false, 0
	return nil
}

const far = 1 << 41

// number reads digits, or takes an argument for a star; -1 is none, and less than that a negative one.
func (p *percenter) number() (int64, error) {
	if p.peek() != '*' {
		n, rest, err := digits(p.rest)
		p.rest = rest
		return n, err
	}
	p.rest = p.rest[1:]
	v, err := p.next()
	if err != nil {
		return 0, err
	}
	n, ok := Small(v)
	if _, large := v.(*big.Int); large && !p.safe {
		return 0, Errorf("OverflowError", "Python int too large to convert to C int")
	}
	if !ok || p.safe {
		return 0, typeError("* wants int")
	}
	if n < 0 {
		return n - far, nil
	}
	return n, nil
}

func (p *percenter) convert(d *directive) error {
	v, err := p.next()
	if err != nil {
		return err
	}
	sign, body := "", ""
	switch d.kind {
	case 's', 'r', 'a':
		body, err = p.text(d, v)
	case 'c':
		body, err = p.char(v)
	case 'd', 'i', 'u', 'o', 'x', 'X':
		sign, body, err = p.integer(d, v)
	case 'e', 'E', 'f', 'F', 'g', 'G':
		sign, body, err = p.float(d, v)
	default:
		err = valueError("unsupported format character '%c' (0x%x)", d.kind, d.kind)
	}
	if err != nil {
		return err
	}
	f := &spec{fill: ' ', align: '>', width: max(d.width, 0)}
	switch {
	case d.flag("-"):
		f.align = '<'
	case d.flag("0") && !strings.ContainsRune("srac", d.kind):
		f.fill, f.align = '0', '='
	}
	p.out.WriteString(f.place(p.m, sign, body, '>'))
	return nil
}

func (p *percenter) text(d *directive, v any) (s string, err error) {
	if d.kind == 's' {
		s, err = Str(p.m, v)
	} else {
		s, err = Repr(p.m, v)
	}
	if _, already := v.(Markup); p.safe && (!already || d.kind != 's') {
		s = EscapeText(p.m, s)
	}
	if d.kind == 'a' {
		s = ascii(s)
	}
	p.m.Bytes(len(s))
	if d.precision >= 0 && d.precision < int64(utf8.RuneCountInString(s)) {
		s = string([]rune(s)[:d.precision])
	}
	return s, err
}
