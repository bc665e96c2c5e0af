// Package generation turns records into rows with one generation model: it renders conversations, tokenizes prompts,
// has them continued and assembles the rows.
package generation

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"textmill/export"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/generate"
	"textmill/models/session"
	"textmill/tokenize"
	"textmill/tokenize/chat"
	"textmill/work/rows"
)

// generator continues prompts, many at a time.
type generator interface {
	Do(ctx context.Context, r generate.Request) error
	Check(tokens int) error
	Slots() int
	Stop()
}

// Options describes the model that an Engine runs.
type Options struct {
	Spec      *models.Spec
	Generator generator
	Tokenizer *tokenize.Tokenizer
	// Template is the model's chat template, nil when it has none.
	Template *chat.Template
	Limits   *Limits // nil for none
	// Timed is told of Tokenize, and of Wait until a text is in a slot.
	Timed rows.Timed
}

// Engine makes texts with one model. It is safe for concurrent use.
type Engine struct {
	o    Options
	room askers
}

// New makes an engine over a generator, which stays the caller's to close.
func New(o Options) *Engine {
	e := &Engine{o: o}
	if o.Generator != nil {
		e.room = newAskers(o.Generator.Slots())
	}
	return e
}

// LoadTemplate gives the chat template of a bundle, nil if it has none. One that cannot be honoured is a note, and an
// error of the records that need it.
func LoadTemplate(spec *models.Spec) (*chat.Template, string, error) {
	c, err := chat.LoadConfig(spec.Dir)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", models.ErrBundle, err)
	}
	if !c.HasTemplate() {
		return nil, "no chat template: records with messages are error rows of class template", nil
	}
	t, err := c.Template("")
	if err != nil {
		return nil, fmt.Sprintf("records with messages are error rows of class template: %v", err), nil
	}
	return t, "", nil
}

// Work is the work of a shard's records.
func (e *Engine) Work(s *jobs.Shard, o rows.Origin) rows.Work {
	w := work{e: e, params: s.Generate, failure: s.ParamsErr, origin: o,
		contents: jobs.NewContents(e.o.Spec.SHA256, s.RawParams)}
	if w.failure == nil {
		w.failure = e.checkShard(s)
	}
	if s.Input != nil && e.o.Limits != nil {
		w.spent = new(atomic.Int64)
	}
	return w
}

// Stop ends runs in progress; records that were not through get nil rows.
func (e *Engine) Stop() { e.o.Generator.Stop() }

// Close has nothing to end: the generator is closed by whoever opened it.
func (e *Engine) Close() {}

type work struct {
	e        *Engine
	params   jobs.GenerateParams
	failure  *jobs.RecordError
	origin   rows.Origin
	contents *jobs.Contents
	spent    *atomic.Int64 // tokens that the records so far may come to; nil where nothing counts them
	asks     bool          // somebody waits
}

// Vectors are none.
func (work) Vectors() export.Vectors { return export.Vectors{} }

func (w work) Do(ctx context.Context, r jobs.Record, done func([]export.Row)) error {
	content := w.contents.SHA256(&r)
	begun := time.Now()
	job, failure := w.prepare(&r)
	w.e.timed(rows.Tokenize, begun)
	if w.origin.Watch != nil {
		w.origin.Watch(rows.Tokenize, begun, time.Since(begun))
	}
	if failure != nil {
		row := rows.Failed(rows.New(w.e.o.Spec, w.origin, &r, content, w.params.StoreText), failure)
		row.FinishReason = "error"
		done([]export.Row{row})
		return nil
	}
	job.content, job.asks = content, w.asks
	return job.run(ctx, done)
}

func (e *Engine) timed(s rows.Stage, begun time.Time) {
	if e.o.Timed != nil {
		e.o.Timed(s, time.Since(begun))
	}
}

