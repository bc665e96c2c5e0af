package python

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// Mutators would change a value: the sandbox forbids them.
var mutators = map[string]string{
	"list": " append clear pop reverse insert sort extend remove ",
	"dict": " clear pop popitem setdefault update ",
}

// Mutates tells a method that the immutable sandbox keeps away.
func Mutates(v any, name string) bool {
	return strings.Contains(mutators[TypeName(v)], " "+name+" ")
}

// Attr is getattr(v, name), for names that do not begin with an underscore.
func Attr(m *Meter, v any, name string) (value any, ok bool, err error) {
	switch x := v.(type) {
	case string, Markup:
		value, ok = strAttr(v, name)
	case *List:
		value, ok = sequenceAttr(v, name)
		if name == "copy" {
			return method(x, name, Sig("copy()"), func(m *Meter, l *List, _ []any) (any, error) {
				m.Charge(len(l.Items))
				return &List{append([]any{}, l.Items...)}, nil
			}), true, nil
		}
	case *Tuple:
		if x.Group && (name == "grouper" || name == "list") {
			return x.Items[map[string]int{"grouper": 0, "list": 1}[name]], true, nil
		}
		value, ok = sequenceAttr(v, name)
	case *Range:
		bounds := map[string]int64{"start": x.From, "stop": x.To, "step": x.Step}
		if bound, found := bounds[name]; found {
			return bound, true, nil
		}
		value, ok = sequenceAttr(v, name)
	case *Dict:
		value, ok = dictAttr(x, name)
	case *View:
		if name == "isdisjoint" && x.Kind != "values" {
			return method(x, name, Sig("isdisjoint(other, /)"), disjoint), true, nil
		}
	case bool, int64, *big.Int:
		value, ok = integerAttr(v, name)
	case float64:
		value, ok = floatAttr(x, name)
	case Object:
		return x.Attr(name)
	}
	return value, ok, nil
}

func sequenceAttr(v any, name string) (any, bool) {
	signatures := map[string]string{"count": "count(value, start=None, stop=None, /)",
		"index": "index(value, start=None, stop=None, /)"}
	s, ok := signatures[name]
	if !ok {
		return nil, false
	}
	if _, isRange := v.(*Range); name == "count" || isRange {
		s = name + "(value, /)"
	}
	return method(v, name, Sig(s), func(m *Meter, v any, a []any) (any, error) {
		return search(m, v, name, append(a, nil, nil))
	}), true
}

func dictAttr(d *Dict, name string) (any, bool) {
	switch name {
	case "keys", "values", "items":
		return method(d, name, Sig(name+"()"), func(_ *Meter, d *Dict, _ []any) (any, error) { return &View{d, name}, nil }),
			true
	case "get":
		return method(d, name, Sig("get(key, default=None, /)"), func(m *Meter, d *Dict, a []any) (any, error) {
			v, ok, err := d.Get(m, a[0])
			if err != nil || ok {
				return v, err
			}
			return a[1], nil
		}), true
	case "copy":
		return method(d, name, Sig("copy()"), func(m *Meter, d *Dict, _ []any) (any, error) {
			out := NewDict()
			return out, out.Update(m, d)
		}), true
	case "fromkeys":
		return method(d, name, Sig("fromkeys(iterable, value=None, /)"),
			func(m *Meter, _ *Dict, a []any) (any, error) { return FromKeys(m, a) }), true
	}
	return nil, false
}

// FromKeys is dict.fromkeys(iterable, value).
func FromKeys(m *Meter, a []any) (any, error) {
	out := NewDict()
	err := Each(m, a[0], func(k any) (bool, error) { return true, out.Set(m, k, a[1]) })
	return out, err
}

// MakeDict is dict(*args, **kwargs).
func MakeDict(a *Args) (*Dict, error) {
	out := NewDict()
	if len(a.Pos) > 1 {
		return nil, typeError("dict expected at most 1 argument, got %d", len(a.Pos))
	}
	if len(a.Pos) == 1 {
		if from, ok := a.Pos[0].(*Dict); ok {
			if err := out.Update(a.M, from); err != nil {
				return nil, err
			}
		} else if err := Each(a.M, a.Pos[0], func(item any) (bool, error) { return true, out.pair(a.M, item) }); err != nil {
			return nil, err
		}
	}
	for _, name := range a.Names {
		a.M.Charge(1)
		out.SetString(name, a.Named[name])
	}
	return out, nil
}

