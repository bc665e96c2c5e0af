// Package tracing has models tell what they do with the texts that HTTP clients bring.
package tracing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/work/trace"
)

// A Tracer tells what its model does with one text.
type Tracer interface {
	Trace(ctx context.Context, r jobs.Record, params []byte, o trace.Options, emit func(trace.Event) error) error
}

const (
	// NewTokens bounds what a model adds to a text.
	NewTokens = 128
	// MaxText bounds the bytes of the texts of a question.
	MaxText = 8 << 10
	// Time is how long an answer may take.
	Time = 5 * time.Minute

	// Candidates are told of each step, and First values of each vector but the text's, of which all are.
	Candidates = 100
	First      = 32
	// Similar is how many tokens a text may have to be compared token by token.
	Similar = 40

	atOnce = 2
)

// temperatures are those that a page may look at steps with beside the text's own: 0.1, 0.15 … 2.
var temperatures = func() (all []float64) {
	for i := 10; i <= 200; i += 5 {
		all = append(all, float64(i)/100)
	}
	return all
}()

// Model is one that may be asked.
type Model struct {
	Name, Task string
	Tracer     Tracer
}

// Traces asks models, a few at a time.
type Traces struct {
	models []Model
	busy   chan struct{} // has a value for each question that is being answered
}

// New asks these models.
func New(models []Model) *Traces { return &Traces{models: models, busy: make(chan struct{}, atOnce)} }

// A Refusal is why a question is not answered, in words for whoever asked.
type Refusal struct {
	Status  int
	Message string
}

func (r *Refusal) Error() string { return r.Message }

// A Question is what is to be told: what a model does with a text, and beside it with another.
type Question struct {
	Model, Text string
	Other       string // "" for none
	Params      string // JSON
	// Named are params that stand in the query by themselves, as a form has them.
	Named map[string]string
}

// Read takes a question from a query. asked is false where it holds none.
func Read(query url.Values) (q Question, asked bool) {
	q = Question{Model: query.Get("model"), Text: query.Get("text"), Other: query.Get("other"),
		Params: query.Get("params"), Named: map[string]string{}}
	for name, values := range query {
		switch name {
		case "model", "text", "other", "params", "look": // the last is how a page looks at the answer
		default:
			if values[0] != "" { // as forms send what nobody filled in
				q.Named[name] = values[0]
			}
		}
	}
	return q, query.Has("text")
}

// params are all of a question's, as JSON: those that are named go before.
func (q *Question) params(task string) ([]byte, error) {
	if len(q.Named) == 0 {
		return []byte(q.Params), nil
	}
	named, err := jobs.ParamsJSON(task, q.Named)
	if err != nil || q.Params == "" {
		return named, err
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(q.Params), &all); err != nil {
		return nil, fmt.Errorf("params: want a JSON object: %w", err)
	}
	if err := json.Unmarshal(named, &all); err != nil {
		return nil, fmt.Errorf("params: %w", err)
	}
	return json.Marshal(all)
}

// Rest are the params that have no field of their own among those of a form, as JSON.
func (q Question) Rest(task string, fields ...string) string {
	named := map[string]string{}
	for name, value := range q.Named {
		if !slices.Contains(fields, name) {
			named[name] = value
		}
	}
	rest, err := (&Question{Params: q.Params, Named: named}).params(task)
	if err != nil { // which says so by itself
		return q.Params
	}
	return string(rest)
}

// Ask has a model answer a question until ctx ends or the answer is closed. An error is a *Refusal.
func (t *Traces) Ask(ctx context.Context, q Question) (*Answer, error) {
	var model *Model
	for i := range t.models {
		if t.models[i].Name == q.Model {
			model = &t.models[i]
		}
	}
	switch {
	case model == nil:
		return nil, &Refusal{http.StatusNotFound, "There is no such model here."}
	case len(q.Text)+len(q.Other) > MaxText:
		return nil, &Refusal{http.StatusRequestEntityTooLarge, "The text is too long for this page; use textmill trace."}
	}
	params, err := q.params(model.Task)
	if err != nil {
		return nil, &Refusal{http.StatusBadRequest, err.Error()}
	}
	select {
	case t.busy <- struct{}{}:
	default:
		return nil, &Refusal{http.StatusServiceUnavailable, "Other texts are being traced; try again soon."}
	}
	texts := []string{q.Text}
	if q.Other != "" {
		texts = append(texts, q.Other)
	}
	return answer(ctx, *model, texts, params, func() { <-t.busy }), nil
}

// told is how much is told.
func told(task string) trace.Options {
	o := trace.Options{Values: First, Similar: Similar}
	if task == naming.TaskGenerate {
		o.Top, o.Temperatures = Candidates, temperatures
	}
	return o
}

// run has the model tell of all texts, and then how they compare.
func (m *Model) run(ctx context.Context, texts []string, params []byte, emit func(trace.Event) error) error {
	seen := make([][]trace.Event, len(texts))
	for i, text := range texts {
		keep := emit
		if len(texts) > 1 && m.Task != naming.TaskGenerate {
			keep = func(e trace.Event) error {
				seen[i] = append(seen[i], e)
				return emit(e)
			}
		}
		if err := m.Tracer.Trace(ctx, jobs.Record{ID: "0", Text: text}, params, told(m.Task), keep); err != nil {
			if ctx.Err() != nil && errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
				return fmt.Errorf("it was not done after %v: %w", Time, err)
			}
			return err
		}
	}
	if len(texts) == 2 {
		if pair, ok := trace.PairOf(seen[0], seen[1], Similar); ok {
			return emit(pair)
		}
	}
	return nil
}
