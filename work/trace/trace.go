// Package trace tells what each stage does to one text, token by token, while the model runs.
package trace

import (
	"context"
	"errors"

	"textmill/jobs"
	"textmill/models"
	"textmill/models/embed"
	"textmill/models/vector"
	"textmill/tokenize"
	"textmill/work/embedding"
	"textmill/work/generation"
	"textmill/work/rows"
)

// Options say how much is told.
type Options struct {
	Top    int // candidates of each step
	Values int // first values of each vector
	// Temperatures, of sample.Least or more, are those at which steps say what tokens weigh that are no candidates.
	Temperatures []float64
	// Similar is how many tokens a text may have for the cosines of their hidden states to be told.
	Similar int
}

// embedder runs one padded batch.
type embedder interface {
	Embed(ctx context.Context, rows []embed.Row) ([]embed.Vector, error)
	Device() string
}

// An Embedding is an embedding model that is ready to work.
type Embedding struct {
	Spec      *models.Spec
	Embedder  embedder
	Engine    *embedding.Engine
	Tokenizer *tokenize.Tokenizer
}

// Trace embeds a record and tells emit what happens to it. raw are params of the task embed, nil for the model's own.
func (m Embedding) Trace(ctx context.Context, r jobs.Record, raw []byte, o Options,
	emit func(Event) error) (err error) {
	params, err := jobs.ParseEmbedParams(raw)
	if err != nil {
		return err
	}
	in, failure := m.Engine.Input(r, m.Engine.Resolve(params, rows.Origin{}))
	if failure != nil {
		return failure
	}
	table, err := m.Spec.OpenEmbeddingTable()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	t := tracer{Options: o, table: table, tok: m.Tokenizer, emit: emit}
	first := t.start(m.Spec, m.Embedder.Device(), in.Text, in.Row.IDs)
	first.Dropped = in.Dropped
	if err := emit(first); err != nil {
		return err
	}
	if err := t.tokens(in.Text, in.Row.IDs, in.Spans); err != nil {
		return err
	}
	return t.vectors(ctx, m, in)
}

// vectors runs the model once, for the tokens' vectors and for the text's.
func (t *tracer) vectors(ctx context.Context, m Embedding, in embedding.Input) error {
	var batch []embed.Row
	if !m.Spec.PooledInGraph {
		each := in.Row
		each.Pooling, each.Skip = models.PoolNone, 0
		batch = append(batch, each)
	}
	if in.Row.Pooling != models.PoolNone {
		batch = append(batch, in.Row)
	}
	vectors, err := m.Embedder.Embed(ctx, batch)
	if err != nil {
		return err
	}
	for i, v := range vectors {
		if v == nil {
			return &jobs.RecordError{Class: jobs.NaN, Message: "the model gave NaN or infinity for this text"}
		}
		if batch[i].Pooling == models.PoolNone {
			if err := t.hidden(v, len(in.Row.IDs)); err != nil {
				return err
			}
			continue
		}
		f, err := vector.Finish(v, in.Vector)
		if err != nil {
			return &jobs.RecordError{Class: jobs.InvalidParam, Message: err.Error()}
		}
		e := Vector{Type: "vector", Pooling: in.Row.Pooling, Pooled: len(in.Row.IDs) - in.Row.Skip,
			Normalize: in.Vector.Normalize, Precision: in.Vector.Precision, whole: v[:f.Dim]}
		switch {
		case f.I8 != nil:
			e.Values.Values = firstOf(f.I8, t.Values)
		case f.U8 != nil:
			e.Values.Values = firstOf(f.U8, t.Values)
		default:
			e.Values.Values = firstOf(f.F, t.Values)
		}
		e.Shape, e.Norm = []int{max(len(f.F), len(f.I8), len(f.U8))}, Number(f.Norm)
		if err := t.emit(e); err != nil {
			return err
		}
	}
	return nil
}

// hidden tells the states of n tokens.
func (t *tracer) hidden(v []float32, n int) error {
	states := make([][]float32, n)
	for i := range states {
		states[i] = v[i*len(v)/n : (i+1)*len(v)/n]
		h := Hidden{Type: "hidden", Index: i, Values: valuesOf(states[i], t.Values), whole: states[i]}
		if err := t.emit(h); err != nil {
			return err
		}
	}
	if n > t.Similar {
		return nil
	}
	return t.emit(Similarity{Type: "similarity", Shape: [2]int{n, n}, Tokens: cosines(states, states)})
}

// A Generation is a generation model that is ready to work.
type Generation struct {
	Spec      *models.Spec
	Device    string
	Engine    *generation.Engine
	Tokenizer *tokenize.Tokenizer
	// MaxNewTokens bounds texts; 0 leaves that to the params.
	MaxNewTokens int
}

// Trace continues a record and tells emit what happens. raw are params of the task generate, nil for the model's own.
// A slow emit does not hold up other texts of the model.
func (m Generation) Trace(ctx context.Context, r jobs.Record, raw []byte, o Options,
	emit func(Event) error) (err error) {
	params, err := jobs.ParseGenerateParams(raw)
	if err != nil {
		return err
	}
	if params.N > 1 {
		return &jobs.RecordError{Class: jobs.InvalidParam, Message: "n: one text is looked at; leave it out"}
	}
	prompt, failure := m.Engine.Prepare(r, params)
	if failure != nil {
		return failure
	}
	table, err := m.Spec.OpenEmbeddingTable()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	if m.MaxNewTokens > 0 {
		prompt.Params.MaxNewTokens = min(prompt.Params.MaxNewTokens, m.MaxNewTokens)
	}
	t := tracer{Options: o, table: table, tok: m.Tokenizer, emit: emit}
	ids := prompt.Encoding.IDs
	first := t.start(m.Spec, m.Device, prompt.Text, ids)
	first.Sampling = samplingOf(&prompt.Params)
	if t.Temperatures = restAt(o.Temperatures, prompt.Params.Temperature); len(t.Temperatures) > 0 {
		first.Sampling.Temperatures = t.Temperatures
	}
	if err := emit(first); err != nil {
		return err
	}
	if err := t.tokens(prompt.Text, ids, prompt.Encoding.Offsets); err != nil {
		return err
	}
	result, err := m.Engine.Follow(ctx, prompt, o.Top, t.step, t.Temperatures...)
	if err != nil {
		return err
	}
	return emit(End{Type: "end", Finish: result.Finish, Tokens: len(result.IDs), Text: result.Text})
}
