package jobs

import (
	"math"
	"slices"

	"textmill/ground/naming"
)

// EmbedParams are a shard's params for the task embed. What is nil, zero or ""
// is the model's own.
type EmbedParams struct {
	PromptName   *string
	Prompt       *string // goes before PromptName
	Pooling      string  // mean, cls, last, max, mean_sqrt_len, weightedmean, none
	Normalize    *bool
	Dimensions   int
	Precision    string  // float32, int8, uint8, binary, ubinary
	Ranges       *Ranges // of int8 and uint8
	Truncate     string  // right, left, error
	MaxLength    int
	ChunkSize    int // tokens; 0 = no chunks
	ChunkOverlap int

	StoreText, StoreTokenIDs bool
}

// Ranges are the least and the greatest values of each dimension, as many of these as of those.
type Ranges struct{ Least, Most []float32 }

// GenerateParams are a shard's params for the task generate. What is nil or zero
// is the model's own.
type GenerateParams struct {
	MaxNewTokens      int
	MinNewTokens      *int
	DoSample          *bool
	Temperature       *float64 // 0 = greedy
	TopK              *int
	TopP              *float64
	MinP              *float64
	TypicalP          *float64
	EpsilonCutoff     *float64
	RepetitionPenalty *float64
	NoRepeatNGramSize *int
	PresencePenalty   float64
	FrequencyPenalty  float64
	LogitBias         map[int32]float64 // token ID → what its logit is raised by
	Seed              *int64
	Stop              []string // none is empty; nil = the model's own
	StopTokenIDs      []int32
	IgnoreEOS         bool
	Chat              bool // a text is one message of the user, not a text to continue
	N                 int  // completions of each prompt, at least 1
	Logprobs          bool
	TopLogprobs       int

	StoreText, StoreTokenIDs bool
}

var (
	defaultEmbed    = EmbedParams{Precision: "float32", Truncate: "right", StoreText: true, StoreTokenIDs: true}
	defaultGenerate = GenerateParams{N: 1, StoreText: true, StoreTokenIDs: true}
)

var embedParams = []param[EmbedParams]{
	{name: "prompt_name", about: "the prompt of the model's configuration that goes before each text, such as query or passage",
		kind: textParam, set: func(p *EmbedParams, v paramValue) { p.PromptName = v.string() }},
	{name: "prompt", about: "a text that goes before each text, whatever prompt_name says",
		kind: textParam, set: func(p *EmbedParams, v paramValue) { p.Prompt = v.string() }},
	{name: "pooling", about: "how the vectors of tokens become one; none keeps one for each token",
		kind: textParam, allowed: []string{"mean", "cls", "last", "max", "mean_sqrt_len", "weightedmean", "none"},
		set: func(p *EmbedParams, v paramValue) { p.Pooling = v.text }},
	{name: "normalize", about: "whether vectors are brought to length 1",
		kind: boolParam, set: func(p *EmbedParams, v paramValue) { p.Normalize = &v.yes }},
	whole("dimensions", "how many of a vector's first dimensions are kept",
		1, func(p *EmbedParams, v paramValue) { p.Dimensions = v.int() }),
	{name: "precision", about: "the numbers that vectors are stored as",
		kind: textParam, allowed: []string{"float32", "int8", "uint8", "binary", "ubinary"},
		set: func(p *EmbedParams, v paramValue) { p.Precision = v.text }},
	{name: "ranges", about: "of int8 and uint8: the least and the greatest value of each dimension, in place of a scale of each vector",
		kind: rangesParam, set: func(p *EmbedParams, v paramValue) { p.Ranges = v.ranges }},
	{name: "truncate", about: "where a text that is too long is cut; error makes it an error row",
		kind: textParam, allowed: []string{"right", "left", "error"},
		set: func(p *EmbedParams, v paramValue) { p.Truncate = v.text }},
	whole("max_length", "tokens that a text may have, at most those of the model",
		1, func(p *EmbedParams, v paramValue) { p.MaxLength = v.int() }),
	whole("chunk_size", "tokens of a chunk; each chunk of a text is a row",
		1, func(p *EmbedParams, v paramValue) { p.ChunkSize = v.int() }),
	whole("chunk_overlap", "tokens that a chunk has in common with the one before it",
		0, func(p *EmbedParams, v paramValue) { p.ChunkOverlap = v.int() }),
	{name: "store_text", about: "whether rows hold the text",
		kind: boolParam, set: func(p *EmbedParams, v paramValue) { p.StoreText = v.yes }},
	{name: "store_token_ids", about: "whether rows hold input_ids",
		kind: boolParam, set: func(p *EmbedParams, v paramValue) { p.StoreTokenIDs = v.yes }},
}

