package python

import (
	"strings"
	"unicode/utf8"
)

// printer is pprint.pformat in 80 columns.
type printer struct {
	m   *Meter
	out strings.Builder
}

const columns = 80

// PFormat is pprint.pformat(v).
func PFormat(m *Meter, v any) (string, error) {
	p := &printer{m: m}
	err := p.value(v, 0, 0, 1)
	return p.out.String(), err
}

// value writes v where indent columns are taken before it and allowance must stay free behind it.
func (p *printer) value(v any, indent, allowance, level int) error {
	if p.out.Len() > MaxBytes {
		exceeded("string too large")
	}
	s, err := Repr(p.m, ordered(p.m, v, 0))
	if err != nil {
		return err
	}
	if utf8.RuneCountInString(s) <= columns-indent-allowance {
		p.out.WriteString(s)
		return nil
	}
	switch x := v.(type) {
	case *Dict:
		return p.dict(x, indent, allowance+1, level)
	case *List:
		return p.items("[", "]", x.Items, indent, allowance, level)
	case *Tuple:
		end := ")"
		if len(x.Items) == 1 {
			end = ",)"
		}
		if !x.Group {
			return p.items("(", end, x.Items, indent, allowance, level)
		}
	case string:
		return p.string(x, indent, allowance, level)
	}
	p.out.WriteString(s)
	return nil
}

// ordered sorts the keys of dicts, as pprint shows them.
func ordered(m *Meter, v any, depth int) any {
	m.Nested(depth)
	each := func(items []any) []any {
		out := make([]any, len(items))
		for i, item := range items {
			out[i] = ordered(m, item, depth+1)
		}
		return out
	}
	switch x := v.(type) {
	case *List:
		return &List{each(x.Items)}
	case *Tuple:
		if !x.Group {
			return &Tuple{Items: each(x.Items)}
		}
	case *Dict:
		out := NewDict()
		for _, i := range keyOrder(m, x) {
			_ = out.Set(m, x.keys[i], ordered(m, x.values[i], depth+1)) // a key of another dict
		}
		return out
	}
	return v
}

// keyOrder sorts the places of a dict by key; keys that do not compare stand by the name of their type.
func keyOrder(m *Meter, d *Dict) []int64 {
	places := make([]any, d.Len())
	for i := range places {
		places[i] = int64(i)
	}
	sorted, err := Sorted(m, places, func(i any) (any, error) { return d.keys[i.(int64)], nil }, false)
	if err != nil {
		sorted, _ = Sorted(m, places, func(i any) (any, error) {
			k := d.keys[i.(int64)]
			if k == nil {
				return "<class 'NoneType'>", nil
			}
			return "<class '" + TypeName(k) + "'>", nil
		}, false)
	}
	out := make([]int64, len(sorted))
	for i, place := range sorted {
		out[i] = place.(int64)
	}
	return out
}

func (p *printer) dict(d *Dict, indent, allowance, level int) error {
	p.out.WriteByte('{')
	for i, place := range keyOrder(p.m, d) {
		if i > 0 {
			p.out.WriteString(",\n" + strings.Repeat(" ", indent+1))
		}
		k, err := Repr(p.m, ordered(p.m, d.keys[place], 0))
		if err != nil {
			return err
		}
		p.out.WriteString(k + ": ")
		room := 1
		if i == d.Len()-1 {
			room = allowance
		}
		if err := p.value(d.values[place], indent+1+utf8.RuneCountInString(k)+2, room, level+1); err != nil {
			return err
		}
	}
	p.out.WriteByte('}')
	return nil
}

func (p *printer) items(open, end string, items []any, indent, allowance, level int) error {
	p.out.WriteString(open)
	for i, item := range items {
		if i > 0 {
			p.out.WriteString(",\n" + strings.Repeat(" ", indent+1))
		}
		room := 1
		if i == len(items)-1 {
			room = allowance + len(end)
		}
		if err := p.value(item, indent+1, room, level+1); err != nil {
			return err
		}
	}
	p.out.WriteString(end)
	return nil
}

// string cuts a long text into literals, one below the other.
func (p *printer) string(s string, indent, allowance, level int) error {
	lines := SplitLines(p.m, s, true)
	if level == 1 {
		indent++
		allowance++
	}
	var chunks []string
	for i, line := range lines {
		width := columns - indent
		if i == len(lines)-1 {
			width -= allowance
		}
		if q := Quote(line); utf8.RuneCountInString(q) <= width {
			chunks = append(chunks, q)
			continue
		}
		parts := spaced(line)
		current := ""
		for j, part := range parts {
			p.m.Charge(1 + len(current)/perStep)
			room := columns - indent
			if j == len(parts)-1 && i == len(lines)-1 {
				room -= allowance
			}
			if utf8.RuneCountInString(Quote(current+part)) > room && current != "" {
				chunks = append(chunks, Quote(current))
				current = part
			} else {
				current += part
			}
		}
		if current != "" {
			chunks = append(chunks, Quote(current))
		}
	}
	if len(chunks) == 1 {
		p.out.WriteString(chunks[0])
		return nil
	}
	joined := Join(p.m, chunks, "\n"+strings.Repeat(" ", indent))
	if level == 1 {
		joined = "(" + joined + ")"
	}
	p.out.WriteString(joined)
	return nil
}

// spaced cuts behind white space.
func spaced(s string) []string {
	var parts []string
	for s != "" {
		at := strings.IndexFunc(s, IsSpace)
		if at < 0 {
			return append(parts, s)
		}
		end := at + len(s[at:]) - len(strings.TrimLeftFunc(s[at:], IsSpace))
		parts = append(parts, s[:end])
		s = s[end:]
	}
	return parts
}
