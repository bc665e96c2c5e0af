package python

import "unicode/utf8"

// Iter is iter(v).
func Iter(m *Meter, v any) (*Iterator, error) {
	switch x := v.(type) {
	case *List:
		return sliceIterator("list_iterator", x.Items), nil
	case *Tuple:
		return sliceIterator("tuple_iterator", x.Items), nil
	case *Dict:
		return sliceIterator("dict_keyiterator", x.keys), nil
	case *Iterator:
		return x, nil
	case string:
		return charIterator(x, func(s string) any { return s }), nil
	case Markup:
		return charIterator(string(x), func(s string) any { return s }), nil
	case *Undefined:
		return sliceIterator("generator", nil), nil
	case *Range:
		i := 0
		return &Iterator{"range_iterator", func() (any, bool, error) {
			if i >= x.Len {
				return nil, false, nil
			}
			i++
			return x.At(i - 1), true, nil
		}}, nil
	case *View:
		i := 0
		return &Iterator{"dict_" + x.Kind + "iterator", func() (any, bool, error) {
			if i >= x.Dict.Len() {
				return nil, false, nil
			}
			i++
			return x.At(i - 1), true, nil
		}}, nil
	case Iterated:
		return x.Iterate(), nil
	}
	return nil, typeError("'%s' object is not iterable", TypeName(v))
}

func sliceIterator(name string, items []any) *Iterator {
	i := 0
	return &Iterator{name, func() (any, bool, error) {
		if i >= len(items) {
			return nil, false, nil
		}
		i++
		return items[i-1], true, nil
	}}
}

func charIterator(s string, wrap func(string) any) *Iterator {
	return &Iterator{"str_iterator", func() (any, bool, error) {
		if s == "" {
			return nil, false, nil
		}
		_, size := utf8.DecodeRuneInString(s)
		c := s[:size]
		s = s[size:]
		return wrap(c), true, nil
	}}
}

// At returns the i-th item.
func (r *Range) At(i int) int64 { return r.From + int64(i)*r.Step }

// At returns the i-th item.
func (v *View) At(i int) any {
	switch v.Kind {
	case "keys":
		return v.Dict.keys[i]
	case "values":
		return v.Dict.values[i]
	}
	return &Tuple{Items: []any{v.Dict.keys[i], v.Dict.values[i]}}
}

// Items is list(v): the caller must not change it.
func Items(m *Meter, v any) ([]any, error) {
	switch x := v.(type) {
	case *List:
		return x.Items, nil
	case *Tuple:
		return x.Items, nil
	case *Dict:
		return x.keys, nil
	}
	it, err := Iter(m, v)
	if err != nil {
		return nil, err
	}
	var items []any
	for {
		m.Charge(1)
		item, ok, err := it.Next()
		if err != nil || !ok {
			return items, err
		}
		items = append(items, item)
	}
}

// Each calls f with each item until it returns false.
func Each(m *Meter, v any, f func(item any) (bool, error)) error {
	it, err := Iter(m, v)
	if err != nil {
		return err
	}
	for {
		m.Charge(1)
		item, ok, err := it.Next()
		if err != nil || !ok {
			return err
		}
		if more, err := f(item); err != nil || !more {
			return err
		}
	}
}

// Len is len(v).
func Len(m *Meter, v any) (int, error) {
	switch x := v.(type) {
	case string:
		m.Charge(len(x) / perStep)
		return utf8.RuneCountInString(x), nil
	case Markup:
		return Len(m, string(x))
	case *List:
		return len(x.Items), nil
	case *Tuple:
		return len(x.Items), nil
	case *Dict:
		return x.Len(), nil
	case *Range:
		return x.Len, nil
	case *View:
		return x.Dict.Len(), nil
	case *Undefined:
		return 0, nil
	case Sized:
		return x.Length()
	}
	return 0, typeError("object of type '%s' has no len()", TypeName(v))
}

// Reversed is reversed(v).
func Reversed(m *Meter, v any) (*Iterator, error) {
	var at func(i int) any
	switch x := v.(type) {
	case *List:
		at = func(i int) any { return x.Items[i] }
	case *Tuple:
		at = func(i int) any { return x.Items[i] }
	case *Dict:
		at = func(i int) any { return x.keys[i] }
	case *Range:
		at = func(i int) any { return x.At(i) }
	case *View:
		at = x.At
	case *Undefined:
		at = func(int) any { return nil }
	case string, Markup:
		items, err := Items(m, v)
		if err != nil {
			return nil, err
		}
		if _, safe := v.(Markup); safe {
			for i, item := range items {
				items[i] = Markup(item.(string))
			}
		}
		at = func(i int) any { return items[i] }
	default:
		return nil, typeError("'%s' object is not reversible", TypeName(v))
	}
	n, err := Len(m, v)
	if err != nil {
		return nil, err
	}
	return &Iterator{"reversed", func() (any, bool, error) {
		if n == 0 {
			return nil, false, nil
		}
		n--
		return at(n), true, nil
	}}, nil
}