var generateParams = []param[GenerateParams]{
	whole("max_new_tokens", "new tokens after which a text ends",
		1, func(p *GenerateParams, v paramValue) { p.MaxNewTokens = v.int() }),
	whole("min_new_tokens", "new tokens before which it does not end by itself",
		0, func(p *GenerateParams, v paramValue) { n := v.int(); p.MinNewTokens = &n }),
	{name: "do_sample", about: "whether tokens are drawn; false takes the likeliest",
		kind: boolParam, set: func(p *GenerateParams, v paramValue) { p.DoSample = &v.yes }},
	{name: "temperature", about: "divides the logits; 0 is greedy, above 0 draws",
		kind: floatParam, most: 100, set: func(p *GenerateParams, v paramValue) { p.Temperature = v.float() }},
	whole("top_k", "draws from the k likeliest tokens; 0 from all",
		0, func(p *GenerateParams, v paramValue) { k := v.int(); p.TopK = &k }),
	{name: "top_p", about: "draws from the likeliest tokens that have this probability together",
		kind: floatParam, least: aboveZero, most: 1, set: func(p *GenerateParams, v paramValue) { p.TopP = v.float() }},
	{name: "min_p", about: "draws from tokens with at least this part of the likeliest one's probability",
		kind: floatParam, most: 1, set: func(p *GenerateParams, v paramValue) { p.MinP = v.float() }},
	{name: "typical_p", about: "draws from the tokens whose information is nearest to the expected, until they have this probability together",
		kind: floatParam, least: aboveZero, most: 1, set: func(p *GenerateParams, v paramValue) { p.TypicalP = v.float() }},
	{name: "epsilon_cutoff", about: "draws from tokens of at least this probability",
		kind: floatParam, most: 1, set: func(p *GenerateParams, v paramValue) { p.EpsilonCutoff = v.float() }},
	{name: "repetition_penalty", about: "makes tokens of prompt and text less likely; 1 does nothing",
		kind: floatParam, least: 0.01, most: 100, // below, logits would be no numbers any more
		set: func(p *GenerateParams, v paramValue) { p.RepetitionPenalty = v.float() }},
	whole("no_repeat_ngram_size", "tokens in a row that may not come twice; 0: any may",
		0, func(p *GenerateParams, v paramValue) { n := v.int(); p.NoRepeatNGramSize = &n }),
	{name: "presence_penalty", about: "lowers the logits of tokens that were generated",
		kind: floatParam, least: -2, most: 2, set: func(p *GenerateParams, v paramValue) { p.PresencePenalty = v.x }},
	{name: "frequency_penalty", about: "lowers them as often as they were generated",
		kind: floatParam, least: -2, most: 2, set: func(p *GenerateParams, v paramValue) { p.FrequencyPenalty = v.x }},
	{name: "logit_bias", about: "raises the logit of each token ID by its number",
		kind: biasParam, least: -100, most: 100, set: func(p *GenerateParams, v paramValue) { p.LogitBias = v.bias }},
	{name: "seed", about: "the same seed makes the same text, whatever the batch",
		kind: intParam, least: math.MinInt64, most: math.MaxInt64,
		set: func(p *GenerateParams, v paramValue) { n := v.n; p.Seed = &n }},
	{name: "stop", about: "a text ends before the first of these strings, in place of the model's own; [] for none",
		kind: textsParam, set: func(p *GenerateParams, v paramValue) { p.Stop = v.texts }},
	{name: "stop_token_ids", about: "token IDs that end a text beside the model's",
		kind: idsParam, set: func(p *GenerateParams, v paramValue) { p.StopTokenIDs = v.ids }},
	{name: "ignore_eos", about: "whether a text goes on where the model would end it",
		kind: boolParam, set: func(p *GenerateParams, v paramValue) { p.IgnoreEOS = v.yes }},
	{name: "chat", about: "whether a text is a message of the user rather than a text to continue",
		kind: boolParam, set: func(p *GenerateParams, v paramValue) { p.Chat = v.yes }},
	{name: "n", about: "completions of each prompt",
		kind: intParam, least: 1, most: 128, set: func(p *GenerateParams, v paramValue) { p.N = v.int() }},
	{name: "logprobs", about: "whether rows hold the log-probability of each token",
		kind: boolParam, set: func(p *GenerateParams, v paramValue) { p.Logprobs = v.yes }},
	{name: "top_logprobs", about: "candidates of each step, in the attribute top_logprobs",
		kind: intParam, most: 20, set: func(p *GenerateParams, v paramValue) { p.TopLogprobs = v.int() }},
	{name: "store_text", about: "whether rows hold the prompt",
		kind: boolParam, set: func(p *GenerateParams, v paramValue) { p.StoreText = v.yes }},
	{name: "store_token_ids", about: "whether rows hold input_ids and output_ids",
		kind: boolParam, set: func(p *GenerateParams, v paramValue) { p.StoreTokenIDs = v.yes }},
}

