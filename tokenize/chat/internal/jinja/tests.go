package jinja

import (
	"math/big"

	"textmill/tokenize/chat/internal/python"
)

func addTest(signature string, judge func(c *filterCall, a []any) (any, error), names ...string) {
	sig := python.Sig(signature)
	for _, name := range append(names, sig.Name) {
		tests[name] = &filter{sig: sig, call: judge}
	}
}

// kind makes a test of a type.
func kind(is func(v any) bool) func(c *filterCall, a []any) (any, error) {
	return func(_ *filterCall, a []any) (any, error) { return is(a[0]), nil }
}

func isOf[T any](v any) bool {
	_, ok := v.(T)
	return ok
}

func isInteger(v any) bool { return isOf[int64](v) || isOf[*big.Int](v) }

func addTests() {
	for name, is := range map[string]func(v any) bool{
		"defined":   func(v any) bool { return !isOf[*python.Undefined](v) },
		"undefined": isOf[*python.Undefined],
		"none":      func(v any) bool { return v == nil },
		"boolean":   isOf[bool],
		"true":      func(v any) bool { return v == true },
		"false":     func(v any) bool { return v == false },
		"integer":   isInteger,
		"float":     isOf[float64],
		"number":    python.IsNumber,
		"string":    func(v any) bool { _, ok := python.IsString(v); return ok },
		"mapping":   isOf[*python.Dict],
		"escaped":   isOf[python.Markup],
		"sequence":  isSequence,
	} {
		addTest(name+"(value)", kind(is))
	}
	addTest("callable(obj, /)", kind(func(v any) bool {
		return isOf[*python.Func](v) || isOf[python.Caller](v) || isOf[*python.Undefined](v)
	}))
	addTest("iterable(value)", func(c *filterCall, a []any) (any, error) {
		_, err := python.Iter(c.m, a[0])
		return err == nil, nil
	})
	for name, rest := range map[string]int64{"odd": 1, "even": 0} {
		addTest(name+"(value)", func(c *filterCall, a []any) (any, error) { return leaves(c, a[0], int64(2), rest) })
	}
	addTest("divisibleby(value, num)", func(c *filterCall, a []any) (any, error) { return leaves(c, a[0], a[1], 0) })
	for name, is := range map[string]func(string) bool{"upper": python.IsUpper, "lower": python.IsLower} {
		addTest(name+"(value)", func(c *filterCall, a []any) (any, error) {
			s, err := c.str(a[0])
			return is(s), err
		})
	}
	for name, in := range map[string]map[string]*filter{"filter": filters, "test": tests} {
		addTest(name+"(value)", func(c *filterCall, a []any) (any, error) {
			if _, err := python.Hash(c.m, a[0]); err != nil {
				return nil, err
			}
			s, ok := python.IsString(a[0])
			return ok && in[s] != nil, nil
		})
	}
	addTest("sameas(value, other)", func(c *filterCall, a []any) (any, error) { return same(c, a[0], a[1]), nil })
	addTest("in(value, seq)", func(c *filterCall, a []any) (any, error) { return python.Contains(c.m, a[1], a[0]) })
	for op, names := range map[string][]string{"==": {"eq", "equalto"}, "!=": {"ne"}, "<": {"lt", "lessthan"},
		"<=": {"le"},
		">":  {"gt", "greaterthan"}, ">=": {"ge"}} {
		addTest(op+"(a, b, /)", func(c *filterCall, a []any) (any, error) { return python.Compare(c.m, op, a[0], a[1]) },
			names...)
	}
}

func leaves(c *filterCall, v, by any, rest int64) (any, error) {
	left, err := python.Binary(c.m, "%", v, by)
	if err != nil {
		return nil, err
	}
	return python.Equal(c.m, left, rest), nil
}

func isSequence(v any) bool {
	switch v.(type) {
	case string, python.Markup, *python.List, *python.Tuple, *python.Dict, *python.Range, *python.Undefined:
		return true
	}
	return false
}

// same tells one value from another; small values of one kind are the same as in CPython where they are constants.
func same(c *filterCall, a, b any) bool {
	switch a.(type) {
	case nil, bool, int64, float64, string, python.Markup:
		return python.TypeName(a) == python.TypeName(b) && python.Equal(c.m, a, b)
	}
	switch b.(type) {
	case nil, bool, int64, float64, string, python.Markup:
		return false
	}
	return a == b
}
