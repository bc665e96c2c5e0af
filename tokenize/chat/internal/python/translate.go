package python

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// translate replaces characters by what a table says of them.
func translate(m *Meter, s string, table any) (any, error) {
	var b strings.Builder
	for _, r := range s {
		m.Charge(1)
		to, ok, err := Item(m, table, int64(r))
		if err != nil {
			return nil, err
		}
		switch x := to.(type) {
		case nil:
			if !ok {
				b.WriteRune(r)
			}
		case int64:
			if x < 0 || x > unicode.MaxRune {
				return nil, valueError("character mapping must be in range(0x110000)")
			}
			b.WriteRune(rune(x))
		default:
			text, isString := IsString(to)
			if !isString {
				return nil, typeError("character mapping must return integer, None or str")
			}
			m.Bytes(b.Len() / MaxBytes * 2 * MaxBytes)
			b.WriteString(text)
		}
	}
	return b.String(), nil
}

func makeTrans(m *Meter, a []any) (any, error) {
	out := NewDict()
	if a[1] == nil {
		from, ok := a[0].(*Dict)
		if !ok {
			return nil, typeError("if you give only one argument to maketrans it must be a dict")
		}
		for i, k := range from.keys {
			if s, ok := IsString(k); ok {
				if utf8.RuneCountInString(s) != 1 {
					return nil, valueError("string keys in translate table must be of length 1")
				}
				k = int64([]rune(s)[0])
			} else if _, ok := Small(k); !ok {
				return nil, typeError("keys in translate table must be strings or integers")
			}
			if err := out.Set(m, k, from.values[i]); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	from, to, err := two(a)
	if err != nil {
		return nil, err
	}
	x, y := []rune(from), []rune(to)
	if len(x) != len(y) {
		return nil, valueError("the first two maketrans arguments must have equal length")
	}
	for i, r := range x {
		if err := out.Set(m, int64(r), int64(y[i])); err != nil {
			return nil, err
		}
	}
	if a[2] != nil {
		drop, err := text("argument 3", a[2])
		if err != nil {
			return nil, err
		}
		for _, r := range drop {
			if err := out.Set(m, int64(r), nil); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
