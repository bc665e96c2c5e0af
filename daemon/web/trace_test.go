package web

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"textmill/daemon/metrics"
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

// No more texts are traced at a time than may be; the form is there all the same.
func TestFewTextsAreTracedAtATime(t *testing.T) {
	model := slow{make(chan struct{}), make(chan struct{})}
	s, err := Listen(t.Context(), Options{Addr: "127.0.0.1:0", Connections: 8, Metrics: metrics.New().Handler(),
		State:  func() State { return State{} },
		Models: []Model{{Name: "m", Tracer: model}}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	get := func(query string) (int, error) {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+"/trace"+query, nil)
		if err != nil {
			return 0, err
		}
		answer, err := http.DefaultClient.Do(q)
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
	answered := make(chan error, tracesAtOnce)
	for range tracesAtOnce {
		go func() {
			code, err := get("?model=m&text=x")
			if err == nil && code != 200 {
				t.Errorf("one of those that may be traced: status %d", code)
			}
			answered <- err
		}()
		<-model.busy
	}
	for query, want := range map[string]int{"?model=m&text=x": 503, "": 200} {
		if code, err := get(query); code != want || err != nil {
			t.Errorf("%q beside as many others as may be: status %d, %v; want %d", query, code, err, want)
		}
	}
	close(model.end)
	for range tracesAtOnce {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
}
