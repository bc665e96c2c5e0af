package jobs

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// EmbedParams are a shard's params for the task embed. What is nil, zero or ""
// is the model's own.
type EmbedParams struct {
	PromptName   *string
	Prompt       *string // goes before PromptName
	Pooling      string  // mean, cls, last, max, none
	Normalize    *bool
	Dimensions   int
	Precision    string // float32, int8, uint8, binary, ubinary
	Truncate     string // right, left, error
	MaxLength    int
	ChunkSize    int // tokens; 0 = no chunks
	ChunkOverlap int

	StoreText, StoreTokenIDs bool
}

// GenerateParams are a shard's params for the task generate. What is nil or zero
// is the model's own.
type GenerateParams struct {
	MaxNewTokens      int
	MinNewTokens      int
	Temperature       *float64 // 0 = greedy
	TopK              *int
	TopP              *float64
	MinP              *float64
	RepetitionPenalty *float64
	Seed              *int64
	Stop              []string
	IgnoreEOS         bool
	Logprobs          bool

	StoreText, StoreTokenIDs bool
}

var (
	defaultEmbed    = EmbedParams{Precision: "float32", Truncate: "right", StoreText: true, StoreTokenIDs: true}
	defaultGenerate = GenerateParams{StoreText: true, StoreTokenIDs: true}
)

// param is one name that publishers may use; set gets a value of its kind.
type param[T any] struct {
	name    string
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
)

type paramValue struct {
	text  string
	texts []string
	yes   bool
	n     int64
	x     float64
}

func (v paramValue) int() int        { return int(v.n) }
func (v paramValue) float() *float64 { x := v.x; return &x }
func (v paramValue) string() *string { s := v.text; return &s }
func whole[T any](name string, least float64, set func(*T, paramValue)) param[T] {
	return param[T]{name: name, kind: intParam, least: least, most: math.MaxInt32, set: set}
}

var embedParams = []param[EmbedParams]{
	{name: "prompt_name", kind: textParam, set: func(p *EmbedParams, v paramValue) { p.PromptName = v.string() }},
	{name: "prompt", kind: textParam, set: func(p *EmbedParams, v paramValue) { p.Prompt = v.string() }},
	{name: "pooling", kind: textParam, allowed: []string{"mean", "cls", "last", "max", "none"},
		set: func(p *EmbedParams, v paramValue) { p.Pooling = v.text }},
	{name: "normalize", kind: boolParam, set: func(p *EmbedParams, v paramValue) { p.Normalize = &v.yes }},
	whole("dimensions", 1, func(p *EmbedParams, v paramValue) { p.Dimensions = v.int() }),
	{name: "precision", kind: textParam, allowed: []string{"float32", "int8", "uint8", "binary", "ubinary"},
		set: func(p *EmbedParams, v paramValue) { p.Precision = v.text }},
	{name: "truncate", kind: textParam, allowed: []string{"right", "left", "error"},
		set: func(p *EmbedParams, v paramValue) { p.Truncate = v.text }},
	whole("max_length", 1, func(p *EmbedParams, v paramValue) { p.MaxLength = v.int() }),
	whole("chunk_size", 1, func(p *EmbedParams, v paramValue) { p.ChunkSize = v.int() }),
	whole("chunk_overlap", 0, func(p *EmbedParams, v paramValue) { p.ChunkOverlap = v.int() }),
	{name: "store_text", kind: boolParam, set: func(p *EmbedParams, v paramValue) { p.StoreText = v.yes }},
	{name: "store_token_ids", kind: boolParam, set: func(p *EmbedParams, v paramValue) { p.StoreTokenIDs = v.yes }},
}

var generateParams = []param[GenerateParams]{
	whole("max_new_tokens", 1, func(p *GenerateParams, v paramValue) { p.MaxNewTokens = v.int() }),
	whole("min_new_tokens", 0, func(p *GenerateParams, v paramValue) { p.MinNewTokens = v.int() }),
	{name: "temperature", kind: floatParam, most: 100, set: func(p *GenerateParams, v paramValue) { p.Temperature = v.float() }},
	whole("top_k", 0, func(p *GenerateParams, v paramValue) { k := v.int(); p.TopK = &k }),
	{name: "top_p", kind: floatParam, most: 1, set: func(p *GenerateParams, v paramValue) { p.TopP = v.float() }},
	{name: "min_p", kind: floatParam, most: 1, set: func(p *GenerateParams, v paramValue) { p.MinP = v.float() }},
	{name: "repetition_penalty", kind: floatParam, least: math.SmallestNonzeroFloat64, most: 100,
		set: func(p *GenerateParams, v paramValue) { p.RepetitionPenalty = v.float() }},
	{name: "seed", kind: intParam, least: math.MinInt64, most: math.MaxInt64,
		set: func(p *GenerateParams, v paramValue) { n := v.n; p.Seed = &n }},
	{name: "stop", kind: textsParam, set: func(p *GenerateParams, v paramValue) { p.Stop = v.texts }},
	{name: "ignore_eos", kind: boolParam, set: func(p *GenerateParams, v paramValue) { p.IgnoreEOS = v.yes }},
	{name: "logprobs", kind: boolParam, set: func(p *GenerateParams, v paramValue) { p.Logprobs = v.yes }},
	{name: "store_text", kind: boolParam, set: func(p *GenerateParams, v paramValue) { p.StoreText = v.yes }},
	{name: "store_token_ids", kind: boolParam, set: func(p *GenerateParams, v paramValue) { p.StoreTokenIDs = v.yes }},
}

