package vocabulary

import (
	"fmt"
	"maps"
	"slices"
)

// The patterns by which tokenizers cut texts before they merge.
const (
	contractions = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	rest         = `| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	llama3       = contractions + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}` + rest
	qwen2        = contractions + `|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}` + rest
	qwen35       = contractions + `|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	upper        = `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
	lower        = `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
	// gpt4o has endings of contractions with the word before them.
	gpt4o = `[^\r\n\p{L}\p{N}]?` + upper + `*` + lower + `+` + contractions + `?|[^\r\n\p{L}\p{N}]?` + upper + `+` + lower +
		`*` + contractions + `?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	tekken = `[^\r\n\p{L}\p{N}]?` + upper + `*` + lower + `+|[^\r\n\p{L}\p{N}]?` + upper + `+` + lower + `*|\p{N}` +
		`| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// A cut is what a tokenizer of a name in tokenizer.ggml.pre does before it merges, and whether its texts begin with
// BOS where no key says so.
type cut struct {
	digits  bool   // digits apart from all else, one by one, then GPT-2's pattern
	pattern string // "" for GPT-2's
	nfc     bool
	whole   bool // a piece that is a token is taken without merging
	bos     bool
}

var cuts = map[string]cut{
	"gpt-2":            {},
	"smollm":           {digits: true},
	"starcoder":        {digits: true},
	"refact":           {digits: true},
	"llama-bpe":        {pattern: llama3, whole: true, bos: true},
	"llama3":           {pattern: llama3, whole: true, bos: true},
	"llama-v3":         {pattern: llama3, whole: true, bos: true},
	"falcon3":          {pattern: llama3, whole: true, bos: true},
	"pixtral":          {pattern: llama3, whole: true, bos: true},
	"lfm2":             {pattern: llama3, whole: true, bos: true},
	"qwen2":            {pattern: qwen2, nfc: true},
	"deepseek-r1-qwen": {pattern: qwen2, nfc: true},
	"qwen35":           {pattern: qwen35, nfc: true},
	"gpt-4o":           {pattern: gpt4o},
	"chatglm-bpe":      {pattern: llama3},
	"glm4":             {pattern: llama3},
	"dbrx":             {pattern: llama3},
	"olmo":             {},
	"exaone4":          {},
	"tekken":           {pattern: tekken, whole: true, bos: true},
}

// byteLevel is the tokenizer of GPT-2 and those after it.
func (b *builder) byteLevel() (object, error) {
	pre := b.f.Text("tokenizer.ggml.pre")
	c, ok := cuts[pre]
	if !ok {
		return nil, fmt.Errorf("%w: tokenizer.ggml.pre is %q; known are %v", ErrUnsupported, pre,
			slices.Sorted(maps.Keys(cuts)))
	}
	texts, ok := b.f.Texts("tokenizer.ggml.merges")
	if !ok {
		return nil, fmt.Errorf("%w: the file has no tokenizer.ggml.merges", ErrUnsupported)
	}
	merges, err := pairs(texts)
	if err != nil {
		return nil, err
	}
	vocab, err := b.vocab()
	if err != nil {
		return nil, err
	}
	byteLevel := func(regex bool) object {
		return object{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex}
	}
	var steps any = byteLevel(true)
	switch {
	case c.digits:
		steps = sequence("pretokenizers", object{"type": "Digits", "individual_digits": true}, byteLevel(true))
	case c.pattern != "":
		split := object{"type": "Split", "pattern": object{"Regex": c.pattern}, "behavior": "Isolated", "invert": false}
		steps = sequence("pretokenizers", split, byteLevel(false))
	}
	var normalizer any
	if c.nfc {
		normalizer = object{"type": "NFC"}
	}
	return b.engine(normalizer, steps, byteLevel(true), object{
		"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
		"fuse_unk": false, "byte_fallback": false, "ignore_merges": c.whole, "vocab": vocab, "merges": merges,
	})
}

func sequence(key string, steps ...object) object {
	return object{"type": "Sequence", key: steps}
}
