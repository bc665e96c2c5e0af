package page

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"

	"textmill/daemon/tracing"
	"textmill/jobs"
)

const (
	traceEventsAre = "lines of JSON, as textmill trace --json has them: a second text's behind the first's, then how they compare."
	traceRefusals  = "404: no such model. 413: more than 8 KiB. 503: two texts are traced already"
)

func newTraces(models []Model) *tracing.Traces {
	all := make([]tracing.Model, len(models))
	for i, m := range models {
		all[i] = tracing.Model{Name: m.Name, Task: m.Task, Tracer: m.Tracer}
	}
	return tracing.New(all)
}

// lines is an answer that is sent as it is made, as far as somebody says.
type lines struct {
	*bufio.Writer
	conn *http.ResponseController
}

func newLines(w http.ResponseWriter) *lines {
	return &lines{bufio.NewWriterSize(w, 16<<10), http.NewResponseController(w)}
}

func (l *lines) flush() {
	if l.Flush() == nil {
		_ = l.conn.Flush() // who is gone is found out by the next to write
	}
}

func (l *lines) write(e any) error {
	enc := json.NewEncoder(l)
	enc.SetEscapeHTML(false) // it is no HTML
	return enc.Encode(e)
}

// traceEvents answers a question with its events, a line of JSON each.
func (s *Site) traceEvents(w http.ResponseWriter, r *http.Request) {
	extend(w, tracing.Time)
	q, _ := tracing.Read(r.URL.Query())
	answer, err := s.traces.Ask(r.Context(), q)
	if refusal, ok := errors.AsType[*tracing.Refusal](err); ok {
		s.Fail(w, r, &Failure{refusal.Status, refusal.Message})
		return
	}
	defer answer.Close()
	if answer.Peek() == nil && answer.Err() != nil {
		s.Fail(w, r, failureOf(answer.Err()))
		return
	}
	secure(w.Header())
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := newLines(w)
	answer.Waits = out.flush
	for e := answer.Next(); e != nil; e = answer.Next() {
		if out.write(e) != nil {
			return
		}
	}
	if err := answer.Err(); err != nil {
		_ = out.write(map[string]string{"type": "error", "error": err.Error()})
	}
	out.flush()
}

// failureOf is why nothing at all is told.
func failureOf(err error) error {
	if _, ok := errors.AsType[*jobs.RecordError](err); ok {
		return &Failure{http.StatusBadRequest, err.Error()}
	}
	return err
}
