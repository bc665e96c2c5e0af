// Package local does without a queue what a user asks of models, tokenizers and tables on this machine.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"

	"textmill/config"
	"textmill/daemon"
	"textmill/daemon/engine"
	"textmill/export"
	"textmill/jobs"
	"textmill/models"
)

// EmbedOptions describes one run of `textmill embed`.
type EmbedOptions struct {
	Model  string
	Params map[string]string
	Texts  Texts
	Out    io.Writer // JSONL, one line per text in order
	Dir    string    // instead of Out: the Delta table that gets the rows, all in one commit
	Log    *slog.Logger
}

// ErrUsage is the class of errors that are the caller's own words.
var ErrUsage = errors.New("wrong usage")

// Embed embeds texts with a model of the cache, without a queue, in constant memory.
func Embed(ctx context.Context, cfg config.Config, o EmbedOptions) (err error) {
	raw, err := jobs.ParamsJSON(jobs.TaskEmbed, o.Params)
	if err != nil {
		return fmt.Errorf("%w: --param: %w", ErrUsage, err)
	}
	params, err := jobs.ParseEmbedParams(raw)
	if err != nil {
		return fmt.Errorf("%w: --param: %w", ErrUsage, err)
	}
	m, err := openModel(ctx, cfg, o.Model, len(o.Texts.Args) > 0, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	if o.Dir != "" {
		return m.embedToTable(ctx, cfg, o, params)
	}
	return m.embedToLines(ctx, cfg, o, params)
}

// model is a model ready to embed.
type model struct {
	spec     *models.Spec
	embedder *models.Embedder
	engine   *engine.Engine
}

// fewBatchTokens is a sound batch size where learning the best one would take longer than the work.
const fewBatchTokens = 1024

func openModel(ctx context.Context, cfg config.Config, name string, few bool, log *slog.Logger) (*model, error) {
	spec, err := bundle(cfg, name)
	if err != nil {
		return nil, err
	}
	if spec.Task != jobs.TaskEmbed {
		return nil, fmt.Errorf("model %s is made for the task %s, not for embedding", name, spec.Task)
	}
	tok, err := spec.Tokenizer()
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	session := daemon.SessionOptions(cfg, name)
	if few && session.BatchTokens == 0 {
		session.BatchTokens = fewBatchTokens
	}
	embedder, err := models.OpenEmbedder(ctx, spec, session)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	for _, note := range spec.Notes {
		log.DebugContext(ctx, "model", "model", name, "note", note)
	}
	if spec.BatchDependent {
		log.WarnContext(ctx, "this model gives a text different vectors depending on its batch-mates (DynamicQuantizeLinear)", "model", name)
	}
	return &model{spec: spec, embedder: embedder, engine: engine.New(engine.Options{
		Spec: spec, Embedder: embedder, Tokenizer: tok, WindowTokens: cfg.Limits.WindowTokens, RunTimeout: cfg.Limits.RunTimeout,
	})}, nil
}

func (m *model) close() error {
	m.engine.Stop()
	m.engine.Close()
	return m.embedder.Close()
}

var errStopped = errors.New("the engine was stopped")

// run feeds texts to the engine and hands each one's rows to emit in the order of the texts.
func (m *model) run(ctx context.Context, t Texts, recordBytes int, plan *engine.Plan, emit func(jobs.Record, []export.Row) error, idle func() error) error {
	type result struct {
		record jobs.Record
		rows   []export.Row
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := newOrdered[result](ctx)
	go func() {
		results.finish(t.each(ctx, recordBytes, func(l line) error {
			r := l.record(recordBytes)
			s, err := results.add(int64(len(r.Text)) + 8*int64(m.spec.Dim) + 1024)
			if err != nil {
				return err
			}
			return m.engine.Do(ctx, engine.Task{Record: r, Plan: plan, Done: func(rows []export.Row) { s.result <- result{r, rows} }})
		}))
	}()
	return results.drain(func(r result) error {
		if len(r.rows) == 0 {
			return errors.Join(errStopped, context.Cause(ctx))
		}
		return emit(r.record, r.rows)
	}, idle)
}

func (m *model) embedToLines(ctx context.Context, cfg config.Config, o EmbedOptions, params jobs.EmbedParams) error {
	out := newAnswerWriter(o.Out)
	plan := m.engine.Resolve(params, engine.Origin{})
	err := m.run(ctx, o.Texts, int(cfg.Limits.RecordBytes), plan, func(r jobs.Record, rows []export.Row) error {
		return out.write(embedAnswer(r.ID, rows, params.ChunkSize > 0))
	}, out.flush)
	if err := errors.Join(err, out.flush()); err != nil {
		return err
	}
	o.Log.Log(ctx, o.Texts.level(out.failed), "embedded", "records", out.lines, "errors", out.failed, "model", m.spec.Name, "model_sha256", m.spec.SHA256)
	return nil
}

// embedAnswer is the answer to one record. A chunked record may have several rows, and the answer lists them.
func embedAnswer(id string, rows []export.Row, chunked bool) answer {
	for _, r := range rows {
		if r.Error != "" {
			return failure(id, jobs.ParseRecordError(r.Error))
		}
	}
	b := appendString([]byte(`{"id":`), id)
	if !chunked {
		b = appendEmbedding(append(b, ','), &rows[0])
		return answer{line: append(b, '}')}
	}
	b = append(b, `,"chunks":[`...)
	for i := range rows {
		r := &rows[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"chunk":`...), int64(r.Chunk.V), 10)
		b = strconv.AppendInt(append(b, `,"chunk_start":`...), int64(r.ChunkStart.V), 10)
		b = strconv.AppendInt(append(b, `,"chunk_end":`...), int64(r.ChunkEnd.V), 10)
		b = append(appendEmbedding(append(b, ','), r), '}')
	}
	return answer{line: append(b, "]}"...)}
}

func appendEmbedding(b []byte, r *export.Row) []byte {
	b = append(b, `"embedding":`...)
	switch {
	case r.Embedding8 != nil:
		b = appendInts(b, r.Embedding8)
	case r.Embedding16 != nil:
		b = appendInts(b, r.Embedding16)
	default:
		b = appendFloats(b, r.Embedding)
	}
	b = strconv.AppendInt(append(b, `,"dim":`...), int64(r.Dim.V), 10)
	b = append(b, `,"norm":`...)
	if r.Norm.Valid {
		b = strconv.AppendFloat(b, r.Norm.V, 'g', -1, 64)
	} else {
		b = append(b, "null"...) // one vector a token has no single norm
	}
	b = strconv.AppendInt(append(b, `,"n_tokens":`...), int64(r.NTokens.V), 10)
	b = strconv.AppendBool(append(b, `,"truncated":`...), r.Truncated.V)
	return strconv.AppendInt(append(b, `,"n_dropped":`...), int64(r.NDropped.V), 10)
}

// Vectors embeds a few texts with the model's own params.
func Vectors(ctx context.Context, cfg config.Config, name string, texts []string, log *slog.Logger) (vectors [][]float32, err error) {
	m, err := openModel(ctx, cfg, name, true, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	params, err := jobs.ParseEmbedParams(nil)
	if err != nil {
		return nil, err
	}
	plan := m.engine.Resolve(params, engine.Origin{})
	err = m.run(ctx, Texts{Args: texts}, int(cfg.Limits.RecordBytes), plan, func(r jobs.Record, rows []export.Row) error {
		if rows[0].Error != "" {
			return fmt.Errorf("embed %q: %s", r.Text, rows[0].Error)
		}
		vectors = append(vectors, rows[0].Embedding)
		return nil
	}, func() error { return nil })
	return vectors, err
}
