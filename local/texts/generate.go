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

// Generate continues prompts with a model of the cache, without a queue, in constant memory.
func Generate(ctx context.Context, cfg config.Config, o Options) (err error) {
	params, raw, err := local.Params(naming.TaskGenerate, o.Params, jobs.ParseGenerateParams)
	if err != nil {
		return err
	}
	g, err := open.GenerationNamed(ctx, cfg, o.Model, len(o.Texts.Args), o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.End()) }()
	run := runner{task: naming.TaskGenerate, recordBytes: int(cfg.Limits.RecordBytes), answerBytes: 4096, log: o.Log,
		quiet: o.Quiet}
	return run.work(ctx, cfg, o, "generated", g.Spec(),
		func(from rows.Origin) rows.Work {
			return g.Engine.Work(&jobs.Shard{Generate: params, RawParams: raw}, from)
		}, generateAnswer)
}

// generateAnswer is the answer to one record; several completions are listed in it.
func generateAnswer(id string, list []export.Row) local.Answer {
	if list[0].Error != "" {
		return local.Failure(id, jobs.ParseRecordError(list[0].Error))
	}
	b := append(local.AppendString([]byte(`{"id":`), id), ',')
	if len(list) == 1 {
		return local.Answer{Line: append(appendCompletion(b, &list[0]), '}')}
	}
	b = append(b, `"completions":[`...)
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendCompletion(append(b, '{'), &list[i]), '}')
	}
	return local.Answer{Line: append(b, "]}"...)}
}

func appendCompletion(b []byte, r *export.Row) []byte {
	b = local.AppendString(append(b, `"output":`...), r.Output.V)
	b = append(b, `,"output_ids":`...)
	b = local.AppendInts(b, r.OutputIDs)
	b = local.AppendString(append(b, `,"finish_reason":`...), r.FinishReason)
	b = strconv.AppendInt(append(b, `,"n_tokens":`...), int64(r.NTokens.V), 10)
	b = strconv.AppendInt(append(b, `,"n_output_tokens":`...), int64(r.NOutputTokens.V), 10)
	if r.Seed.Valid {
		b = strconv.AppendInt(append(b, `,"seed":`...), r.Seed.V, 10)
	}
	if r.Logprobs != nil {
		b = local.AppendFloats(append(b, `,"logprobs":`...), r.Logprobs)
	}
	if top := r.Attributes[rows.TopLogprobs]; top != "" {
		b = append(append(b, `,"top_logprobs":`...), top...)
	}
	return b
}
