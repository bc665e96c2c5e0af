package jobs

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/ground/naming"
)

// param is one name that publishers may use; set gets a value of its kind.
type param[T any] struct {
	name    string
	about   string // what it does, in a line
	kind    paramKind
	allowed []string // of a text; nil = any
	least   float64  // of a number
	most    float64
	set     func(*T, paramValue)
}

type paramKind int

const (
	textParam paramKind = iota
	textsParam
	boolParam
	intParam
	floatParam
	idsParam  // token IDs
	biasParam // token ID → number
	rangesParam
)

// aboveZero as the least value of a param excludes 0.
const aboveZero = math.SmallestNonzeroFloat64

// json is a value of a command line as a message holds it. What is not of the kind becomes a string, which is then
// refused with its name.
func (k paramKind) json(value string) []byte {
	trimmed := strings.TrimSpace(value)
	literal := jsontext.Value(trimmed).IsValid()
	switch {
	case k == textParam, !literal, k == textsParam && trimmed[0] != '[':
		return appendQuoted(nil, value)
	}
	return []byte(trimmed)
}

type paramValue struct {
	text   string
	texts  []string
	ids    []int32
	bias   map[int32]float64
	ranges *Ranges
	yes    bool
	n      int64
	x      float64
}

func (v paramValue) int() int        { return int(v.n) }
func (v paramValue) float() *float64 { x := v.x; return &x }
func (v paramValue) string() *string { s := v.text; return &s }
func whole[T any](name, about string, least float64, set func(*T, paramValue)) param[T] {
	return param[T]{name: name, about: about, kind: intParam, least: least, most: math.MaxInt32, set: set}
}

func findParam[T any](known []param[T], name string) (param[T], error) {
	for _, p := range known {
		if p.name == name {
			return p, nil
		}
	}
	names := make([]string, len(known))
	for i, p := range known {
		names[i] = p.name
	}
	return param[T]{}, recordErrorf(InvalidParam, "unknown param %q; did you mean %s?", clip(name), nearest(name, names))
}

func readParams[T any](into *T, known []param[T], raw []byte) error {
	if len(raw) == 0 {
		return nil
	}
	if v := jsontext.Value(raw); !v.IsValid() {
		if v.IsValid(anyNames) {
			return recordErrorf(InvalidParam, "a param is given twice")
		}
		return recordErrorf(InvalidParam, "params are not valid JSON")
	}
	err := eachMember(raw, "params", func(name string, v jsontext.Value) error {
		p, err := findParam(known, name)
		if err != nil {
			return err
		}
		if v.Kind() == 'n' {
			return nil
		}
		value, err := p.read(v)
		if err != nil {
			return err
		}
		p.set(into, value)
		return nil
	})
	if err != nil {
		return asParamError(err)
	}
	return nil
}

func asParamError(err error) *RecordError {
	var e *RecordError
	if errors.As(err, &e) {
		return &RecordError{Class: InvalidParam, Message: e.Message}
	}
	return recordErrorf(InvalidParam, "%s", syntaxText(err))
}

func (p param[T]) read(v jsontext.Value) (out paramValue, err error) {
	wrong := func(want string) error {
		return recordErrorf(InvalidParam, "%s: want %s, have %s", p.name, want, kindName(v.Kind()))
	}
	switch p.kind {
	case textParam:
		if v.Kind() != '"' {
			return out, wrong("a string")
		}
		out.text = unquote(v)
		if p.allowed != nil && !slices.Contains(p.allowed, out.text) {
			return out, recordErrorf(InvalidParam, "%s: %q is not one of %s; did you mean %s?",
				p.name, clip(out.text), strings.Join(p.allowed, ", "), nearest(out.text, p.allowed))
		}
	case textsParam:
		out.texts, err = readTexts(p.name, v)
	case boolParam:
		if v.Kind() != 't' && v.Kind() != 'f' {
			return out, wrong("true or false")
		}
		out.yes = v.Kind() == 't'
	case intParam, floatParam:
		if v.Kind() != '0' {
			return out, wrong("a number")
		}
		return p.number(string(v))
	case idsParam:
		out.ids, err = readIDs(p.name, v)
	case biasParam:
		out.bias, err = p.readBias(v)
	case rangesParam:
		out.ranges, err = readRanges(p.name, v)
	}
	return out, err
}

func (p param[T]) number(s string) (out paramValue, err error) {
	out.x, err = strconv.ParseFloat(s, 64)
	if err != nil {
		return out, recordErrorf(InvalidParam, "%s: %s is too large", p.name, clip(s))
	}
	if p.kind == intParam {
		out.n, err = strconv.ParseInt(s, 10, 64)
		switch {
		case err == nil:
		case out.x != math.Trunc(out.x):
			return out, recordErrorf(InvalidParam, "%s: %s is not a whole number", p.name, clip(s))
		case math.Abs(out.x) >= 1<<63:
			return out, recordErrorf(InvalidParam, "%s: %s is not within %s", p.name, clip(s), p.bounds())
		case math.Abs(out.x) >= 1<<53:
			return out, recordErrorf(InvalidParam, "%s: %s is not exact; write the whole number without point and exponent",
				p.name, clip(s))
		default:
			out.n = int64(out.x)
		}
	}
	if out.x < p.least || out.x > p.most {
		return out, recordErrorf(InvalidParam, "%s: %s is not within %s", p.name, clip(s), p.bounds())
	}
	return out, nil
}

func (p param[T]) bounds() string {
	switch {
	case p.least == aboveZero:
		return "(0, " + strconv.FormatFloat(p.most, 'f', -1, 64) + "]"
	case p.kind == intParam && p.most >= 1<<63:
		return "[" + strconv.Itoa(math.MinInt64) + ", " + strconv.Itoa(math.MaxInt64) + "]"
	case p.kind == intParam:
		return "[" + strconv.FormatInt(int64(p.least), 10) + ", " + strconv.FormatInt(int64(p.most), 10) + "]"
	}
	return "[" + strconv.FormatFloat(p.least, 'f', -1, 64) + ", " + strconv.FormatFloat(p.most, 'f', -1, 64) + "]"
}

func described[T any](known []param[T]) []Param {
	all := make([]Param, len(known))
	for i, p := range known {
		all[i] = Param{Name: p.name, Values: p.values(), About: p.about, Schema: p.schema()}
	}
	return all
}

// values says in words what a value may be.
func (p param[T]) values() string {
	switch p.kind {
	case textParam:
		if p.allowed != nil {
			return strings.Join(p.allowed, ", ")
		}
		return "a string"
	case textsParam:
		return "a string or an array of strings"
	case boolParam:
		return "true, false"
	case idsParam:
		return "a token ID or an array of them"
	case biasParam:
		return "an object: token IDs and numbers in " + p.bounds()
	case rangesParam:
		return "two arrays of numbers, the least and the greatest; on a command line @FILE that holds them"
	case intParam:
		switch {
		case p.least == math.MinInt64:
			return "any whole number of 64 bits"
		case p.most == math.MaxInt32:
			return "a whole number from " + strconv.FormatInt(int64(p.least), 10)
		}
		return "a whole number in " + p.bounds()
	}
	return "a number in " + p.bounds()
}

// nearest is what somebody meant who writes names in any case.
func nearest(s string, names []string) string {
	meant, _ := naming.Nearest(strings.ToLower(s), names)
	return meant
}
