package jinja

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

type filterFunc func(v any, c *call) (any, error)

var filters map[string]filterFunc

func init() { // a composite literal would be a cycle: map and select look filters up by name
	filters = map[string]filterFunc{
		"tojson": toJSONFilter,
		"trim":   func(v any, c *call) (any, error) { return strip(c.r.text(v), c, true, true) },
		"length": lengthFilter, "count": lengthFilter,
		"upper":      func(v any, c *call) (any, error) { return upper(c.r.text(v)), nil },
		"lower":      func(v any, c *call) (any, error) { return lower(c.r.text(v)), nil },
		"capitalize": func(v any, c *call) (any, error) { return capitalize(c.r.text(v)), nil },
		"string":     func(v any, c *call) (any, error) { return c.r.text(v), nil },
		"safe":       func(v any, c *call) (any, error) { return v, nil },
		"escape":     escapeFilter, "e": escapeFilter,
		"default": defaultFilter, "d": defaultFilter,
		"first": firstFilter, "last": lastFilter,
		"list": func(v any, c *call) (any, error) {
			items, err := c.r.iterate(v)
			return &List{Items: slices.Clone(items)}, err
		},
		"join": joinFilter, "replace": replaceFilter,
		"items": itemsFilter, "dictsort": dictSortFilter,
		"int": intFilter, "float": floatFilter, "abs": absFilter, "round": roundFilter,
		"map": mapFilter, "select": selectFilter(false, false), "reject": selectFilter(true, false),
		"selectattr": selectFilter(false, true), "rejectattr": selectFilter(true, true),
		"reverse": reverseFilter, "sort": sortFilter, "unique": uniqueFilter,
		"sum": sumFilter, "min": extremeFilter(-1), "max": extremeFilter(1),
		"indent": indentFilter, "attr": attrFilter,
	}
}

func lengthFilter(v any, _ *call) (any, error) { return length(v) }

func escapeFilter(v any, c *call) (any, error) {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;").Replace(c.r.text(v)), nil
}

func defaultFilter(v any, c *call) (any, error) {
	_, undefined := v.(*Undefined)
	if undefined || truth(c.arg(1, "boolean", false)) && !truth(v) {
		return c.arg(0, "default_value", ""), nil
	}
	return v, nil
}

func firstFilter(v any, c *call) (any, error) {
	items, err := c.r.iterate(v)
	if err != nil || len(items) == 0 {
		return &Undefined{"no first item, sequence was empty; it"}, err
	}
	return items[0], nil
}

func lastFilter(v any, c *call) (any, error) {
	items, err := c.r.iterate(v)
	if err != nil || len(items) == 0 {
		return &Undefined{"no last item, sequence was empty; it"}, err
	}
	return items[len(items)-1], nil
}

func joinFilter(v any, c *call) (any, error) {
	items, err := c.r.iterate(v)
	if err != nil {
		return nil, err
	}
	if name := c.arg(1, "attribute", nil); name != nil {
		if items, err = c.r.each(items, name, nil); err != nil {
			return nil, err
		}
	}
	parts := make([]string, len(items))
	for i, item := range items {
		c.r.charge(1)
		parts[i] = c.r.text(item)
	}
	return joined(parts, c.r.text(c.arg(0, "d", "")))
}

// joined is refused before it takes memory.
func joined(parts []string, separator string) (any, error) {
	size := len(separator) * max(len(parts)-1, 0)
	for _, p := range parts {
		size += len(p)
	}
	if size > maxOutput {
		return nil, errors.New("string too large")
	}
	return strings.Join(parts, separator), nil
}

func replaceFilter(v any, c *call) (any, error) {
	return stringMethods["replace"](c.r.text(v), c)
}

func itemsFilter(v any, _ *call) (any, error) {
	switch x := v.(type) {
	case *Dict:
		return pairs(x), nil
	case *Undefined:
		return &List{}, nil
	}
	return nil, errors.New("can only get item pairs from a mapping")
}

func dictSortFilter(v any, c *call) (any, error) {
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("'%s' object has no items", typeName(v))
	}
	place := 0
	if by := c.r.text(c.arg(1, "by", "key")); by == "value" {
		place = 1
	} else if by != "key" {
		return nil, errors.New("dictsort is by key or by value")
	}
	items := pairs(d).Items
	keys := make([]any, len(items))
	for i, item := range items {
		keys[i] = item.(*List).Items[place]
	}
	items, err := c.r.sorted(items, keys, truth(c.arg(0, "case_sensitive", false)), truth(c.arg(2, "reverse", false)))
	return &List{Items: items}, err
}

