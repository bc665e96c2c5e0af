// Package trace tells what each stage does to one text, token by token, while the model runs.
package trace

import (
	"context"
	"errors"

	"textmill/jobs"
	"textmill/models"
	"textmill/models/embed"
	"textmill/models/generate"
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
	if err := emit(start(m.Spec, table, m.Embedder.Device(), in.Text, t.pieces(in.Row.IDs), in.Dropped)); err != nil {
		return err
	}
	if err := t.tokens(in.Row.IDs, in.Spans); err != nil {
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
			for j := range in.Row.IDs {
				h := Hidden{Type: "hidden", Index: j, Values: valuesOf(v[j*m.Spec.Hidden:(j+1)*m.Spec.Hidden], t.Values)}
				if err := t.emit(h); err != nil {
					return err
				}
			}
			continue
		}
		f, err := vector.Finish(v, in.Vector)
		if err != nil {
			return &jobs.RecordError{Class: jobs.InvalidParam, Message: err.Error()}
		}
		e := Vector{Type: "vector", Pooling: in.Row.Pooling, Pooled: len(in.Row.IDs) - in.Row.Skip,
			Normalize: in.Vector.Normalize, Precision: in.Vector.Precision}
		switch {
		case f.I8 != nil:
			e.Values.Values = firstOf(f.I8, t.Values)
		case f.U8 != nil:
			e.Values.Values = firstOf(f.U8, t.Values)
		default:
			e.Values.Values = firstOf(f.F, t.Values)
		}
		e.Shape, e.Norm = []int{max(len(f.F), len(f.I8), len(f.U8))}, number(f.Norm)
		if err := t.emit(e); err != nil {
			return err
		}
	}
	return nil
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
	if err := emit(start(m.Spec, table, m.Device, prompt.Text, t.pieces(ids), 0)); err != nil {
		return err
	}
	if err := t.tokens(ids, prompt.Encoding.Offsets); err != nil {
		return err
	}
	result, err := m.Engine.Follow(ctx, prompt, o.Top, t.step)
	if err != nil {
		return err
	}
	return emit(End{Type: "end", Finish: result.Finish, Tokens: len(result.IDs), Text: result.Text})
}

// tracer turns what a model does into events.
type tracer struct {
	Options
	table models.EmbeddingTable
	tok   *tokenize.Tokenizer
	emit  func(Event) error
}

func (t *tracer) piece(id int32) string {
	piece, _ := t.tok.IDToToken(id) // an ID that no token has has no piece
	return piece
}

func (t *tracer) pieces(ids []int32) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = t.piece(id)
	}
	return all
}

func (t *tracer) row(id int32) (Values, error) {
	row, err := t.table.Row(id)
	return valuesOf(row, t.Values), err
}

func (t *tracer) tokens(ids []int32, spans []tokenize.Span) error {
	for i, id := range ids {
		row, err := t.row(id)
		if err != nil {
			return err
		}
		e := Token{Type: "token", Index: i, ID: id, Piece: t.piece(id), Span: [2]int32{spans[i].Start, spans[i].End},
			Row: row}
		if err := t.emit(e); err != nil {
			return err
		}
	}
	return nil
}

func (t *tracer) step(s generate.Step) error {
	row, err := t.row(s.ID)
	if err != nil {
		return err
	}
	e := Step{Type: "step", Step: s.Index, ID: s.ID, Piece: t.piece(s.ID), Text: s.Text, Row: row, Kept: s.Kept,
		Finish: s.Finish, Candidates: []Candidate{}}
	for _, c := range s.Candidates {
		one := Candidate{ID: c.ID, Piece: t.piece(c.ID), Logit: number(c.Logit), Prob: number(c.Prob), Kept: c.Kept}
		if c.Kept {
			score, after := number(c.Score), number(c.After)
			one.Score, one.After = &score, &after
		}
		e.Candidates = append(e.Candidates, one)
	}
	return t.emit(e)
}
