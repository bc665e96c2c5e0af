package page

import (
	"context"
	"errors"
	"testing"

	"textmill/jobs"
	"textmill/work/trace"
)

// slow is a model that traces texts until it is told to end.
type slow struct{ busy, end chan struct{} }

func (s slow) Trace(context.Context, jobs.Record, []byte, trace.Options, func(trace.Event) error) error {
	s.busy <- struct{}{}
	<-s.end
	return nil
}

// echo is a model that says what it was given.
type echo struct{}

func (echo) Trace(_ context.Context, r jobs.Record, params []byte, _ trace.Options, emit func(trace.Event) error) error {
	return errors.New(r.Text + string(params))
}

// No more texts are traced at a time than may be; the form is there all the same.
func TestFewTextsAreTracedAtATime(t *testing.T) {
	model := slow{make(chan struct{}), make(chan struct{})}
	b := open(t, Options{Models: []Model{{Name: "m", Tracer: model}}})
	answered := make(chan int, tracesAtOnce)
	for range tracesAtOnce {
		go func() { answered <- b.get("/trace?model=m&text=x").status }()
		<-model.busy
	}
	for query, want := range map[string]int{"?model=m&text=x": 503, "": 200} {
		if got := b.get("/trace" + query); got.status != want {
			t.Errorf("%q beside as many others as may be: status %d, want %d", query, got.status, want)
		}
	}
	close(model.end)
	for range tracesAtOnce {
		if code := <-answered; code != 200 {
			t.Errorf("one of those that may be traced: status %d", code)
		}
	}
}
