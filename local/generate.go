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
	"textmill/work/generation"
	"textmill/work/rows"
)

// Generate continues prompts with a model of the cache, without a queue, in constant memory.
func Generate(ctx context.Context, cfg config.Config, o WorkOptions) (err error) {
	raw, err := jobs.ParamsJSON(naming.TaskGenerate, o.Params)
	if err != nil {
		return fmt.Errorf("%w: --param: %w", ErrUsage, err)
	}
	params, err := jobs.ParseGenerateParams(raw)
	if err != nil {
		return fmt.Errorf("%w: --param: %w", ErrUsage, err)
	}
	g, err := openGenerator(ctx, cfg, o.Model, len(o.Texts.Args), o.Log)
	if err != nil {
		return err
	}
	defer func() {
		g.Stop()
		err = errors.Join(err, g.Close())
	}()
	run := runner{task: naming.TaskGenerate, recordBytes: int(cfg.Limits.RecordBytes), answerBytes: 4096, log: o.Log, quiet: o.Quiet}
	return run.work(ctx, cfg, o, "generated", g.spec,
		func(from rows.Origin) rows.Work { return g.Engine.Work(&jobs.Shard{Generate: params}, from) }, generateAnswer)
}

// generator is a generation model of the cache, ready to work.
type generator struct {
	*open.Generator
	spec *models.Spec
}

func openGenerator(ctx context.Context, cfg config.Config, name string, few int, log *slog.Logger) (*generator, error) {
	s, err := bundleNamed(cfg, name)
	if err != nil {
		return nil, err
	}
	if s.Task != naming.TaskGenerate {
		return nil, fmt.Errorf("model %s is made for the task %s, not for generation", name, s.Task)
	}
	if few > 0 { // of which no more run at a time
		m := cfg.Models[name]
		if m.Slots == 0 {
			m.Slots = min(few, cfg.Generate.Slots)
		}
		cfg.Models = map[string]config.Model{name: m}
	}
	g, err := open.Generation(ctx, cfg, s, nil)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	s = g.Spec()
	for _, note := range append(s.Notes, g.Notes()...) {
		log.DebugContext(ctx, "model", "model", name, "note", note)
	}
	if depends := g.Dependence(); depends != "" {
		log.WarnContext(ctx, depends, "model", name, "graph", s.Graph)
	}
	return &generator{g, s}, nil
}

// generateAnswer is the answer to one record; several completions are listed in it.
func generateAnswer(id string, list []export.Row) answer {
	if list[0].Error != "" {
		return failure(id, jobs.ParseRecordError(list[0].Error))
	}
	b := append(appendString([]byte(`{"id":`), id), ',')
	if len(list) == 1 {
		return answer{line: append(appendCompletion(b, &list[0]), '}')}
	}
	b = append(b, `"completions":[`...)
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendCompletion(append(b, '{'), &list[i]), '}')
	}
	return answer{line: append(b, "]}"...)}
}

func appendCompletion(b []byte, r *export.Row) []byte {
	b = appendString(append(b, `"output":`...), r.Output.V)
	b = append(b, `,"output_ids":`...)
	b = appendInts(b, r.OutputIDs)
	b = appendString(append(b, `,"finish_reason":`...), r.FinishReason)
	b = strconv.AppendInt(append(b, `,"n_tokens":`...), int64(r.NTokens.V), 10)
	b = strconv.AppendInt(append(b, `,"n_output_tokens":`...), int64(r.NOutputTokens.V), 10)
	if r.Seed.Valid {
		b = strconv.AppendInt(append(b, `,"seed":`...), r.Seed.V, 10)
	}
	if r.Logprobs != nil {
		b = appendFloats(append(b, `,"logprobs":`...), r.Logprobs)
	}
	if top := r.Attributes[generation.TopLogprobs]; top != "" {
		b = append(append(b, `,"top_logprobs":`...), top...)
	}
	return b
}
