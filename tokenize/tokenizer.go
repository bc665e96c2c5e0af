// Package tokenize turns text into token IDs and back, exactly as Hugging Face tokenizers does.
package tokenize

import (
	"errors"
	"fmt"
	"sync"

	"textmill/ground/regular"
	"textmill/tokenize/internal/added"
	"textmill/tokenize/internal/aligned"
	"textmill/tokenize/internal/jsonread"
	"textmill/tokenize/internal/model"
	"textmill/tokenize/internal/pipeline"
	"textmill/tokenize/internal/spec"
	"textmill/tokenize/internal/vocab"
)

// ErrUnknown is the class of errors about text that the tokenizer has no token for, not even an unknown token.
var ErrUnknown = model.ErrUnknown

// ErrOptions is the class of errors about options that cannot be met.
var ErrOptions = errors.New("impossible options")

// Tokenizer is a tokenizer.json, ready. It never changes and is safe for concurrent use.
type Tokenizer struct {
	vocab      *vocab.Vocab
	model      model.Model
	modelSize  int
	unkText    int32 // the ID whose token is the text it covers (Unigram's unknown); -1: none
	added      *added.Vocabulary
	normalize  []pipeline.Normalizer
	pretoken   []pipeline.PreTokenizer
	post       []spec.PostProcessor
	hasPost    bool
	trims      bool // offsets leave white space out
	single     template
	decoders   []decodeStep
	hasDecoder bool
	marks      []Mark
	truncation *Truncation
	padding    *Padding
	fast       fastPath // nil: the pipeline itself
	scratch    sync.Pool
}

// Load reads a tokenizer.json.
func Load(path string) (*Tokenizer, error) {
	data, err := regular.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read tokenizer: %w", err)
	}
	t, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read tokenizer %s: %w", path, err)
	}
	return t, nil
}

// Parse makes a tokenizer of the text of a tokenizer.json. What it cannot honour exactly it refuses, by JSON path.
func Parse(data []byte) (*Tokenizer, error) {
	t, f, err := parse(data)
	if err != nil {
		return nil, err
	}
	t.fast = compile(t, f)
	return t, nil
}

// parse makes a tokenizer that has only the general way.
func parse(data []byte) (*Tokenizer, *spec.File, error) {
	f, err := spec.Parse(data)
	if err != nil {
		return nil, nil, err
	}
	t := &Tokenizer{vocab: f.Model.Vocab, unkText: -1, post: f.PostProcessors, hasPost: len(f.PostProcessors) > 0}
	t.scratch.New = func() any { return &scratch{} }
	if t.normalize, err = pipeline.Normalizers(f.Normalizers); err != nil {
		return nil, nil, err
	}
	if t.pretoken, err = pipeline.PreTokenizers(f.PreTokenizers); err != nil {
		return nil, nil, err
	}
	if t.decoders, err = decodeSteps(f.Decoders); err != nil {
		return nil, nil, err
	}
	t.hasDecoder, t.marks = f.HasDecoder, marksOf(f.Decoders)
	if t.model, err = model.New(&f.Model); err != nil {
		return nil, nil, at("model", err)
	}
	t.modelSize = f.Model.Vocab.Len()
	if f.Model.Type == "Unigram" {
		t.modelSize = len(f.Model.Scores)
		if f.Model.HasUnk {
			t.unkText = f.Model.UnkID
		}
	}
	if t.added, err = added.New(f.Added, f.Model.Vocab, t.modelSize, t.normalForm); err != nil {
		return nil, nil, at("added_tokens", err)
	}
	if err := t.planPost(); err != nil {
		return nil, nil, at("post_processor", err)
	}
	t.truncation, t.padding = ownTruncation(f.Truncation), ownPadding(f.Padding)
	return t, f, nil
}

func at(path string, err error) error { return &jsonread.Error{Path: path, Err: err} }

// normalForm is what the normalizer makes of a text on its own.
func (t *Tokenizer) normalForm(s string) string {
	text := aligned.New(s)
	for _, step := range t.normalize {
		step(&text)
	}
	return string(text.Norm)
}

// TokenToID returns the ID of a token.
func (t *Tokenizer) TokenToID(token string) (int32, bool) {
	if id, ok := t.added.ID(token); ok {
		return id, true
	}
	return t.vocab.IDOf(token)
}

// IDToToken returns the token of an ID.
func (t *Tokenizer) IDToToken(id int32) (string, bool) {
	if token, ok := t.added.Token(id); ok {
		return token, true
	}
	return t.vocab.Text(id)
}

// VocabSize is the number of tokens, added ones included.
func (t *Tokenizer) VocabSize() int { return t.modelSize + t.added.Len() }

// Truncation is the truncation that the tokenizer.json asks for, nil when it asks for none. It is not applied
// unless it is put into Options.
func (t *Tokenizer) Truncation() *Truncation { return t.truncation }

// Padding is the padding that the tokenizer.json asks for, likewise.
func (t *Tokenizer) Padding() *Padding { return t.padding }

// Special reports whether an ID is of a special token, which decoding can leave out.
func (t *Tokenizer) Special(id int32) bool {
	token, ok := t.IDToToken(id)
	return ok && t.added.Special(token)
}