// ParseEmbedParams reads the params object of a message of the task embed; empty
// raw means no params. An error is a *RecordError of class invalid_param.
func ParseEmbedParams(raw []byte) (EmbedParams, error) {
	p := defaultEmbed
	if err := readParams(&p, embedParams, raw); err != nil {
		return defaultEmbed, err
	}
	if p.ChunkOverlap > 0 && p.ChunkOverlap >= p.ChunkSize {
		return defaultEmbed, recordErrorf(InvalidParam, "chunk_overlap: %d is not below chunk_size, which is %d", p.ChunkOverlap, p.ChunkSize)
	}
	return p, nil
}

// ParseGenerateParams is ParseEmbedParams for the task generate.
func ParseGenerateParams(raw []byte) (GenerateParams, error) {
	p := defaultGenerate
	if err := readParams(&p, generateParams, raw); err != nil {
		return defaultGenerate, err
	}
	if p.MaxNewTokens > 0 && p.MinNewTokens > p.MaxNewTokens {
		return defaultGenerate, recordErrorf(InvalidParam, "min_new_tokens: %d is above max_new_tokens, which is %d", p.MinNewTokens, p.MaxNewTokens)
	}
	return p, nil
}

func (s *Shard) parseParams(raw []byte) {
	var err error
	if s.Task == TaskGenerate {
		s.Generate, err = ParseGenerateParams(raw)
	} else {
		s.Embed, err = ParseEmbedParams(raw)
	}
	if err != nil {
		s.ParamsErr = asParamError(err)
	}
}

// ParamsJSON makes the params object of a message from k=v pairs as a command
// line gives them, the same bytes for the same pairs; nil without pairs.
func ParamsJSON(task string, pairs map[string]string) ([]byte, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	names := make([]string, 0, len(pairs))
	for name := range pairs {
		names = append(names, name)
	}
	slices.Sort(names)
	out := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		kind, err := kindOf(task, name)
		if err != nil {
			return nil, err
		}
		out = append(appendQuoted(out, name), ':')
		value := strings.TrimSpace(pairs[name])
		if kind == textParam || kind == textsParam || !jsontext.Value(value).IsValid() {
			out = appendQuoted(out, pairs[name])
		} else {
			out = append(out, value...)
		}
	}
	out = append(out, '}')
	if task == TaskGenerate {
		_, err := ParseGenerateParams(out)
		return out, err
	}
	_, err := ParseEmbedParams(out)
	return out, err
}

func kindOf(task, name string) (paramKind, error) {
	if task == TaskGenerate {
		p, err := findParam(generateParams, name)
		return p.kind, err
	}
	p, err := findParam(embedParams, name)
	return p.kind, err
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
	if e, ok := err.(*RecordError); ok {
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
		if err != nil {
			if out.x != math.Trunc(out.x) || math.Abs(out.x) >= 1<<53 {
				return out, recordErrorf(InvalidParam, "%s: %s is not a whole number", p.name, clip(s))
			}
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
	case p.least == math.SmallestNonzeroFloat64:
		return "(0, " + strconv.FormatFloat(p.most, 'f', -1, 64) + "]"
	case p.kind == intParam:
		return "[" + strconv.FormatInt(int64(p.least), 10) + ", " + strconv.FormatInt(int64(p.most), 10) + "]"
	}
	return "[" + strconv.FormatFloat(p.least, 'f', -1, 64) + ", " + strconv.FormatFloat(p.most, 'f', -1, 64) + "]"
}

func readTexts(name string, v jsontext.Value) ([]string, error) {
	if v.Kind() == '"' {
		return []string{unquote(v)}, nil
	}
	if v.Kind() != '[' {
		return nil, recordErrorf(InvalidParam, "%s: want a string or an array of strings, have %s", name, kindName(v.Kind()))
	}
	var out []string
	err := eachElement(v, name, func(e jsontext.Value) error {
		if e.Kind() != '"' {
			return recordErrorf(InvalidParam, "%s[%d]: want a string, have %s", name, len(out), kindName(e.Kind()))
		}
		out = append(out, unquote(e))
		return nil
	})
	return out, err
}

// nearest is the one of names that takes the fewest edits.
func nearest(s string, names []string) string {
	best, least := names[0], math.MaxInt
	if len(s) > 64 {
		s = s[:64]
	}
	for _, name := range names {
		if d := edits(strings.ToLower(s), name); d < least {
			best, least = name, d
		}
	}
	return best
}

func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
