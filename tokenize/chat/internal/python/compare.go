package python

import (
	"math"
	"math/big"
	"strings"
)

// Equal is a == b.
func Equal(m *Meter, a, b any) bool { return equal(m, a, b, 0) }

func equal(m *Meter, a, b any, depth int) bool {
	m.Nested(depth)
	if c, ok := compareNumbers(a, b); ok {
		return c == 0
	}
	if s, ok := IsString(a); ok {
		t, ok := IsString(b)
		if ok && len(s) == len(t) {
			m.Charge(len(s) / perStep)
		}
		return ok && s == t
	}
	switch x := a.(type) {
	case nil:
		return b == nil
	case *Undefined:
		_, ok := b.(*Undefined)
		return ok
	case *List:
		y, ok := b.(*List)
		return ok && equalItems(m, x.Items, y.Items, depth)
	case *Tuple:
		y, ok := b.(*Tuple)
		return ok && equalItems(m, x.Items, y.Items, depth)
	case *Dict:
		y, ok := b.(*Dict)
		return ok && equalDicts(m, x, y, depth)
	case *Range:
		y, ok := b.(*Range)
		return ok && x.Len == y.Len && (x.Len == 0 || x.From == y.From && (x.Len == 1 || x.Step == y.Step))
	case *View:
		y, ok := b.(*View)
		if !ok || x.Kind == "values" || y.Kind == "values" || x.Dict.Len() != y.Dict.Len() {
			return a == b
		}
		for i := range x.Dict.Len() {
			if in, err := Contains(m, y, x.At(i)); err != nil || !in {
				return false
			}
		}
		return true
	}
	return a == b
}

// equalItems compares as lists do, where an item is equal to itself.
func equalItems(m *Meter, a, b []any, depth int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equal(m, a[i], b[i], depth+1) {
			return false
		}
	}
	return true
}

func equalDicts(m *Meter, x, y *Dict, depth int) bool {
	if x.Len() != y.Len() {
		return false
	}
	for i, k := range x.keys {
		v, ok, err := y.Get(m, k)
		if err != nil || !ok || !equal(m, x.values[i], v, depth+1) {
			return false
		}
	}
	return true
}

// compareNumbers orders two numbers exactly; 2 stands for unordered.
func compareNumbers(a, b any) (order int, ok bool) {
	if x, isInt := Small(a); isInt {
		if y, isInt := Small(b); isInt {
			return cmp(x, y), true
		}
	}
	f, fok := a.(float64)
	g, gok := b.(float64)
	if fok && gok {
		return cmpFloats(f, g), true
	}
	if fok {
		if y, isInt := integer(b); isInt {
			return compareFloat(f, y), true
		}
		return 0, false
	}
	x, isInt := integer(a)
	if !isInt {
		return 0, false
	}
	if gok {
		c := compareFloat(g, x)
		if c == 2 {
			return 2, true
		}
		return -c, true
	}
	if y, isInt := integer(b); isInt {
		return x.Cmp(y), true
	}
	return 0, false
}

func cmp[T int64 | float64 | int](x, y T) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func cmpFloats(f, g float64) int {
	if math.IsNaN(f) || math.IsNaN(g) {
		return 2
	}
	return cmp(f, g)
}

func compareFloat(f float64, i *big.Int) int {
	switch {
	case math.IsNaN(f):
		return 2
	case math.IsInf(f, 0):
		return cmp(f, 0)
	}
	return new(big.Float).SetFloat64(f).Cmp(new(big.Float).SetInt(i))
}

// Less is a < b, and Order the other three: op is <, <=, > or >=.
func Less(m *Meter, a, b any) (bool, error) { return Order(m, "<", a, b) }

// Order compares with an operator that orders.
func Order(m *Meter, op string, a, b any) (bool, error) { return order(m, op, a, b, 0) }

func order(m *Meter, op string, a, b any, depth int) (bool, error) {
	m.Nested(depth)
	if c, ok := compareNumbers(a, b); ok {
		return c != 2 && holds(op, c), nil
	}
	if s, ok := IsString(a); ok {
		if t, ok := IsString(b); ok {
			m.Charge(min(len(s), len(t)) / perStep)
			return holds(op, strings.Compare(s, t)), nil
		}
	}
	if x, ok := a.(*List); ok {
		if y, ok := b.(*List); ok {
			return orderItems(m, op, x.Items, y.Items, depth)
		}
	}
	if x, ok := a.(*Tuple); ok {
		if y, ok := b.(*Tuple); ok {
			return orderItems(m, op, x.Items, y.Items, depth)
		}
	}
	for _, v := range []any{a, b} {
		if u, ok := v.(*Undefined); ok {
			return false, u.Err()
		}
	}
	if x, ok := a.(*View); ok && x.Kind != "values" {
		if y, ok := b.(*View); ok && y.Kind != "values" {
			return orderViews(m, op, x, y)
		}
	}
	return false, typeError("'%s' not supported between instances of '%s' and '%s'", op, TypeName(a), TypeName(b))
}

func orderItems(m *Meter, op string, a, b []any, depth int) (bool, error) {
	for i := range min(len(a), len(b)) {
		if !equal(m, a[i], b[i], depth+1) {
			return order(m, op, a[i], b[i], depth+1)
		}
	}
	return holds(op, cmp(len(a), len(b))), nil
}

// orderViews asks for subsets.
func orderViews(m *Meter, op string, x, y *View) (bool, error) {
	if op == ">" || op == ">=" {
		x, y = y, x
	}
	if n, of := x.Dict.Len(), y.Dict.Len(); n > of || n == of && (op == "<" || op == ">") {
		return false, nil
	}
	for i := range x.Dict.Len() {
		if in, err := Contains(m, y, x.At(i)); err != nil || !in {
			return false, err
		}
	}
	return true, nil
}

func holds(op string, c int) bool {
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// Contains is v in of.
func Contains(m *Meter, of, v any) (bool, error) {
	if s, ok := IsString(of); ok {
		part, ok := IsString(v)
		if !ok {
			return false, typeError("'in <string>' requires string as left operand, not %s", TypeName(v))
		}
		m.Charge(1 + len(s)/perStep)
		return strings.Contains(s, part), nil
	}
	switch x := of.(type) {
	case *Dict:
		_, in, err := x.Get(m, v)
		return in, err
	case *View:
		switch x.Kind {
		case "keys":
			_, in, err := x.Dict.Get(m, v)
			return in, err
		case "items":
			pair, ok := v.(*Tuple)
			if !ok || len(pair.Items) != 2 {
				return false, nil
			}
			value, in, err := x.Dict.Get(m, pair.Items[0])
			return in && Equal(m, value, pair.Items[1]), err
		}
	}
	found := false
	err := Each(m, of, func(item any) (bool, error) {
		found = Equal(m, item, v)
		return !found, nil
	})
	if e, ok := err.(*Error); ok && e.Class == "TypeError" && !found { //nolint:errorlint // made right here
		if _, iterErr := Iter(m, of); iterErr != nil {
			err = typeError("argument of type '%s' is not iterable", TypeName(of))
		}
	}
	return found, err
}

// Compare is what ==, !=, <, <=, >, >=, in and "not in" say.
func Compare(m *Meter, op string, a, b any) (bool, error) {
	switch op {
	case "==":
		return Equal(m, a, b), nil
	case "!=":
		return !Equal(m, a, b), nil
	case "in":
		return Contains(m, b, a)
	case "not in":
		in, err := Contains(m, b, a)
		return !in, err
	}
	return Order(m, op, a, b)
}
