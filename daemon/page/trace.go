package page

import (
	"context"
	"net/http"
	"strings"
	"time"

	"textmill/jobs"
	"textmill/work/trace"
)

// A Tracer tells what its model does with one text.
type Tracer interface {
	Trace(ctx context.Context, r jobs.Record, params []byte, o trace.Options, emit func(trace.Event) error) error
}

// Model is one that is served.
type Model struct {
	Name, Task, SHA256, Device string
	BatchTokens, Workers       int
	Tracer                     Tracer
}

const (
	// NewTokens bounds what a model adds to a text that is looked at on the page.
	NewTokens = 128
	// MaxText bounds the bytes of such a text.
	MaxText = 8 << 10

	traceTime    = 5 * time.Minute
	tracesAtOnce = 2
)

// traced is what a model did with a text.
type traced struct {
	Models              []string
	Model, Text, Params string
	Asked               bool
	Out                 string
	Failed              error
}

func (s *Site) trace(r *http.Request) (View, error) {
	query := r.URL.Query()
	t := traced{Model: query.Get("model"), Text: query.Get("text"), Params: query.Get("params"), Asked: query.Has("text")}
	var chosen Tracer
	for _, m := range s.o.Models {
		t.Models = append(t.Models, m.Name)
		if m.Name == t.Model {
			chosen = m.Tracer
		}
	}
	switch {
	case t.Asked && chosen == nil:
		return View{}, &Failure{http.StatusNotFound, "There is no such model here."}
	case len(t.Text) > MaxText:
		return View{}, &Failure{http.StatusRequestEntityTooLarge, "The text is too long for this page; use textmill trace."}
	}
	if t.Asked {
		select {
		case s.tracing <- struct{}{}:
			defer func() { <-s.tracing }()
		default:
			return View{}, &Failure{http.StatusServiceUnavailable, "Other texts are being traced; try again soon."}
		}
		ctx, cancel := context.WithTimeout(r.Context(), traceTime)
		defer cancel()
		var out strings.Builder
		record, o := jobs.Record{ID: "0", Text: t.Text}, trace.Options{Top: 5, Values: 4}
		t.Failed = chosen.Trace(ctx, record, []byte(t.Params), o, trace.NewText(&out, false).Emit)
		t.Out = out.String()
	}
	return View{Title: "Trace", Data: t}, nil
}
