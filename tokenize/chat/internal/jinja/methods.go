package jinja

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// mutators would change a value: the sandbox of transformers forbids them.
var mutators = map[string]map[string]bool{
	"list": {"append": true, "extend": true, "insert": true, "pop": true, "remove": true, "reverse": true, "sort": true, "clear": true},
	"dict": {"clear": true, "pop": true, "popitem": true, "setdefault": true, "update": true},
}

// method returns the method of a value, nil if it has none of that name.
func method(v any, name string) (any, error) {
	if mutators[typeName(v)][name] {
		return nil, fmt.Errorf("access to attribute '%s' of '%s' object is unsafe", name, typeName(v))
	}
	switch x := v.(type) {
	case string:
		if m := stringMethods[name]; m != nil {
			return callable(func(c *call) (any, error) { c.r.charge(size(x)); return m(x, c) }), nil
		}
		if unsupportedStringMethods[name] {
			return nil, fmt.Errorf("str.%s is not supported", name)
		}
	case *Dict:
		if m := dictMethods[name]; m != nil {
			return callable(func(c *call) (any, error) { return m(x, c) }), nil
		}
	case *List:
		if name == "index" || name == "count" {
			return callable(func(c *call) (any, error) { return search(x, name, c) }), nil
		}
	}
	return nil, nil
}

func search(l *List, name string, c *call) (any, error) {
	if len(c.args) != 1 {
		return nil, fmt.Errorf("%s takes one argument", name)
	}
	count := int64(0)
	for i, item := range l.Items {
		if c.r.equal(item, c.args[0]) {
			if name == "index" {
				return int64(i), nil
			}
			count++
		}
	}
	if name == "index" {
		return nil, fmt.Errorf("%s is not in list", shown(c.args[0]))
	}
	return count, nil
}

var dictMethods = map[string]func(d *Dict, c *call) (any, error){
	"keys": func(d *Dict, c *call) (any, error) { return &List{Items: d.keys}, nil },
	"values": func(d *Dict, c *call) (any, error) {
		l := &List{}
		for _, k := range d.keys {
			l.Items = append(l.Items, d.values[k])
		}
		return l, nil
	},
	"items": func(d *Dict, c *call) (any, error) { return pairs(d), nil },
	"get": func(d *Dict, c *call) (any, error) {
		if len(c.args) < 1 || len(c.args) > 2 {
			return nil, errors.New("get takes one or two arguments")
		}
		if k, ok := key(c.args[0]); ok {
			if v, ok := d.Get(k); ok {
				return v, nil
			}
		}
		return c.arg(1, "default", nil), nil
	},
	"copy": func(d *Dict, c *call) (any, error) {
		out := NewDict()
		for _, k := range d.keys {
			out.Set(k, d.values[k])
		}
		return out, nil
	},
}

func pairs(d *Dict) *List {
	l := &List{}
	for _, k := range d.keys {
		l.Items = append(l.Items, &List{[]any{k, d.values[k]}, true})
	}
	return l
}

// arg returns an argument by place or by name.
func (c *call) arg(i int, name string, fallback any) any {
	if i < len(c.args) {
		return c.args[i]
	}
	if v, ok := c.named[name]; ok {
		return v
	}
	return fallback
}

// strings returns n arguments that must be strings, the others left out at the end.
func (c *call) strings(least, most int) ([]string, error) {
	if len(c.args) < least || len(c.args) > most {
		return nil, fmt.Errorf("takes %d to %d arguments, not %d", least, most, len(c.args))
	}
	out := make([]string, len(c.args))
	for i, a := range c.args {
		s, ok := a.(string)
		if !ok {
			return nil, fmt.Errorf("argument must be str, not %s", typeName(a))
		}
		out[i] = s
	}
	return out, nil
}

var unsupportedStringMethods = map[string]bool{"format": true, "format_map": true, "encode": true, "translate": true, "maketrans": true,
	"expandtabs": true, "casefold": true, "isidentifier": true, "isprintable": true, "istitle": true}

