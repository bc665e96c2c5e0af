package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// FromJSON reads a JSON text into values, keys in their order. Integers beyond 64 bits are refused.
func FromJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := fromJSON(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more follows the JSON value")
	}
	return v, nil
}

func fromJSON(d *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("JSON nests deeper than %d", maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch x := t.(type) {
	case json.Number:
		return fromNumber(x.String())
	case json.Delim:
		if x == '[' {
			l := &List{}
			for d.More() {
				v, err := fromJSON(d, depth+1)
				if err != nil {
					return nil, err
				}
				l.Items = append(l.Items, v)
			}
			_, err = d.Token()
			return l, err
		}
		out := NewDict()
		for d.More() {
			k, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := fromJSON(d, depth+1)
			if err != nil {
				return nil, err
			}
			out.Set(k, v)
		}
		_, err = d.Token()
		return out, err
	}
	return t, nil
}

func fromNumber(s string) (any, error) {
	if strings.ContainsAny(s, ".eE") {
		return strconv.ParseFloat(s, 64)
	}
	i, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("integer %s is too large", s)
	}
	return i, nil
}

// toJSONFilter is the tojson of transformers: json.dumps without escaping what is not ASCII, keys unsorted.
func toJSONFilter(v any, c *call) (any, error) {
	w := jsonWriter{r: c.r, item: ", ", colon: ": "}
	switch indent := c.arg(1, "indent", nil).(type) {
	case nil:
	case string:
		w.indent, w.item = &indent, ","
	default:
		n, ok := integer(indent)
		if !ok || n > 100 {
			return nil, errors.New("indent wants a small number")
		}
		margin := strings.Repeat(" ", int(max(n, 0)))
		w.indent, w.item = &margin, ","
	}
	w.sorted = truth(c.arg(3, "sort_keys", false))
	w.ascii = truth(c.arg(0, "ensure_ascii", false))
	if separators, ok := c.arg(2, "separators", nil).(*List); ok && len(separators.Items) == 2 {
		w.item, w.colon = c.r.text(separators.Items[0]), c.r.text(separators.Items[1])
	}
	if err := w.value(v, 0); err != nil {
		return nil, err
	}
	return limited(w.out.String())
}

type jsonWriter struct {
	r           *renderer
	out         strings.Builder
	indent      *string
	item, colon string
	sorted      bool
	ascii       bool
}

func (w *jsonWriter) value(v any, depth int) error {
	w.r.nested(depth, 1)
	w.r.room(&w.out, 0)
	switch x := v.(type) {
	case nil:
		w.out.WriteString("null")
	case bool:
		w.out.WriteString(strconv.FormatBool(x))
	case int64:
		w.out.WriteString(strconv.FormatInt(x, 10))
	case float64:
		w.out.WriteString(strings.NewReplacer("nan", "NaN", "inf", "Infinity").Replace(formatFloat(x)))
	case string:
		w.string(x)
	case *List:
		return w.sequence('[', ']', len(x.Items), depth, func(i int) error { return w.value(x.Items[i], depth+1) })
	case *Dict:
		keys := x.keys
		if w.sorted {
			var err error
			if keys, err = w.r.sorted(keys, keys, true, false); err != nil {
				return err
			}
		}
		keys = slices.Clone(keys)
		return w.sequence('{', '}', len(keys), depth, func(i int) error {
			if err := w.key(keys[i]); err != nil {
				return err
			}
			w.out.WriteString(w.colon)
			return w.value(x.values[keys[i]], depth+1)
		})
	default:
		return fmt.Errorf("object of type %s is not JSON serializable", typeName(v))
	}
	return nil
}

func (w *jsonWriter) key(k any) error {
	if s, ok := k.(string); ok {
		w.string(s)
		return nil
	}
	inner := jsonWriter{r: w.r}
	if err := inner.value(k, 0); err != nil {
		return err
	}
	w.string(inner.out.String())
	return nil
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
	if w.indent != nil {
		w.r.room(&w.out, depth*len(*w.indent))
		w.out.WriteByte('\n')
		w.out.WriteString(strings.Repeat(*w.indent, depth))
	}
}

func (w *jsonWriter) string(s string) {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\b': `\b`, '\f': `\f`}
	w.r.room(&w.out, len(s))
	w.out.WriteByte('"')
	for _, r := range s {
		switch {
		case short[r] != "":
			w.out.WriteString(short[r])
		case r < 0x20 || w.ascii && r >= 0x7f && r < 0x10000:
			fmt.Fprintf(&w.out, `\u%04x`, r)
		case w.ascii && r >= 0x10000:
			r -= 0x10000
			fmt.Fprintf(&w.out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			w.out.WriteRune(r)
		}
	}
	w.out.WriteByte('"')
}
