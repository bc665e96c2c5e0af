package python

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Dump says how json.dumps writes; Indent nil is one line.
type Dump struct {
	Indent      any
	Separators  any
	EnsureASCII bool
	SortKeys    bool
}

type jsonWriter struct {
	m           *Meter
	out         strings.Builder
	indented    bool
	indent      string
	item, colon string
	Dump
}

// JSON is json.dumps(v).
func JSON(m *Meter, v any, d Dump) (string, error) {
	w := &jsonWriter{m: m, item: ", ", colon: ": ", Dump: d}
	if _, alone := IsString(v); d.Indent != nil && !alone {
		w.indented, w.item = true, ","
		indent, isString := IsString(d.Indent)
		if !isString {
			margin, err := Binary(m, "*", " ", d.Indent)
			if err != nil {
				return "", err
			}
			indent, _ = IsString(margin)
		}
		w.indent = indent
	}
	if d.Separators != nil {
		parts, err := Items(m, d.Separators)
		if err != nil {
			return "", err
		}
		if len(parts) != 2 {
			return "", valueError("separators are two, not %d", len(parts))
		}
		if w.item, w.colon, err = two(parts); err != nil {
			return "", err
		}
	}
	err := w.value(v, 0)
	return w.out.String(), err
}

func (w *jsonWriter) value(v any, depth int) error {
	w.m.Nested(depth)
	if w.out.Len() > MaxBytes {
		exceeded("string too large")
	}
	switch x := v.(type) {
	case nil, bool, int64, *big.Int, float64:
		s, err := jsonScalar(v)
		w.out.WriteString(s)
		return err
	case string:
		w.string(x)
	case Markup:
		w.string(string(x))
	case *List:
		return w.sequence('[', ']', len(x.Items), depth, func(i int) error { return w.value(x.Items[i], depth+1) })
	case *Tuple:
		return w.sequence('[', ']', len(x.Items), depth, func(i int) error { return w.value(x.Items[i], depth+1) })
	case *Dict:
		return w.dict(x, depth)
	default:
		return typeError("Object of type %s is not JSON serializable", TypeName(v))
	}
	return nil
}

func jsonScalar(v any) (string, error) {
	switch x := v.(type) {
	case nil:
		return "null", nil
	case bool:
		return strconv.FormatBool(x), nil
	case int64:
		return strconv.FormatInt(x, 10), nil
	case *big.Int:
		return bigText(x)
	}
	return strings.NewReplacer("nan", "NaN", "inf", "Infinity").Replace(FormatFloat(v.(float64))), nil
}

func (w *jsonWriter) dict(d *Dict, depth int) error {
	places := make([]any, d.Len())
	for i := range places {
		places[i] = int64(i)
	}
	if w.SortKeys {
		items, err := Sorted(w.m, places, func(i any) (any, error) {
			return &Tuple{Items: []any{d.keys[i.(int64)], d.values[i.(int64)]}}, nil
		}, false)
		if err != nil {
			return err
		}
		places = items
	}
	return w.sequence('{', '}', len(places), depth, func(i int) error {
		place := places[i].(int64)
		switch k := d.keys[place].(type) {
		case string:
			w.string(k)
		case Markup:
			w.string(string(k))
		case nil, bool, int64, *big.Int, float64:
			s, err := jsonScalar(k)
			if err != nil {
				return err
			}
			w.string(s)
		default:
			return typeError("keys must be str, int, float, bool or None, not %s", TypeName(k))
		}
		w.out.WriteString(w.colon)
		return w.value(d.values[place], depth+1)
	})
}

func (w *jsonWriter) sequence(open, end byte, n, depth int, each func(i int) error) error {
	w.out.WriteByte(open)
	for i := range n {
		if i > 0 {
			w.out.WriteString(w.item)
		}
		w.newline(depth + 1)
		if err := each(i); err != nil {
			return err
		}
	}
	if n > 0 {
		w.newline(depth)
	}
	w.out.WriteByte(end)
	return nil
}

func (w *jsonWriter) newline(depth int) {
	if w.indented {
		w.out.WriteByte('\n')
		w.m.Bytes(w.out.Len() / MaxBytes * 2 * MaxBytes)
		w.out.WriteString(strings.Repeat(w.indent, w.m.Times(int64(depth), len(w.indent))))
	}
}

var jsonShort = map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}

func (w *jsonWriter) string(s string) {
	w.m.Bytes(w.out.Len()/MaxBytes*2*MaxBytes + len(s))
	w.out.WriteByte('"')
	for _, r := range s {
		switch {
		case jsonShort[r] != "":
			w.out.WriteString(jsonShort[r])
		case r < 0x20 || w.EnsureASCII && r >= 0x7f && r < 0x10000:
			fmt.Fprintf(&w.out, `\u%04x`, r)
		case w.EnsureASCII && r >= 0x10000:
			r -= 0x10000
			fmt.Fprintf(&w.out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			w.out.WriteRune(r)
		}
	}
	w.out.WriteByte('"')
}
