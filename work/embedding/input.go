package embedding

import (
	"strings"

	"textmill/jobs"
	"textmill/models/embed"
	"textmill/models/vector"
	"textmill/tokenize"
)

// An Input is a record as the model takes it.
type Input struct {
	Text    string // prompt and text, as they are tokenized
	Row     embed.Row
	Spans   []tokenize.Span // of each token, in characters of Text; [0,0] for special tokens
	Dropped int             // tokens of the text that were cut off
	Vector  vector.Params
}

// Input prepares a record of one row, and does not run it.
func (e *Engine) Input(r jobs.Record, p *Plan) (Input, *jobs.RecordError) {
	if p.failure != nil {
		return Input{}, p.failure
	}
	if err := lacksText(r); err != nil {
		return Input{}, err
	}
	if p.ChunkSize > 0 {
		return Input{}, &jobs.RecordError{Class: jobs.InvalidParam,
			Message: "chunk_size: only one row can be looked at; leave it out"}
	}
	var s scratch
	items, failure := e.encode(&s, &record{task: Task{Record: r, Plan: p}})
	if failure != nil {
		return Input{}, failure
	}
	it := items[0]
	in := Input{Text: p.Prompt + r.Text, Dropped: it.dropped, Vector: p.Vector}
	if e.opts.Spec.Lowercase {
		in.Text = strings.ToLower(in.Text)
	}
	in.Row = embed.Row{IDs: it.ids, TypeIDs: it.types, Pooling: p.Pooling, Skip: skipped(p, it)}
	spans := s.spans[:len(it.ids)-e.tok.NumSpecial()]
	if p.truncate == truncateLeft {
		spans = s.spans[it.dropped:]
	}
	in.Spans = make([]tokenize.Span, len(it.ids))
	marks := make([]int32, len(spans))
	for i := range marks {
		marks[i] = int32(-1 - i) // no token has such an ID
	}
	placed, _ := e.tok.AppendInput(nil, nil, marks)
	for i, mark := range placed {
		if mark < 0 {
			in.Spans[i] = spans[-1-mark]
		}
	}
	return in, nil
}
