package python

import (
	"fmt"
	"math"
	"math/big"
	"strings"
)

// Dict is a mapping that keeps the order in which keys came.
type Dict struct {
	places map[any]int
	keys   []any
	values []any
}

// NewDict returns an empty mapping.
func NewDict() *Dict { return &Dict{places: map[any]int{}} }

// Len counts the entries.
func (d *Dict) Len() int { return len(d.keys) }

// Keys are in order; the caller must not change them.
func (d *Dict) Keys() []any { return d.keys }

// At returns an entry by its place.
func (d *Dict) At(i int) (key, value any) { return d.keys[i], d.values[i] }

// SetString puts a value under a key that is a string.
func (d *Dict) SetString(key string, value any) { d.put(key, key, value) }

// GetString returns the value of a key that is a string.
func (d *Dict) GetString(key string) (any, bool) {
	if i, ok := d.places[key]; ok {
		return d.values[i], true
	}
	return nil, false
}

func (d *Dict) put(hashed, key, value any) {
	if i, ok := d.places[hashed]; ok {
		d.values[i] = value
		return
	}
	d.places[hashed] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, value)
}

// Set puts a value, at the end if the key is new.
func (d *Dict) Set(m *Meter, key, value any) error {
	h, err := Hash(m, key)
	if err != nil {
		return err
	}
	m.Charge(1)
	d.put(h, key, value)
	return nil
}

// Get returns the value of a key.
func (d *Dict) Get(m *Meter, key any) (any, bool, error) {
	h, err := Hash(m, key)
	if err != nil {
		return nil, false, err
	}
	if i, ok := d.places[h]; ok {
		return d.values[i], true, nil
	}
	return nil, false, nil
}

// Update puts the entries of another mapping.
func (d *Dict) Update(m *Meter, from *Dict) error {
	for i, k := range from.keys {
		if err := d.Set(m, k, from.values[i]); err != nil {
			return err
		}
	}
	return nil
}

// bigKey and tupleKey are the hashes of what is no Go key by itself.
type (
	bigKey   string
	tupleKey string
	undefKey struct{}
)

func writeHash(b *strings.Builder, h any) { fmt.Fprintf(b, "%T %d %v;", h, len(fmt.Sprint(h)), h) }

// Hash makes a value a key of Go's maps: equal values have one hash, such as 1, 1.0 and True.
func Hash(m *Meter, v any) (any, error) { return hash(m, v, 0) }

func hash(m *Meter, v any, depth int) (any, error) {
	m.Nested(depth)
	switch x := v.(type) {
	case nil, string, int64, *Func, *Iterator:
		return x, nil
	case Markup:
		return string(x), nil
	case bool:
		if x {
			return int64(1), nil
		}
		return int64(0), nil
	case *big.Int:
		return bigKey(x.String()), nil
	case float64:
		if x == math.Trunc(x) && !math.IsInf(x, 0) {
			if math.Abs(x) < 1<<62 {
				return int64(x), nil
			}
			i, _ := big.NewFloat(x).Int(nil)
			return bigKey(i.String()), nil
		}
		return x, nil
	case *Undefined:
		return undefKey{}, nil
	case *Range:
		return [3]int64{x.From, int64(x.Len), x.Step}, nil
	case *Tuple:
		var b strings.Builder
		for _, item := range x.Items {
			h, err := hash(m, item, depth+1)
			if err != nil {
				return nil, err
			}
			m.Bytes(b.Len())
			writeHash(&b, h)
		}
		return tupleKey(b.String()), nil
	case *View:
		if x.Kind == "values" {
			return x, nil
		}
		return nil, typeError("unhashable type: '%s'", TypeName(v))
	case *List, *Dict:
		return nil, typeError("unhashable type: '%s'", TypeName(v))
	}
	return v, nil // pointers of what templates make
}