var stringMethods = map[string]func(s string, c *call) (any, error){
	"strip":  func(s string, c *call) (any, error) { return strip(s, c, true, true) },
	"lstrip": func(s string, c *call) (any, error) { return strip(s, c, true, false) },
	"rstrip": func(s string, c *call) (any, error) { return strip(s, c, false, true) },
	"split":  func(s string, c *call) (any, error) { return split(s, c, false) },
	"rsplit": func(s string, c *call) (any, error) { return split(s, c, true) },
	"upper":  func(s string, c *call) (any, error) { return upper(s), nil },
	"lower":  func(s string, c *call) (any, error) { return lower(s), nil },
	"title":  func(s string, c *call) (any, error) { return title(s), nil },
	"swapcase": func(s string, c *call) (any, error) {
		return strings.Map(func(r rune) rune {
			if unicode.IsUpper(r) {
				return unicode.ToLower(r)
			}
			return unicode.ToUpper(r)
		}, s), nil
	},
	"capitalize": func(s string, c *call) (any, error) { return capitalize(s), nil },
	"startswith": func(s string, c *call) (any, error) { return affix(s, c, strings.HasPrefix) },
	"endswith":   func(s string, c *call) (any, error) { return affix(s, c, strings.HasSuffix) },
	"replace": func(s string, c *call) (any, error) {
		n := int64(-1)
		if len(c.args) == 3 {
			n, _ = integer(c.args[2])
			c = &call{r: c.r, args: c.args[:2]}
		}
		a, err := c.strings(2, 2)
		if err != nil {
			return nil, err
		}
		if len(a[1]) > 0 && (strings.Count(s, a[0])+1)*len(a[1]) > maxOutput {
			return nil, errors.New("string too large")
		}
		return strings.Replace(s, a[0], a[1], int(n)), nil
	},
	"join": func(s string, c *call) (any, error) {
		if len(c.args) != 1 {
			return nil, errors.New("join takes one argument")
		}
		items, err := c.r.iterate(c.args[0])
		if err != nil {
			return nil, err
		}
		c.r.charge(len(items))
		parts, err := (&call{args: items}).strings(0, len(items))
		if err != nil {
			return nil, err
		}
		return joined(parts, s)
	},
	"find":  func(s string, c *call) (any, error) { return find(s, c, strings.Index, false) },
	"rfind": func(s string, c *call) (any, error) { return find(s, c, strings.LastIndex, false) },
	"index": func(s string, c *call) (any, error) { return find(s, c, strings.Index, true) },
	"count": func(s string, c *call) (any, error) {
		a, err := c.strings(1, 1)
		if err != nil {
			return nil, err
		}
		return int64(strings.Count(s, a[0])), nil
	},
	"splitlines": func(s string, c *call) (any, error) {
		return c.r.splitLines(s, truth(c.arg(0, "keepends", false))), nil
	},
	"partition":    func(s string, c *call) (any, error) { return partition(s, c, strings.Index, true) },
	"rpartition":   func(s string, c *call) (any, error) { return partition(s, c, strings.LastIndex, false) },
	"removeprefix": func(s string, c *call) (any, error) { return cut(s, c, strings.TrimPrefix) },
	"removesuffix": func(s string, c *call) (any, error) { return cut(s, c, strings.TrimSuffix) },
	"isdigit":      func(s string, c *call) (any, error) { return every(s, unicode.IsDigit), nil },
	"isdecimal":    func(s string, c *call) (any, error) { return every(s, unicode.IsDigit), nil },
	"isnumeric":    func(s string, c *call) (any, error) { return every(s, unicode.IsNumber), nil },
	"isalpha":      func(s string, c *call) (any, error) { return every(s, unicode.IsLetter), nil },
	"isalnum": func(s string, c *call) (any, error) {
		return every(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }), nil
	},
	"isspace": func(s string, c *call) (any, error) { return every(s, isSpace), nil },
	"isupper": func(s string, c *call) (any, error) { return s != lower(s) && s == upper(s), nil },
	"islower": func(s string, c *call) (any, error) { return s != upper(s) && s == lower(s), nil },
	"zfill": func(s string, c *call) (any, error) {
		n, ok := integer(c.arg(0, "width", nil))
		if !ok || n > maxRange {
			return nil, errors.New("zfill wants a width")
		}
		zeros := strings.Repeat("0", max(0, int(n)-utf8.RuneCountInString(s)))
		if s != "" && (s[0] == '-' || s[0] == '+') {
			return s[:1] + zeros + s[1:], nil
		}
		return zeros + s, nil
	},
}
