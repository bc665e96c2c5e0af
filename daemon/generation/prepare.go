package generation

import (
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

// Failure is the class under which a text that was not made is reported.
func Failure(err error) *jobs.RecordError { return failureOf(err) }