// prepare checks a record and makes its prompt.
func (w work) prepare(r *jobs.Record) (*completions, *jobs.RecordError) {
	if r.Err != nil {
		return nil, r.Err
	}
	if w.failure != nil {
		return nil, w.failure
	}
	params := w.params
	if r.Params != nil {
		var err error
		if params, err = params.With(r.Params); err != nil {
			return nil, asRecordError(err, jobs.InvalidParam)
		}
	}
	if failure := w.e.o.Limits.check(params); failure != nil {
		return nil, failure
	}
	if failure := w.spend(params); failure != nil {
		return nil, failure
	}
	c := &completions{e: w.e, params: params, record: r, origin: w.origin}
	var err error
	if c.prompt, err = w.e.prompt(r, params); err != nil {
		return nil, asRecordError(err, jobs.InvalidRecord)
	}
	if c.request, err = w.e.request(params, len(c.prompt)); err != nil {
		return nil, asRecordError(err, jobs.InvalidParam)
	}
	c.seed = seedOf(params, r.ID, c.prompt)
	if err := w.e.o.Generator.Check(len(c.prompt)); err != nil {
		return nil, failureOf(err)
	}
	return c, nil
}

// prompt is the token IDs that are continued.
func (e *Engine) prompt(r *jobs.Record, p jobs.GenerateParams) ([]int32, error) {
	text, o, err := e.render(r, p)
	if err != nil {
		return nil, err
	}
	enc, err := e.o.Tokenizer.Encode(text, o)
	if err != nil {
		return nil, &jobs.RecordError{Class: jobs.InvalidRecord, Message: "text: " + err.Error()}
	}
	return enc.IDs, nil
}

// render is what is tokenized, and how: a text as it is, with the tokenizer's special tokens; a conversation by the
// model's chat template, which brings its own.
func (e *Engine) render(r *jobs.Record, p jobs.GenerateParams) (string, tokenize.Options, error) {
	var plain tokenize.Options
	messages, text := r.Messages, r.Text
	if p.Chat && messages == nil {
		messages = []jobs.ChatMessage{{Role: "user", Content: text}}
	}
	if messages == nil {
		if bad := rows.BadUTF8("text", text); bad != nil {
			return "", plain, bad
		}
		return text, plain, nil
	}
	for i, m := range messages {
		if bad := rows.BadUTF8(fmt.Sprintf("messages[%d].content", i), m.Content); bad != nil {
			return "", plain, bad
		}
	}
	if e.o.Template == nil {
		return "", plain, &jobs.RecordError{Class: jobs.Template,
			Message: fmt.Sprintf("model %s has no usable chat template; send text, with the template's words in it",
				e.o.Spec.Name)}
	}
	text, err := e.o.Template.Render(chat.Conversation{Messages: rows.Messages(messages), AddGenerationPrompt: true})
	if err != nil {
		return "", plain, &jobs.RecordError{Class: jobs.Template, Message: "messages: " + err.Error()}
	}
	return text, tokenize.Options{NoSpecialTokens: true}, nil
}

// seedOf is the seed asked for, or one that depends on nothing but the record, so that a redelivery makes the same
// text.
func seedOf(p jobs.GenerateParams, id string, prompt []int32) int64 {
	if p.Seed != nil {
		return *p.Seed
	}
	h := sha256.New()
	h.Write([]byte(id + "\x00"))
	_ = binary.Write(h, binary.LittleEndian, prompt) // a hash takes everything
	return int64(binary.LittleEndian.Uint64(h.Sum(nil)) >> 1)
}

func asRecordError(err error, class string) *jobs.RecordError {
	var e *jobs.RecordError
	if errors.As(err, &e) {
		return e
	}
	return &jobs.RecordError{Class: class, Message: err.Error()}
}

// failureOf is the class under which a text that was not made is reported.
func failureOf(err error) *jobs.RecordError {
	class := jobs.ModelFailed
	for _, c := range []struct {
		is    error
		class string
	}{
		{generate.ErrTooLong, jobs.TooLong}, {generate.ErrNoRoom, jobs.NoRoom}, {generate.ErrPrompt, jobs.InvalidRecord},
		{generate.ErrNaN, jobs.NaN}, {session.ErrOutOfMemory, jobs.OutOfMemory}, {context.DeadlineExceeded, jobs.Timeout},
	} {
		if errors.Is(err, c.is) {
			class = c.class
			break
		}
	}
	return &jobs.RecordError{Class: class, Message: err.Error()}
}
