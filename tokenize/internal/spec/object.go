package spec

import (
	"math"
	"slices"

	"textmill/tokenize/internal/jsonread"
)

// fields is a small object whose members are read by name, as the type may come after what depends on it.
type fields struct {
	r   *jsonread.Reader
	raw map[string][]byte
}

// maxCount bounds lengths and counts in the file; whatever is larger is a mistake.
const maxCount = math.MaxInt32

func object(r *jsonread.Reader) fields {
	o := fields{r: r, raw: map[string][]byte{}}
	r.Object(func(key string) { o.raw[key] = r.Raw() })
	return o
}

// has reports whether the member is there and not null.
func (o fields) has(name string) bool {
	raw, ok := o.raw[name]
	return ok && string(raw) != "null"
}

// read reads a member that must be there.
func (o fields) read(name string, read func(*jsonread.Reader)) {
	raw, ok := o.raw[name]
	if !ok {
		o.r.Failf("%s is missing", name)
		return
	}
	o.r.Sub(name, raw, read)
}

func (o fields) str(name string) (s string) {
	o.read(name, func(r *jsonread.Reader) { s = r.String() })
	return s
}

func (o fields) flag(name string) (v bool) {
	o.read(name, func(r *jsonread.Reader) { v = r.Bool() })
	return v
}

func (o fields) id(name string) (v int32) {
	o.read(name, func(r *jsonread.Reader) { v = r.ID() })
	return v
}

func (o fields) count(name string) (v int) {
	o.read(name, func(r *jsonread.Reader) { v = int(r.Uint(maxCount)) })
	return v
}

func (o fields) char(name string) (c rune) {
	o.read(name, func(r *jsonread.Reader) { c = r.Rune() })
	return c
}

// flagOr is a flag that may be left out.
func (o fields) flagOr(name string, missing bool) bool {
	if _, ok := o.raw[name]; !ok {
		return missing
	}
	return o.flag(name)
}

// word is one of the given words; when missing is not "", it may be left out.
func (o fields) word(name, missing string, words ...string) (s string) {
	if _, ok := o.raw[name]; !ok && missing != "" {
		return missing
	}
	o.read(name, func(r *jsonread.Reader) {
		s = r.String()
		if !slices.Contains(words, s) {
			r.Failf("%q is not one of %q", s, words)
		}
	})
	return s
}

func (o fields) pattern() (p Pattern) {
	o.read("pattern", func(r *jsonread.Reader) {
		n := 0
		r.Object(func(key string) {
			n++
			switch key {
			case "String":
				p.Text = r.String()
			case "Regex":
				p.Text, p.Regex = r.String(), true
			default:
				r.Failf("unknown kind of pattern")
			}
		})
		if n != 1 {
			r.Failf("expected exactly one of String and Regex")
		}
	})
	return p
}

// each reads the list of steps that a Sequence has under name.
func (o fields) each(name string, read func(*jsonread.Reader)) {
	o.read(name, func(r *jsonread.Reader) { r.Array(func(int) { read(r) }) })
}

// typ is the object's type.
func (o fields) typ() string { return o.str("type") }

// unknown refuses a type by its name.
func (o fields) unknown(what, typ string) {
	o.r.Failf("%s %q is not supported", what, typ)
}
