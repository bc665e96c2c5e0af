// Package rows says what every row of a record holds, whichever model it is for and whatever became of it.
package rows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"textmill/export"
	"textmill/jobs"
	"textmill/models"
)

// Origin is what rows say of where they come from.
type Origin struct {
	Job, Shard     string
	StreamSequence uint64
	StreamCreated  time.Time // of the stream that StreamSequence counts in
	// Unwanted, when set, tells that nobody waits for the rows any more: work may end without them.
	Unwanted func() bool
	// Piece, when set, sees each token of a text as it is made, before the rows come. It must not block.
	Piece func(Piece)
	// Watch, when set, is told of each part of Tokenize and Run when it began and how long it took.
	Watch func(s Stage, begun time.Time, took time.Duration)
}

// A Piece is what one token adds to a text.
type Piece struct {
	Record     string // its id
	Completion int
	Text       string // what became certain with it
	Finish     string // "" while the text goes on
	Token      Candidate
	Top        []Candidate // the likeliest tokens in its place, if asked for
}

// ErrBusy says that as many are being answered as may be; nothing is wrong with the record.
var ErrBusy = errors.New("too many texts are being made for those who wait")

// Dropped tells whether the rows are unwanted by now.
func (o *Origin) Dropped() bool { return o.Unwanted != nil && o.Unwanted() }

// Work turns the records of one shard, all with the same params, into rows.
type Work interface {
	// Vectors is what the rows' embeddings are, none where they have none.
	Vectors() export.Vectors
	// Do accepts a record, waiting while there is no room. An error means that done will not be called. Else it is called
	// exactly once, from any goroutine, with the record's rows in their order; one that failed gives one row whose Error
	// is set. It gets nil rows only when the work was stopped before the record was through.
	Do(ctx context.Context, r jobs.Record, done func([]export.Row)) error
}

// New is what a row says of its record, whose content_sha256 is content, before anything was computed.
func New(spec *models.Spec, o Origin, r *jobs.Record, content string, storeText bool) export.Row {
	row := export.Row{
		Job: o.Job, Shard: o.Shard, RecordID: r.ID, Attributes: r.Attributes,
		Task: spec.Task, Model: spec.Name, ModelSHA256: spec.SHA256, CreatedAt: time.Now(),
		ContentSHA256: content, Unnamed: r.Placed,
	}
	if o.StreamSequence > 0 {
		row.StreamSequence, row.StreamCreated = export.Some(int64(o.StreamSequence)), o.StreamCreated
	}
	if storeText && r.Err == nil {
		row.Text = export.Some(text(r))
	}
	return row
}

// text is a record's text, or its messages as JSON.
func text(r *jobs.Record) string {
	if r.Messages == nil {
		return r.Text
	}
	return string(Messages(r.Messages))
}

// Messages is a conversation as JSON.
func Messages(messages []jobs.ChatMessage) json.RawMessage {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	list := make([]message, len(messages))
	for i, m := range messages {
		list[i] = message(m)
	}
	raw, err := json.Marshal(list)
	if err != nil { // strings always encode
		panic(err)
	}
	return raw
}

// Failed is the one row of a record that failed.
func Failed(row export.Row, err *jobs.RecordError) export.Row {
	row.Error = err.String()
	if err.Class == jobs.BadUTF8 {
		row.Text = export.Null[string]{}
	}
	return row
}

// BadUTF8 says where a text is not UTF-8, nil if it is.
func BadUTF8(field, s string) *jobs.RecordError {
	if utf8.ValidString(s) {
		return nil
	}
	return &jobs.RecordError{Class: jobs.BadUTF8, Message: fmt.Sprintf("%s: not valid UTF-8 at byte %d", field,
		invalidAt(s))}
}

// invalidAt is the byte offset of the first invalid sequence of s.
func invalidAt(s string) int {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return len(s)
}

// TopLogprobs is the attribute that holds the likeliest tokens of each step, since tables have no column for them: a
// JSON list of lists of Candidate.
const TopLogprobs = "top_logprobs"

// Candidate is one of the likeliest tokens of a step.
type Candidate struct {
	ID      int32   `json:"id"`
	Token   string  `json:"token"`
	Logprob float32 `json:"logprob"`
}