func (d *Dict) pair(m *Meter, v any) error {
	items, err := Items(m, v)
	if err != nil {
		return typeError("cannot convert dictionary update sequence element #%d to a sequence", d.Len())
	}
	if len(items) != 2 {
		return valueError("dictionary update sequence element #%d has length %d; 2 is required", d.Len(), len(items))
	}
	return d.Set(m, items[0], items[1])
}

func disjoint(m *Meter, v *View, a []any) (any, error) {
	apart := true
	err := Each(m, a[0], func(item any) (bool, error) {
		in, err := Contains(m, v, item)
		apart = apart && !in
		return apart, err
	})
	return apart, err
}

func integerAttr(v any, name string) (any, bool) {
	i, _ := integer(v)
	answer := func(f func() any) (any, bool) {
		return method(i, name, Sig(name+"()"), func(*Meter, *big.Int, []any) (any, error) { return f(), nil }), true
	}
	switch name {
	case "real", "numerator":
		return whole(i), true
	case "imag":
		return int64(0), true
	case "denominator":
		return int64(1), true
	case "conjugate":
		return answer(func() any { return whole(i) })
	case "bit_length":
		return answer(func() any { return int64(i.BitLen()) })
	case "bit_count":
		return answer(func() any {
			n := 0
			for _, w := range i.Bits() {
				n += bits.OnesCount(uint(w))
			}
			return int64(n)
		})
	case "is_integer":
		return answer(func() any { return true })
	case "as_integer_ratio":
		return answer(func() any { return &Tuple{Items: []any{whole(i), int64(1)}} })
	case "to_bytes", "from_bytes":
		return &Func{Name: name, Call: func(*Args) (any, error) {
			return nil,
				Errorf("UnsupportedError", "bytes are not supported")
		}}, true
	}
	return nil, false
}

func floatAttr(f float64, name string) (any, bool) {
	answer := func(g func() (any, error)) (any, bool) {
		return method(f, name, Sig(name+"()"), func(*Meter, float64, []any) (any, error) { return g() }), true
	}
	switch name {
	case "real":
		return f, true
	case "imag":
		return 0.0, true
	case "conjugate":
		return answer(func() (any, error) { return f, nil })
	case "is_integer":
		return answer(func() (any, error) { return f == math.Trunc(f) && !math.IsInf(f, 0), nil })
	case "hex":
		return answer(func() (any, error) { return hexFloat(f), nil })
	case "as_integer_ratio":
		return answer(func() (any, error) {
			switch {
			case math.IsNaN(f):
				return nil, valueError("cannot convert NaN to integer ratio")
			case math.IsInf(f, 0):
				return nil, Errorf("OverflowError", "cannot convert Infinity to integer ratio")
			}
			r := new(big.Rat)
			r.SetFloat64(f)
			return &Tuple{Items: []any{whole(r.Num()), whole(r.Denom())}}, nil
		})
	case "fromhex":
		return method(f, name, Sig("fromhex(string, /)"), func(
			m *Meter, _ float64, a []any,
		) (any, error) {
			return fromHex(m, a[0])
		}), true
	}
	return nil, false
}

func hexFloat(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return FormatFloat(f)
	}
	fraction, exponent := math.Frexp(math.Abs(f))
	switch {
	case f == 0:
		return signOf(f) + "0x0.0p+0"
	case exponent < -1021: // subnormal
		fraction = math.Ldexp(fraction, exponent+1021)
		exponent = -1021
	}
	scaled := uint64(math.Ldexp(fraction, 53))
	return fmt.Sprintf("%s0x%d.%013xp%+d", signOf(f), scaled>>52, scaled&(1<<52-1), exponent-1)
}

func signOf(f float64) string {
	if math.Signbit(f) {
		return "-"
	}
	return ""
}

func fromHex(m *Meter, v any) (any, error) {
	s, err := text("argument", v)
	if err != nil {
		return nil, err
	}
	m.Bytes(len(s))
	body := strings.ToLower(strings.TrimFunc(s, IsSpace))
	sign := ""
	if strings.HasPrefix(body, "-") || strings.HasPrefix(body, "+") {
		sign, body = body[:1], body[1:]
	}
	switch body {
	case "inf", "infinity", "nan":
		return strconv.ParseFloat(sign+body, 64)
	}
	body = strings.TrimPrefix(body, "0x")
	if !strings.Contains(body, "p") {
		body += "p0"
	}
	f, err := strconv.ParseFloat(sign+"0x"+body, 64)
	switch {
	case strings.Contains(body, "_") || err != nil && !math.IsInf(f, 0):
		return nil, valueError("invalid hexadecimal floating-point string")
	case err != nil:
		return nil, Errorf("OverflowError", "hexadecimal value too large to represent as a float")
	}
	return f, nil
}
