// Package resolve holds what a job asks of a model against what the model can do, whether or not it runs here.
package resolve

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"textmill/export"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/vector"
)

// Embedding is what is done to each text of a job: as it asks, else as the model's own files say.
type Embedding struct {
	Prompt                  string // put before each text
	Pooling                 string
	Vector                  vector.Params
	MaxLength               int // in tokens
	ChunkSize, ChunkOverlap int
	dim                     int // of the model
}

// Embed resolves params against a model, or says what it cannot honour. specials is how many tokens are around each
// text, 0 for those who do not know it.
func Embed(p jobs.EmbedParams, spec *models.Spec, specials int) (e Embedding, err error) {
	if e.Prompt, err = prompt(p, spec); err != nil {
		return e, err
	}
	if spec.PooledInGraph && p.Pooling != "" && p.Pooling != spec.Pooling {
		return e, fmt.Errorf("pooling: model %s pools by itself (%s)", spec.Name, spec.Pooling)
	}
	e.Pooling = cmp.Or(p.Pooling, spec.Pooling)
	if e.dim, err = spec.DimOf(e.Pooling); err != nil {
		return e, err
	}
	if p.Dimensions > e.dim {
		return e, fmt.Errorf("dimensions: %d is more than the %d of model %s", p.Dimensions, e.dim, spec.Name)
	}
	e.Vector = vector.Params{Dimensions: p.Dimensions, Normalize: spec.Normalize, Precision: p.Precision}
	if spec.Truncate < e.dim && p.Dimensions == 0 && e.Pooling != models.PoolNone {
		e.Vector.Dimensions = spec.Truncate
	}
	if p.Normalize != nil {
		e.Vector.Normalize = *p.Normalize
	}
	if e.Pooling == models.PoolNone && (p.Dimensions != 0 || p.Precision != vector.Float32) {
		return e, fmt.Errorf("pooling: none gives one vector a token, which dimensions and precision do not apply to")
	}
	if err := e.within(p.Ranges); err != nil {
		return e, err
	}
	e.MaxLength = spec.MaxLength
	if p.MaxLength != 0 {
		if p.MaxLength <= specials || p.MaxLength > spec.MaxLength {
			return e, fmt.Errorf("max_length: %d is not between %d and the %d tokens of model %s", p.MaxLength, specials+1,
				spec.MaxLength, spec.Name)
		}
		e.MaxLength = p.MaxLength
	}
	return e, e.chunk(p, spec)
}

// within has the vectors quantized by ranges.
func (e *Embedding) within(r *jobs.Ranges) error {
	if r == nil {
		return nil
	}
	if p := e.Vector.Precision; p != vector.Int8 && p != vector.Uint8 {
		return fmt.Errorf("ranges: they are of the precisions int8 and uint8, not of %s", cmp.Or(p, vector.Float32))
	}
	if dim := cmp.Or(e.Vector.Dimensions, e.dim); len(r.Least) != dim {
		return fmt.Errorf("ranges: they are of %d dimensions, the vectors have %d", len(r.Least), dim)
	}
	e.Vector.Ranges = &vector.Ranges{Least: r.Least, Most: r.Most}
	if err := e.Vector.Ranges.Check(); err != nil {
		return fmt.Errorf("ranges: %w", err)
	}
	return nil
}

func (e *Embedding) chunk(p jobs.EmbedParams, spec *models.Spec) error {
	e.ChunkSize, e.ChunkOverlap = p.ChunkSize, p.ChunkOverlap
	switch {
	case e.ChunkSize == 0 && e.ChunkOverlap != 0:
		return fmt.Errorf("chunk_overlap: needs chunk_size")
	case e.ChunkSize > e.MaxLength:
		return fmt.Errorf("chunk_size: %d is more than max_length %d of model %s", e.ChunkSize, e.MaxLength, spec.Name)
	case e.ChunkSize != 0 && e.ChunkOverlap >= e.ChunkSize:
		return fmt.Errorf("chunk_overlap: %d is not less than chunk_size %d", e.ChunkOverlap, e.ChunkSize)
	}
	return nil
}

// Vectors is what the rows' embeddings are.
func (e Embedding) Vectors() export.Vectors {
	v := export.Vectors{
		Precision: cmp.Or(e.Vector.Precision, vector.Float32), Dim: cmp.Or(e.Vector.Dimensions, e.dim),
		PerToken: e.Pooling == models.PoolNone,
	}
	if e.Vector.Ranges != nil {
		v.Ranges = e.Vector.Ranges.String()
	}
	return v
}

// sameAs are further names of a prompt, tried in this order as sentence-transformers does to encode documents.
var sameAs = map[string][]string{"document": {"passage", "corpus"}}

// prompt is given in full, by its name, or the model's default.
func prompt(p jobs.EmbedParams, spec *models.Spec) (string, error) {
	if p.Prompt != nil {
		return *p.Prompt, nil
	}
	name := spec.DefaultPrompt
	if p.PromptName != nil {
		name = *p.PromptName
	}
	if name == "" {
		return "", nil
	}
	text, ok := spec.Prompts[name]
	for _, other := range sameAs[name] {
		if !ok {
			text, ok = spec.Prompts[other]
		}
	}
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(spec.Prompts)), ", ")
		if known == "" {
			known = "none"
		}
		return "", fmt.Errorf("prompt_name: model %s has no prompt %q (it has: %s)", spec.Name, name, known)
	}
	return text, nil
}
