package embedding

import (
	"context"
	"slices"

	"textmill/export"
	"textmill/jobs"
	"textmill/work/resolve"
	"textmill/work/rows"
)

// Where tokens are dropped from a text that is too long.
const (
	truncateRight = "right"
	truncateLeft  = "left"
	truncateError = "error"
)

// Plan is what is done to each of a job's records.
type Plan struct {
	resolve.Embedding
	skip                int // tokens at the front that pooling leaves out
	truncate            string
	storeText, storeIDs bool
	about               rows.Origin
	contents            *jobs.Contents
	failure             *jobs.RecordError // every record of the plan fails with it
}

// vectors is what the embeddings of the plan's rows are.
func (p *Plan) vectors() export.Vectors {
	if p.failure != nil {
		return export.Vectors{}
	}
	return p.Vectors()
}

// Work is the work of a shard's records.
func (e *Engine) Work(s *jobs.Shard, o rows.Origin) rows.Work {
	plan := e.Fail(s.ParamsErr, o)
	if s.ParamsErr == nil {
		plan = e.Resolve(s.Embed, o)
	}
	plan.contents = jobs.NewContents(e.opts.Spec.SHA256, s.RawParams)
	return work{e, plan, false}
}

// Asks is Work whose rows somebody waits for: it is done by Ask.
func (e *Engine) Asks(s *jobs.Shard, o rows.Origin) rows.Work {
	w := e.Work(s, o).(work)
	w.asks = true
	return w
}

type work struct {
	e    *Engine
	plan *Plan
	asks bool
}

func (w work) Vectors() export.Vectors { return w.plan.vectors() }

func (w work) Do(ctx context.Context, r jobs.Record, done func([]export.Row)) error {
	t := Task{Record: r, Plan: w.plan, Done: done}
	if w.asks {
		return w.e.Ask(t)
	}
	return w.e.Do(ctx, t)
}

// Fail is a plan under which every record becomes a row with this error.
func (e *Engine) Fail(err *jobs.RecordError, o rows.Origin) *Plan {
	return &Plan{failure: err, about: o, storeText: true}
}

// Resolve checks params against what the model can do and fills in the model's
// own defaults. Params that the model cannot honour give a plan under which
// every record is an error row of class invalid_param.
func (e *Engine) Resolve(p jobs.EmbedParams, o rows.Origin) *Plan {
	asked, err := resolve.Embed(p, e.opts.Spec, e.tok.NumSpecial())
	if err != nil {
		return e.Fail(&jobs.RecordError{Class: jobs.InvalidParam, Message: err.Error()}, o)
	}
	plan := &Plan{Embedding: asked, truncate: p.Truncate, storeText: p.StoreText, storeIDs: p.StoreTokenIDs, about: o}
	if plan.Prompt != "" && !e.opts.Spec.PoolPrompt {
		skip, err := e.promptTokens(plan.Prompt)
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
