package generation

import (
	"context"

	"textmill/jobs"
	"textmill/models/generate"
	"textmill/tokenize"
)

// A Prompt is a record as the model takes it.
type Prompt struct {
	Text     string // as it is tokenized: a conversation's is rendered
	Encoding *tokenize.Encoding
	Params   generate.Params
}

// Prepare makes a record's prompt and settles its params, and does not run it. Of several completions it is the first.
func (e *Engine) Prepare(r jobs.Record, p jobs.GenerateParams) (Prompt, *jobs.RecordError) {
	c, failure := work{e: e, params: p}.prepare(&r)
	if failure != nil {
		return Prompt{}, failure
	}
	text, o, err := e.render(&r, c.params)
	if err != nil {
		return Prompt{}, asRecordError(err, jobs.InvalidRecord)
	}
	enc, err := e.o.Tokenizer.Encode(text, o)
	if err != nil {
		return Prompt{}, asRecordError(err, jobs.InvalidRecord)
	}
	c.request.Seed = uint64(c.seed)
	return Prompt{text, enc, c.request}, nil
}

// Follow continues a prompt and hands each token to see as it is chosen, with so many candidates explained, and what
// all others weigh at some temperatures. A slow see holds up no other text. The error is a RecordError, or that of see
// or ctx, with which the text ends too.
func (e *Engine) Follow(
	ctx context.Context, p Prompt, explain int, see func(generate.Step) error, temperatures ...float64,
) (generate.Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The generator waits for whom it tells: there is room for all that it will say.
	steps := make(chan generate.Step, min(p.Params.MaxNewTokens, e.o.Spec.MaxLength)+1)
	done := make(chan generate.Result, 1)
	err := e.o.Generator.Do(ctx, generate.Request{
		Prompt: p.Encoding.IDs, Params: p.Params, Explain: explain, Temperatures: temperatures,
		Later:    true,
		Unwanted: func() bool { return ctx.Err() != nil }, Step: func(s generate.Step) { steps <- s },
		Done: func(r generate.Result) { done <- r; close(steps) },
	})
	if err != nil {
		return generate.Result{}, failureOf(err)
	}
	for {
		select {
		case s, more := <-steps:
			if !more {
				r := <-done
				if r.Err != nil {
					return r, failureOf(r.Err)
				}
				return r, nil
			}
			if err := see(s); err != nil {
				return generate.Result{}, err
			}
		case <-ctx.Done():
			return generate.Result{}, context.Cause(ctx)
		}
	}
}