func intFilter(v any, c *call) (any, error) {
	if i, ok := integer(v); ok {
		return i, nil
	}
	switch x := v.(type) {
	case float64:
		if math.Abs(x) < 1<<62 {
			return int64(x), nil
		}
	case string:
		s := strings.TrimFunc(x, isSpace)
		if i, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 64); err == nil {
			return i, nil
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1<<62 {
			return int64(f), nil
		}
	}
	return c.arg(0, "default", int64(0)), nil
}

func floatFilter(v any, c *call) (any, error) {
	if f, ok := number(v); ok {
		return f, nil
	}
	if s, ok := v.(string); ok {
		if f, err := strconv.ParseFloat(strings.TrimFunc(s, isSpace), 64); err == nil {
			return f, nil
		}
	}
	return c.arg(0, "default", 0.0), nil
}

func absFilter(v any, _ *call) (any, error) {
	if i, ok := integer(v); ok {
		return max(i, -i), nil
	}
	if f, ok := v.(float64); ok {
		return math.Abs(f), nil
	}
	return nil, fmt.Errorf("bad operand type for abs(): '%s'", typeName(v))
}

func roundFilter(v any, c *call) (any, error) {
	f, ok := number(v)
	places, _ := integer(c.arg(0, "precision", int64(0)))
	method := c.r.text(c.arg(1, "method", "common"))
	if !ok {
		return nil, fmt.Errorf("type %s cannot be rounded", typeName(v))
	}
	scale := math.Pow(10, float64(places))
	switch method {
	case "common":
		if places < 0 || places > 15 {
			return nil, errors.New("rounding to that many places is not supported")
		}
		return strconv.ParseFloat(strconv.FormatFloat(f, 'f', int(places), 64), 64)
	case "ceil":
		return math.Ceil(f*scale) / scale, nil
	case "floor":
		return math.Floor(f*scale) / scale, nil
	}
	return nil, errors.New("method must be common, ceil or floor")
}

func reverseFilter(v any, c *call) (any, error) {
	items, err := c.r.iterate(v)
	if err != nil {
		return nil, err
	}
	items = slices.Clone(items)
	slices.Reverse(items)
	if _, ok := v.(string); ok {
		return joinFilter(&List{Items: items}, &call{r: c.r})
	}
	return &List{Items: items}, nil
}

func sumFilter(v any, c *call) (any, error) {
	items, err := c.r.iterate(v)
	if err != nil {
		return nil, err
	}
	if name := c.arg(0, "attribute", nil); name != nil {
		if items, err = c.r.each(items, name, nil); err != nil {
			return nil, err
		}
	}
	sum := c.arg(1, "start", int64(0))
	for _, item := range items {
		if sum, err = c.r.handled(c.r.calculate("+", sum, item)); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

func indentFilter(v any, c *call) (any, error) {
	margin := ""
	switch w := c.arg(0, "width", int64(4)).(type) {
	case string:
		margin = w
	default:
		n, ok := integer(w)
		if !ok || n > maxRange {
			return nil, errors.New("indent wants a width")
		}
		margin = strings.Repeat(" ", int(max(n, 0)))
	}
	first, blank := truth(c.arg(1, "first", false)), truth(c.arg(2, "blank", false))
	s := c.r.text(v) + "\n" // as Jinja does: the last line may end without one
	lines := c.r.splitLines(s, false).Items
	if int64(len(lines))*int64(len(margin)) > maxOutput {
		return nil, errors.New("string too large")
	}
	var b strings.Builder
	for i, l := range lines {
		line := l.(string)
		if i > 0 {
			b.WriteByte('\n')
		}
		if i == 0 && first || i > 0 && (blank || line != "") {
			b.WriteString(margin)
		}
		b.WriteString(line)
	}
	return b.String(), nil
}

func attrFilter(v any, c *call) (any, error) {
	name := c.r.text(c.arg(0, "name", ""))
	if d, ok := v.(*Dict); ok { // not the key of that name
		m, err := method(d, name)
		if m == nil && err == nil {
			m = missing(v, name)
		}
		return m, err
	}
	return attribute(v, name)
}
