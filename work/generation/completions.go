package generation

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"time"

	"textmill/crash"
	"textmill/export"
	"textmill/jobs"
	"textmill/models/generate"
	"textmill/models/sample"
	"textmill/work/rows"
)

// completions are the texts that are made of one record.
type completions struct {
	e       *Engine
	record  *jobs.Record
	content string // the record's content_sha256
	origin  rows.Origin
	params  jobs.GenerateParams
	prompt  []int32
	request generate.Params
	seed    int64 // of the first; each next one has the next
	asks    bool

	mu      sync.Mutex
	rows    []export.Row
	pending int
	stopped bool
}

// run has every completion made. done gets their rows in order, or one row that says why there are none.
func (c *completions) run(ctx context.Context, done func([]export.Row)) error {
	n := max(c.params.N, 1)
	c.rows, c.pending = make([]export.Row, n), n
	for i := range n {
		p := c.request
		p.Seed = uint64(c.seed) + uint64(i)
		asked := time.Now()
		r := generate.Request{Prompt: c.prompt, Job: c.origin.Job, Asked: c.asks, Params: p, Unwanted: c.unwanted,
			Entered: func() {
				c.e.timed(rows.Wait, asked)
				asked = time.Now()
			},
			Done: func(r generate.Result) {
				if c.origin.Watch != nil {
					c.origin.Watch(rows.Run, asked, time.Since(asked))
				}
				c.settle(i, r, done)
			}}
		if c.origin.Piece != nil {
			r.Step = func(s generate.Step) { c.origin.Piece(c.piece(i, s)) }
		}
		err := c.e.o.Generator.Do(ctx, r)
		if err == nil {
			continue
		}
		if i == 0 {
			return err
		}
		for ; i < n; i++ { // the others are under way: the record ends with the last of them
			c.settle(i, generate.Result{Err: errors.Join(generate.ErrStopped, err)}, done)
		}
		return nil
	}
	return nil
}

// unwanted is asked before each run that the text takes part in.
func (c *completions) unwanted() bool {
	crash.Run(c.prompt)
	return c.origin.Unwanted != nil && c.origin.Unwanted()
}

// settle files one completion, and hands all of them over with the last.
func (c *completions) settle(i int, r generate.Result, done func([]export.Row)) {
	row := c.row(i, r)
	c.mu.Lock()
	c.rows[i] = row
	c.stopped = c.stopped || errors.Is(r.Err, generate.ErrStopped)
	c.pending--
	last := c.pending == 0
	c.mu.Unlock()
	if !last {
		return
	}
	if c.stopped {
		done(nil)
		return
	}
	for i := range c.rows {
		if c.rows[i].Error != "" {
			done(c.rows[i : i+1])
			return
		}
	}
	done(c.rows)
}

// row is what the table says of a completion.
func (c *completions) row(i int, r generate.Result) export.Row {
	row := rows.New(c.e.o.Spec, c.origin, c.record, c.content, c.params.StoreText)
	row.NTokens, row.NDropped, row.Truncated = export.Some(int32(len(c.prompt))), export.Some(int32(0)),
		export.Some(false)
	row.Chunk = export.Some(int32(i))
	if c.params.StoreTokenIDs {
		row.InputIDs = c.prompt
	}
	if r.Err != nil {
		row.FinishReason = "error"
		return rows.Failed(row, failureOf(r.Err))
	}
	row.Output, row.FinishReason = export.Some(r.Text), r.Finish
	row.NOutputTokens = export.Some(int32(len(r.IDs)))
	if c.params.StoreTokenIDs {
		row.OutputIDs = r.IDs
	}
	if c.request.Temperature > 0 {
		row.Seed = export.Some(c.seed + int64(i))
	}
	row.Logprobs = r.Logprobs
	if r.Top != nil {
		row.Attributes = maps.Clone(row.Attributes)
		if row.Attributes == nil {
			row.Attributes = map[string]string{}
		}
		row.Attributes[rows.TopLogprobs] = c.e.top(r.Top)
	}
	return row
}

// piece is what a token adds to the i-th text.
func (c *completions) piece(i int, s generate.Step) rows.Piece {
	p := rows.Piece{Record: c.record.ID, Completion: i, Text: s.Text, Finish: s.Finish, Top: c.e.candidates(s.Top)}
	if c.request.Logprobs {
		p.Token = c.e.candidate(sample.Candidate{ID: s.ID, Logprob: s.Logprob})
	}
	return p
}

func (e *Engine) candidate(c sample.Candidate) rows.Candidate {
	return rows.Candidate{ID: c.ID, Token: e.o.Tokenizer.Decode([]int32{c.ID}, false), Logprob: c.Logprob}
}

func (e *Engine) candidates(step []sample.Candidate) (all []rows.Candidate) {
	for _, c := range step {
		all = append(all, e.candidate(c))
	}
	return all
}

func (e *Engine) top(steps [][]sample.Candidate) string {
	all := make([][]rows.Candidate, len(steps))
	for i, step := range steps {
		all[i] = e.candidates(step)
	}
	raw, err := json.Marshal(all)
	if err != nil { // log-probabilities of what was kept are finite
		return "[]"
	}
	return string(raw)
}
