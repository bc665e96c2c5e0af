// Package vocabulary rebuilds the files of a Hugging Face tokenizer from what a GGUF file keeps of it.
package vocabulary

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"textmill/models/checkpoint/gguf"
)

// ErrUnsupported is the class of tokenizers that cannot be rebuilt.
var ErrUnsupported = errors.New("the tokenizer cannot be imported")

// GGUF's kinds of tokens.
const (
	kindNormal  = 1
	kindUnknown = 2
	kindControl = 3
	kindUser    = 4
	kindUnused  = 5
)

type object = map[string]any

// Files are the tokenizer's files by name.
type Files map[string][]byte

type builder struct {
	f      *gguf.File
	tokens []string
	kinds  []int64
	ends   map[int64]bool
}

// Build makes tokenizer.json, tokenizer_config.json and generation_config.json. contextLength is the most tokens that
// the model takes.
func Build(f *gguf.File, contextLength int) (Files, error) {
	tokens, ok := f.Texts("tokenizer.ggml.tokens")
	if !ok || len(tokens) == 0 {
		return nil, fmt.Errorf("%w: the file has no tokenizer.ggml.tokens", ErrUnsupported)
	}
	b := &builder{f: f, tokens: tokens}
	if b.kinds, ok = f.Ints("tokenizer.ggml.token_type"); !ok {
		b.kinds = slices.Repeat([]int64{kindNormal}, len(tokens))
	}
	if len(b.kinds) != len(tokens) {
		return nil, fmt.Errorf("%w: %d tokens have %d token types", ErrUnsupported, len(tokens), len(b.kinds))
	}
	b.kinds = slices.Clone(b.kinds)
	b.findEnds()
	var engine object
	var err error
	switch model := f.Text("tokenizer.ggml.model"); model {
	case "gpt2":
		engine, err = b.byteLevel()
	case "llama":
		engine, err = b.sentencePiece()
	case wordPiece:
		engine, err = b.wordPiece()
	default:
		return nil, fmt.Errorf("%w: tokenizer.ggml.model is %q; known are gpt2, llama and bert", ErrUnsupported, model)
	}
	if err != nil {
		return nil, err
	}
	files := Files{}
	for name, v := range map[string]any{
		"tokenizer.json": engine, "tokenizer_config.json": b.config(contextLength), "generation_config.json": b.generation(),
	} {
		if files[name], err = json.MarshalIndent(v, "", "  "); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrUnsupported, name, err)
		}
	}
	return files, nil
}

// engine is tokenizer.json around a model.
func (b *builder) engine(normalizer, preTokenizer, decoder any, model object) (object, error) {
	post, err := b.postProcessor()
	return object{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": b.added(),
		"normalizer": normalizer, "pre_tokenizer": preTokenizer, "post_processor": post, "decoder": decoder, "model": model,
	}, err
}

// vocab leaves out the tokens that only fill the table up.
func (b *builder) vocab() (map[string]int, error) {
	v := make(map[string]int, len(b.tokens))
	for i, t := range b.tokens {
		if b.kinds[i] == kindUnused {
			continue
		}
		if other, twice := v[t]; twice {
			return nil, fmt.Errorf("%w: tokens %d and %d are both %q", ErrUnsupported, other, i, t)
		}
		v[t] = i
	}
	return v, nil
}

func (b *builder) special(i int) bool { return b.kinds[i] == kindControl || b.kinds[i] == kindUnknown }

func (b *builder) added() []object {
	list := []object{}
	for i, t := range b.tokens {
		if b.special(i) || b.kinds[i] == kindUser {
			list = append(list, object{"id": i, "content": t, "single_word": false, "lstrip": false, "rstrip": false,
				"normalized": false, "special": b.special(i)})
		}
	}
	return list
}

// adds tells whether a text begins with the first token of a document, or ends with the last.
func (b *builder) adds(key string, otherwise bool) bool {
	if v, ok := b.f.Bool("tokenizer.ggml." + key); ok {
		return v
	}
	return otherwise
}

func (b *builder) postProcessor() (any, error) {
	spm := b.f.Text("tokenizer.ggml.model") == "llama"
	single, pair, specials := []object{}, []object{}, object{}
	wrap := func(key string) error {
		id, text, ok := b.token(key + "_token_id")
		if !ok {
			return fmt.Errorf("%w: texts get a %s token, and there is no tokenizer.ggml.%s_token_id", ErrUnsupported, key, key)
		}
		single = append(single, object{"SpecialToken": object{"id": text, "type_id": 0}})
		specials[text] = object{"id": text, "ids": []int64{id}, "tokens": []string{text}}
		return nil
	}
	wpm := b.f.Text("tokenizer.ggml.model") == wordPiece // whose texts are always between both
	if _, _, has := b.token("bos_token_id"); wpm || b.adds("add_bos_token", has &&
		(spm || cuts[b.f.Text("tokenizer.ggml.pre")].bos)) {
		if err := wrap("bos"); err != nil {
			return nil, err
		}
	}
	single = append(single, object{"Sequence": object{"id": "A", "type_id": 0}})
	last := "eos"
	if wpm {
		last = "seperator" // as the format spells it
	}
	if wpm || b.adds("add_eos_token", false) {
		if err := wrap(last); err != nil {
			return nil, err
		}
	}
	if len(specials) == 0 {
		if spm {
			return nil, nil
		}
		return object{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}, nil
	}
	for _, id := range []string{"A", "B"} { // a pair is the one behind the other
		for _, part := range single {
			if _, text := part["Sequence"]; text {
				part = object{"Sequence": object{"id": id, "type_id": 0}}
			}
			pair = append(pair, part)
		}
	}
	return object{"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": specials}, nil
}

// config is tokenizer_config.json.
func (b *builder) config(contextLength int) object {
	c := object{
		"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": false, "clean_up_tokenization_spaces": false,
		"model_max_length": contextLength, "padding_side": "right",
	}
	for key, name := range map[string]string{"bos": "bos_token", "eos": "eos_token", "unknown": "unk_token",
		"padding": "pad_token"} {
		if _, text, ok := b.token(key + "_token_id"); ok {
			c[name] = text
		}
	}
	if _, ok := c["pad_token"]; !ok && c["eos_token"] != nil {
		c["pad_token"] = c["eos_token"]
	}
	if t := b.f.Text("tokenizer.chat_template"); t != "" {
		c["chat_template"] = t
	}
	added := object{}
	for _, t := range b.added() {
		id := fmt.Sprint(t["id"])
		delete(t, "id")
		added[id] = t
	}
	c["added_tokens_decoder"] = added
	return c
}

// pairs splits merges that are kept as "left right"; a left side may itself begin with a space.
func pairs(merges []string) ([][2]string, error) {
	list := make([][2]string, len(merges))
	for i, m := range merges {
		at := -1
		if m != "" {
			at = strings.IndexByte(m[1:], ' ')
		}
		if at < 0 {
			return nil, fmt.Errorf("%w: merge %d is %q", ErrUnsupported, i, m)
		}
		list[i] = [2]string{m[:at+1], m[at+2:]}
	}
	return list, nil
}
