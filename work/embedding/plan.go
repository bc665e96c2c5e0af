package embedding

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"textmill/export"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/vector"
	"textmill/work/rows"
)

// Where tokens are dropped from a text that is too long.
const (
	truncateRight = "right"
	truncateLeft  = "left"
	truncateError = "error"
)

// poolingNone gives every token's vector instead of one for the text.
const poolingNone = "none"

// Plan is a job's params resolved against the model: what is done to each of
// its records.
type Plan struct {
	prompt                  string
	skip                    int // tokens at the front that pooling leaves out
	pooling                 string
	vector                  vector.Params
	truncate                string
	maxLength               int
	chunkSize, chunkOverlap int
	storeText, storeIDs     bool
	about                   rows.Origin
	failure                 *jobs.RecordError // every record of the plan fails with it
}

// vectors is what the embeddings of the plan's rows are.
func (p *Plan) vectors(spec *models.Spec) export.Vectors {
	if p.failure != nil {
		return export.Vectors{}
	}
	return export.Vectors{
		Precision: cmp.Or(p.vector.Precision, vector.Float32), Dim: cmp.Or(p.vector.Dimensions, spec.Dim), PerToken: p.pooling == poolingNone,
	}
}

// Check says what vectors params ask of a model, or why it has none such, to those who do not run it.
func Check(p jobs.EmbedParams, spec *models.Spec) (export.Vectors, error) {
	plan := &Plan{pooling: spec.Pooling, maxLength: spec.MaxLength, vector: vector.Params{Precision: p.Precision}}
	if err := plan.apply(p, spec, 0); err != nil {
		return export.Vectors{}, err
	}
	return plan.vectors(spec), nil
}

// Work is the work of a shard's records.
func (e *Engine) Work(s *jobs.Shard, o rows.Origin) rows.Work {
	if s.ParamsErr != nil {
		return work{e, e.Fail(s.ParamsErr, o)}
	}
	return work{e, e.Resolve(s.Embed, o)}
}

type work struct {
	e    *Engine
	plan *Plan
}

func (w work) Vectors() export.Vectors { return w.plan.vectors(w.e.opts.Spec) }

func (w work) Do(ctx context.Context, r jobs.Record, done func([]export.Row)) error {
	return w.e.Do(ctx, Task{Record: r, Plan: w.plan, Done: done})
}

// Fail is a plan under which every record becomes a row with this error.
func (e *Engine) Fail(err *jobs.RecordError, o rows.Origin) *Plan {
	return &Plan{failure: err, about: o, storeText: true}
}

// Resolve checks params against what the model can do and fills in the model's
// own defaults. Params that the model cannot honour give a plan under which
// every record is an error row of class invalid_param.
func (e *Engine) Resolve(p jobs.EmbedParams, o rows.Origin) *Plan {
	spec := e.opts.Spec
	plan := &Plan{
		pooling:   spec.Pooling,
		truncate:  p.Truncate,
		maxLength: spec.MaxLength,
		vector:    vector.Params{Normalize: spec.Normalize, Precision: p.Precision},
		storeText: p.StoreText,
		storeIDs:  p.StoreTokenIDs,
		about:     o,
	}
	if err := plan.apply(p, spec, e.tok.NumSpecial()); err != nil {
		return e.Fail(&jobs.RecordError{Class: jobs.InvalidParam, Message: err.Error()}, o)
	}
	if plan.prompt != "" && !spec.PoolPrompt {
		skip, err := e.promptTokens(plan.prompt)
		if err != nil {
			return e.Fail(&jobs.RecordError{Class: jobs.InvalidParam, Message: "prompt: " + err.Error()}, o)
		}
		plan.skip = skip
	}
	return plan
}

// promptTokens counts the tokens of a prompt and the specials before it, as
// sentence-transformers does for models that do not pool them.
func (e *Engine) promptTokens(prompt string) (int, error) {
	const mark = -1
	ids, _ := e.tok.AppendInput(nil, nil, []int32{mark})
	body, _, err := e.tok.AppendBody(nil, nil, prompt)
	return slices.Index(ids, mark) + len(body), err
}

func (plan *Plan) apply(p jobs.EmbedParams, spec *models.Spec, specials int) error {
	var err error
	if plan.prompt, err = prompt(p, spec); err != nil {
		return err
	}
	if spec.PooledInGraph && p.Pooling != "" && p.Pooling != spec.Pooling {
		return fmt.Errorf("pooling: model %s pools by itself (%s)", spec.Name, spec.Pooling)
	}
	plan.pooling = cmp.Or(p.Pooling, plan.pooling)
	if p.Normalize != nil {
		plan.vector.Normalize = *p.Normalize
	}
	if p.Dimensions > spec.Dim {
		return fmt.Errorf("dimensions: %d is more than the %d of model %s", p.Dimensions, spec.Dim, spec.Name)
	}
	plan.vector.Dimensions = p.Dimensions
	if plan.pooling == poolingNone && (plan.vector.Dimensions != 0 || plan.vector.Precision != "float32") {
		return fmt.Errorf("pooling: none gives one vector a token, which dimensions and precision do not apply to")
	}
	if p.MaxLength != 0 {
		if p.MaxLength <= specials || p.MaxLength > spec.MaxLength {
			return fmt.Errorf("max_length: %d is not between %d and the %d tokens of model %s", p.MaxLength, specials+1, spec.MaxLength, spec.Name)
		}
		plan.maxLength = p.MaxLength
	}
	return plan.applyChunks(p, spec)
}

func (plan *Plan) applyChunks(p jobs.EmbedParams, spec *models.Spec) error {
	plan.chunkSize, plan.chunkOverlap = p.ChunkSize, p.ChunkOverlap
	switch {
	case plan.chunkSize == 0 && plan.chunkOverlap != 0:
		return fmt.Errorf("chunk_overlap: needs chunk_size")
	case plan.chunkSize > plan.maxLength:
		return fmt.Errorf("chunk_size: %d is more than max_length %d of model %s", plan.chunkSize, plan.maxLength, spec.Name)
	case plan.chunkSize != 0 && plan.chunkOverlap >= plan.chunkSize:
		return fmt.Errorf("chunk_overlap: %d is not less than chunk_size %d", plan.chunkOverlap, plan.chunkSize)
	}
	return nil
}

// prompt is the text put before each record: given in full, by its name, or
// the model's default.
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
	if !ok {
		known := strings.Join(slices.Sorted(maps.Keys(spec.Prompts)), ", ")
		if known == "" {
			known = "none"
		}
		return "", fmt.Errorf("prompt_name: model %s has no prompt %q (it has: %s)", spec.Name, name, known)
	}
	return text, nil
}