// ParseEmbedParams reads the params object of a message of the task embed; empty
// raw means no params. An error is a *RecordError of class invalid_param.
func ParseEmbedParams(raw []byte) (EmbedParams, error) {
	p := defaultEmbed
	if err := readParams(&p, embedParams, raw); err != nil {
		return defaultEmbed, err
	}
	if p.ChunkOverlap > 0 && p.ChunkOverlap >= p.ChunkSize {
		return defaultEmbed, recordErrorf(InvalidParam, "chunk_overlap: %d is not below chunk_size, which is %d",
			p.ChunkOverlap, p.ChunkSize)
	}
	return p, nil
}

// ParseGenerateParams is ParseEmbedParams for the task generate.
func ParseGenerateParams(raw []byte) (GenerateParams, error) { return defaultGenerate.With(raw) }

// With is p with a record's own params in place of the shard's; what raw does not
// name, or gives as null, stays. An error is a *RecordError of class invalid_param.
func (p GenerateParams) With(raw []byte) (GenerateParams, error) {
	if err := readParams(&p, generateParams, raw); err != nil {
		return defaultGenerate, err
	}
	if p.DoSample != nil && *p.DoSample && p.Temperature != nil && *p.Temperature == 0 {
		return defaultGenerate, recordErrorf(InvalidParam,
			"do_sample: true needs a temperature above 0; leave one of them out")
	}
	if n := p.MinNewTokens; p.MaxNewTokens > 0 && n != nil && *n > p.MaxNewTokens {
		return defaultGenerate, recordErrorf(InvalidParam, "min_new_tokens: %d is above max_new_tokens, which is %d", *n,
			p.MaxNewTokens)
	}
	return p, nil
}

// Param is what may be asked for under a name.
type Param struct {
	Name   string
	Values string         // which it may have
	About  string         // what it does, in a line
	Schema map[string]any // JSON Schema of its values
}

// Params lists the params of a task.
func Params(task string) []Param {
	if task == naming.TaskGenerate {
		return described(generateParams)
	}
	return described(embedParams)
}

// IsEmbedParam says whether the task embed has a param of this name.
func IsEmbedParam(name string) bool {
	_, err := findParam(embedParams, name)
	return err == nil
}

// IsGenerateParam says whether the task generate has a param of this name.
func IsGenerateParam(name string) bool {
	_, err := findParam(generateParams, name)
	return err == nil
}

func (s *Shard) parseParams(raw []byte) {
	var err error
	if s.Task == naming.TaskGenerate {
		s.Generate, err = ParseGenerateParams(raw)
	} else {
		s.Embed, err = ParseEmbedParams(raw)
	}
	if err != nil {
		s.ParamsErr = asParamError(err)
	}
}

// ParamsJSON makes the params object of a message from k=v pairs as a command
// line gives them, the same bytes for the same pairs; nil without pairs. A list of
// texts may be given as one text or as a JSON array, token IDs also as one number.
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
		out = append(out, kind.json(pairs[name])...)
	}
	out = append(out, '}')
	if task == naming.TaskGenerate {
		_, err := ParseGenerateParams(out)
		return out, err
	}
	_, err := ParseEmbedParams(out)
	return out, err
}

func kindOf(task, name string) (paramKind, error) {
	if task == naming.TaskGenerate {
		p, err := findParam(generateParams, name)
		return p.kind, err
	}
	p, err := findParam(embedParams, name)
	return p.kind, err
}
