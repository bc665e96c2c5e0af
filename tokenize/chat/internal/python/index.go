package python

import (
	"math/big"
	"unicode/utf8"
)

// Bounds are the three parts of a slice; nil where one is left out.
type Bounds [3]any

// Item is v[key]; ok is false where Python raises a LookupError, or a TypeError because v has no items or key is of
// another kind.
func Item(m *Meter, v, key any) (value any, ok bool, err error) {
	switch x := v.(type) {
	case *Undefined:
		return nil, false, x.Err()
	case *Dict:
		value, ok, err := x.Get(m, key)
		if e, isPython := err.(*Error); isPython && e.Class == "TypeError" { //nolint:errorlint // made by Hash, unwrapped
			return nil, false, nil
		}
		return value, ok, err
	case Indexed:
		return x.Item(key)
	}
	i, isInt := position(key)
	if !isInt {
		return nil, false, nil
	}
	switch x := v.(type) {
	case *List:
		if i, ok = place(i, len(x.Items)); ok {
			return x.Items[i], true, nil
		}
	case *Tuple:
		if i, ok = place(i, len(x.Items)); ok {
			return x.Items[i], true, nil
		}
	case *Range:
		if i, ok = place(i, x.Len); ok {
			return x.At(int(i)), true, nil
		}
	case string:
		c, ok := char(m, x, i)
		return c, ok, nil
	case Markup:
		c, ok := char(m, string(x), i)
		return Markup(c), ok, nil
	}
	return nil, false, nil
}

func position(key any) (int64, bool) {
	if _, ok := key.(*big.Int); ok {
		return 1 << 62, true
	}
	return Small(key)
}

// place turns an index that may count from the end into a plain one.
func place(i int64, n int) (int64, bool) {
	if i < 0 {
		i += int64(n)
	}
	return i, i >= 0 && i < int64(n)
}

func char(m *Meter, s string, i int64) (string, bool) {
	m.Bytes(len(s))
	i, ok := place(i, utf8.RuneCountInString(s))
	if !ok {
		return "", false
	}
	for at, r := range s {
		if i--; i < 0 {
			return s[at : at+utf8.RuneLen(r)], true
		}
	}
	return "", false
}

// Slice is v[from:to:step].
func Slice(m *Meter, v any, b Bounds) (any, error) {
	switch x := v.(type) {
	case string:
		return cutString(m, x, b)
	case Markup:
		s, err := cutString(m, string(x), b)
		return Markup(s), err
	case *List:
		items, err := cut(m, x.Items, b)
		return &List{items}, err
	case *Tuple:
		items, err := cut(m, x.Items, b)
		return &Tuple{Items: items}, err
	case *Range:
		from, to, step, err := b.indices(int64(x.Len))
		if err != nil {
			return nil, err
		}
		return NewRange(x.From+from*x.Step, x.From+to*x.Step, x.Step*step), nil
	case *Dict:
		return nil, typeError("unhashable type: 'slice'")
	case *Undefined:
		return nil, x.Err()
	}
	return nil, typeError("'%s' object is not subscriptable", TypeName(v))
}

// NewRange makes a range; its step is not zero.
func NewRange(from, to, step int64) *Range {
	n := int64(0)
	if step > 0 && from < to {
		n = (to-from-1)/step + 1
	} else if step < 0 && from > to {
		n = (from-to-1)/-step + 1
	}
	return &Range{From: from, To: to, Step: step, Len: int(n)}
}

func cutString(m *Meter, s string, b Bounds) (string, error) {
	m.Bytes(len(s))
	runes, err := cut(m, []rune(s), b)
	return string(runes), err
}

func cut[T any](m *Meter, items []T, b Bounds) ([]T, error) {
	n := int64(len(items))
	from, to, step, err := b.indices(n)
	if err != nil {
		return nil, err
	}
	m.Charge(len(items) / 4)
	var out []T
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		out = append(out, items[i])
		if step > n || -step > n {
			break
		}
	}
	return out, nil
}

// indices are the bounds within a length, as Python's slice.indices gives them.
func (b Bounds) indices(n int64) (from, to, step int64, err error) {
	step = 1
	if b[2] != nil {
		if step, err = sliceIndex(b[2]); err != nil {
			return 0, 0, 0, err
		}
		if step == 0 {
			return 0, 0, 0, valueError("slice step cannot be zero")
		}
	}
	low, high := int64(0), n
	if step < 0 {
		low, high = -1, n-1
	}
	limit := func(v any, fallback int64) int64 {
		if v == nil {
			return fallback
		}
		i, failed := sliceIndex(v)
		if failed != nil {
			err = failed
		}
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	if step > 0 {
		from, to = limit(b[0], low), limit(b[1], high)
	} else {
		from, to = limit(b[0], high), limit(b[1], low)
	}
	return from, to, step, err
}

func sliceIndex(v any) (int64, error) {
	i, err := Index(v)
	if err != nil {
		return 0, typeError("slice indices must be integers or None or have an __index__ method")
	}
	return min(max(i, -far), far), nil
}
