// Package local does without a queue what a user asks of models, tokenizers and tables on this machine.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"textmill/config"
	"textmill/export"
	"textmill/jobs"
	"textmill/models"
	"textmill/naming"
	"textmill/open"
	"textmill/work/rows"
)

// ErrUsage is the class of errors that are the caller's own words.
var ErrUsage = errors.New("wrong usage")

// Embed embeds texts with a model of the cache, without a queue, in constant memory.
func Embed(ctx context.Context, cfg config.Config, o WorkOptions) (err error) {
	raw, err := jobs.ParamsJSON(naming.TaskEmbed, o.Params)
	if err != nil {
		return fmt.Errorf("%w: --param: %w", ErrUsage, err)
	}
	params, err := jobs.ParseEmbedParams(raw)
	if err != nil {
		return fmt.Errorf("%w: --param: %w", ErrUsage, err)
	}
	m, err := openEmbedder(ctx, cfg, o.Model, len(o.Texts.Args) > 0, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	run := runner{task: naming.TaskEmbed, recordBytes: int(cfg.Limits.RecordBytes), answerBytes: 8 * m.spec.Dim, log: o.Log, quiet: o.Quiet}
	return run.work(ctx, cfg, o, "embedded", m.spec,
		func(from rows.Origin) rows.Work { return m.Engine.Work(&jobs.Shard{Embed: params}, from) },
		func(id string, list []export.Row) answer { return embedAnswer(id, list, params.ChunkSize > 0) })
}

// embedder is an embedding model of the cache, ready to work.
type embedder struct {
	*open.Embedder
	spec *models.Spec
}

// fewBatchTokens is a sound batch size where learning the best one would take longer than the work.
const fewBatchTokens = 1024

func openEmbedder(ctx context.Context, cfg config.Config, name string, few bool, log *slog.Logger) (*embedder, error) {
	spec, err := bundleNamed(cfg, name)
	if err != nil {
		return nil, err
	}
	if spec.Task != naming.TaskEmbed {
		return nil, fmt.Errorf("model %s is made for the task %s, not for embedding", name, spec.Task)
	}
	session := open.Session(cfg, name)
	if few && session.BatchTokens == 0 {
		session.BatchTokens = fewBatchTokens
	}
	e, err := open.Embedding(ctx, cfg, spec, open.EmbedderOptions{Session: session, Log: log})
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	for _, note := range spec.Notes {
		log.DebugContext(ctx, "model", "model", name, "note", note)
	}
	if depends := e.Dependence(); depends != "" {
		log.WarnContext(ctx, depends, "model", name, "graph", spec.Graph)
	}
	return &embedder{e, spec}, nil
}

func (m *embedder) close() error {
	m.Engine.Stop()
	m.Engine.Close()
	return m.Close()
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
	m, err := openEmbedder(ctx, cfg, name, true, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	params, err := jobs.ParseEmbedParams(nil)
	if err != nil {
		return nil, err
	}
	run := runner{task: naming.TaskEmbed, recordBytes: int(cfg.Limits.RecordBytes), answerBytes: 8 * m.spec.Dim, log: log}
	err = run.run(ctx, Texts{Args: texts}, m.Engine.Work(&jobs.Shard{Embed: params}, rows.Origin{}), func(r jobs.Record, rows []export.Row) error {
		if rows[0].Error != "" {
			return fmt.Errorf("embed %q: %s", r.Text, rows[0].Error)
		}
		vectors = append(vectors, rows[0].Embedding)
		return nil
	}, func() error { return nil })
	return vectors, err
}
