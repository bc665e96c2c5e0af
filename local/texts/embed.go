// Package texts embeds texts and continues prompts without a queue, in constant memory.
package texts

import (
	"context"
	"errors"
	"strconv"

	"textmill/config"
	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/local"
	"textmill/open"
	"textmill/work/rows"
)

// Embed embeds texts with a model of the cache, without a queue, in constant memory.
func Embed(ctx context.Context, cfg config.Config, o Options) (err error) {
	params, raw, err := local.Params(naming.TaskEmbed, o.Params, jobs.ParseEmbedParams)
	if err != nil {
		return err
	}
	m, err := open.EmbeddingNamed(ctx, cfg, o.Model, len(o.Texts.Args) > 0, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.End()) }()
	run := runner{task: naming.TaskEmbed, recordBytes: int(cfg.Limits.RecordBytes), answerBytes: 8 * m.Spec.Dim,
		log: o.Log, quiet: o.Quiet}
	begin := func(from rows.Origin) rows.Work {
		return m.Engine.Work(&jobs.Shard{Embed: params, RawParams: raw}, from)
	}
	if o.Ranges {
		return run.writeRanges(ctx, o, begin(rows.Origin{}), params)
	}
	return run.work(ctx, cfg, o, "embedded", m.Spec, begin,
		func(id string, list []export.Row) local.Answer { return embedAnswer(id, list, params.ChunkSize > 0) })
}

// embedAnswer is the answer to one record. A chunked record may have several rows, and the answer lists them.
func embedAnswer(id string, rows []export.Row, chunked bool) local.Answer {
	for _, r := range rows {
		if r.Error != "" {
			return local.Failure(id, jobs.ParseRecordError(r.Error))
		}
	}
	b := local.AppendString([]byte(`{"id":`), id)
	if !chunked {
		b = appendEmbedding(append(b, ','), &rows[0])
		return local.Answer{Line: append(b, '}')}
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
	return local.Answer{Line: append(b, "]}"...)}
}

func appendEmbedding(b []byte, r *export.Row) []byte {
	b = append(b, `"embedding":`...)
	switch {
	case r.Embedding8 != nil:
		b = local.AppendInts(b, r.Embedding8)
	case r.Embedding16 != nil:
		b = local.AppendInts(b, r.Embedding16)
	default:
		b = local.AppendFloats(b, r.Embedding)
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
