package python

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Lookup is how str.format reaches into values: the sandbox's own way.
type Lookup struct {
	Attr func(v any, name string) (any, error)
	Item func(v, key any) (any, error)
}

// formatter is one call of str.format.
type formatter struct {
	m       *Meter
	in      Lookup
	args    []any
	named   func(name string) (any, bool, error)
	auto    int // next number; -1 once fields are numbered by hand
	manual  bool
	escapes bool
}

// FormatString is s.format(*args, **kwargs) as the sandbox does it; Markup escapes what it puts in.
func FormatString(m *Meter, in Lookup, s any, args []any, named func(name string) (any, bool, error)) (any, error) {
	text, _ := IsString(s)
	_, safe := s.(Markup)
	f := &formatter{m: m, in: in, args: args, named: named, escapes: safe}
	out, err := f.expand(text, 2)
	if err != nil {
		return nil, err
	}
	if safe {
		return Markup(out), nil
	}
	return out, nil
}

func (f *formatter) expand(s string, depth int) (string, error) {
	if depth < 0 {
		return "", valueError("Max string recursion exceeded")
	}
	f.m.Bytes(len(s))
	var b strings.Builder
	for s != "" {
		at := strings.IndexAny(s, "{}")
		if at < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:at])
		c := s[at]
		if s = s[at+1:]; s != "" && s[0] == c {
			b.WriteByte(c)
			s = s[1:]
			continue
		}
		if c == '}' || s == "" {
			return "", valueError("Single '%c' encountered in format string", c)
		}
		field, conversion, specification, rest, err := cutField(s)
		if err != nil {
			return "", err
		}
		s = rest
		text, err := f.field(field, conversion, specification, depth)
		if err != nil {
			return "", err
		}
		f.m.Bytes(b.Len()/MaxBytes*MaxBytes*2 + len(text))
		b.WriteString(text)
	}
	return b.String(), nil
}

// cutField takes name[!conversion][:specification] up to its brace.
func cutField(s string) (name, conversion, specification, rest string, err error) {
	depth, end, bracket := 1, -1, false
	for i, c := range s {
		switch {
		case c == '[' && depth == 1 && end < 0:
			bracket = true
		case c == ']':
			bracket = false
		case bracket:
		case c == '{':
			if end < 0 {
				return "", "", "", "", valueError("unexpected '{' in field name")
			}
			depth++
		case c == '}':
			depth--
		case (c == ':' || c == '!') && end < 0:
			end = i
		}
		if depth == 0 {
			if end < 0 {
				end = i
			}
			name, rest = s[:end], s[i+1:]
			conversion, specification, err = cutConversion(s[end:i])
			return name, conversion, specification, rest, err
		}
	}
	return "", "", "", "", valueError("expected '}' before end of string")
}

func cutConversion(s string) (conversion, specification string, err error) {
	if strings.HasPrefix(s, "!") {
		runes := []rune(s[1:])
		switch {
		case len(runes) == 0:
			return "", "", valueError("unmatched '{' in format spec")
		case len(runes) > 1 && runes[1] != ':':
			return "", "", valueError("expected ':' after conversion specifier")
		}
		conversion, s = string(runes[0]), string(runes[1:])
	}
	return conversion, strings.TrimPrefix(s, ":"), nil
}

func (f *formatter) field(name, conversion, specification string, depth int) (string, error) {
	f.m.Charge(1)
	switch {
	case name == "":
		if f.manual {
			return "", valueError("cannot switch from manual field specification to automatic field numbering")
		}
		name = strconv.Itoa(f.auto)
		f.auto++
	case every(name, isDigit):
		if f.auto > 0 {
			return "", valueError("cannot switch from automatic field numbering to manual field specification")
		}
		f.manual = true
	}
	v, err := f.value(name)
	if err != nil {
		return "", err
	}
	switch conversion {
	case "":
	case "s":
		v, err = Str(f.m, v)
	case "r":
		v, err = Repr(f.m, v)
	case "a":
		var s string
		s, err = Repr(f.m, v)
		v = ascii(s)
	default:
		return "", valueError("Unknown conversion specifier %s", conversion)
	}
	if err != nil {
		return "", err
	}
	if specification, err = f.expand(specification, depth-1); err != nil {
		return "", err
	}
	return f.text(v, specification)
}

func (f *formatter) text(v any, specification string) (string, error) {
	if !f.escapes {
		return Format(f.m, v, specification)
	}
	if safe, ok := v.(Markup); ok {
		if specification != "" {
			return "", valueError("Unsupported format specification for Markup.")
		}
		return string(safe), nil
	}
	s, err := Format(f.m, v, specification)
	return EscapeText(f.m, s), err
}

// value follows first.attribute[item].
func (f *formatter) value(name string) (any, error) {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v, err := f.first(name[:end])
	if err != nil {
		return nil, err
	}
	for rest := name[end:]; rest != ""; {
		if rest[0] == '[' {
			key, after, ok := strings.Cut(rest[1:], "]")
			switch {
			case !ok:
				return nil, valueError("Missing ']' in format string")
			case key == "":
				return nil, valueError("Empty attribute in format string")
			}
			if after != "" && after[0] != '.' && after[0] != '[' {
				return nil, valueError("Only '.' or '[' may follow ']' in format field specifier")
			}
			v, err = f.in.Item(v, fieldKey(key))
			rest = after
		} else {
			end := strings.IndexAny(rest[1:], ".[") + 1
			if end == 0 {
				end = len(rest)
			}
			if end == 1 {
				return nil, valueError("Empty attribute in format string")
			}
			v, err = f.in.Attr(v, rest[1:end])
			rest = rest[end:]
		}
		if err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (f *formatter) first(name string) (any, error) {
	if i, ok := fieldKey(name).(int64); ok {
		if i >= int64(len(f.args)) {
			return nil, Errorf("IndexError", "Replacement index %d out of range for positional args tuple", i)
		}
		return f.args[i], nil
	}
	v, ok, err := f.named(name)
	if err == nil && !ok {
		err = Errorf("KeyError", "%s", Quote(shortened(name)))
	}
	return v, err
}

// fieldKey is a number if it is all decimal digits.
func fieldKey(s string) any {
	if s == "" || strings.IndexFunc(s, func(r rune) bool { return !unicode.IsDigit(r) }) >= 0 || len(s) > 15 {
		return s
	}
	n := int64(0)
	for _, r := range s {
		n = n*10 + int64(decimal(r))
	}
	return n
}

// ascii escapes what is not ASCII.
func ascii(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}
