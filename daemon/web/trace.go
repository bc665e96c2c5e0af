package web

import (
	"context"
	"html/template"
	"io"
	"net/http"
	"time"

	"textmill/jobs"
	"textmill/work/trace"
)

// A Tracer tells what its model does with one text.
type Tracer interface {
	Trace(ctx context.Context, r jobs.Record, params []byte, o trace.Options, emit func(trace.Event) error) error
}

const (
	// NewTokens bounds what a model adds to a text that is looked at on the page.
	NewTokens = 128
	// MaxText bounds the bytes of such a text.
	MaxText = 8 << 10

	traceTime    = 5 * time.Minute
	tracesAtOnce = 2
)

var tracePage = template.Must(template.New("").Parse(`<!doctype html>
<meta charset="utf-8"><title>textmill trace</title>
<form><select name="model">{{range .Models}}<option{{if eq . $.Model}} selected{{end}}>{{.}}</option>{{end}}</select>
<input name="text" size="60" value="{{.Text}}" placeholder="a text"> params <input name="params" size="40" value="{{.Params}}"
placeholder='{"temperature":0.7,"chat":true}'> <button>trace</button></form>
<pre>`))

// trace is a page that shows what a model does with a text, while it does it.
func (s *Server) trace(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	page := struct {
		Models              []string
		Model, Text, Params string
	}{Model: query.Get("model"), Text: query.Get("text"), Params: query.Get("params")}
	var chosen Tracer
	for _, m := range s.o.Models {
		page.Models = append(page.Models, m.Name)
		if m.Name == page.Model {
			chosen = m.Tracer
		}
	}
	asked := query.Has("text")
	switch {
	case asked && chosen == nil:
		http.Error(w, "there is no such model here", http.StatusNotFound)
		return
	case len(page.Text) > MaxText:
		http.Error(w, "the text is too long for this page; use textmill trace", http.StatusRequestEntityTooLarge)
		return
	}
	answer := http.NewResponseController(w)
	if asked {
		select {
		case s.tracing <- struct{}{}:
			defer func() { <-s.tracing }()
		default:
			w.Header().Set("Retry-After", "5")
			http.Error(w, "other texts are being traced; try again soon", http.StatusServiceUnavailable)
			return
		}
		until := time.Now().Add(traceTime + usualPatience.answer)
		_, _ = answer.SetReadDeadline(until), answer.SetWriteDeadline(until)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; frame-ancestors 'none'")
	if err := tracePage.Execute(w, page); err != nil || !asked {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), traceTime)
	defer cancel()
	out := trace.NewText(escaper{w}, false)
	record := jobs.Record{ID: "0", Text: page.Text}
	err := chosen.Trace(ctx, record, []byte(page.Params), trace.Options{Top: 5, Values: 4}, func(e trace.Event) error {
		if err := out.Emit(e); err != nil {
			return err
		}
		return answer.Flush()
	})
	if err != nil && r.Context().Err() == nil {
		template.HTMLEscape(w, []byte("\n"+err.Error()+"\n"))
	}
}

// escaper writes text into HTML.
type escaper struct{ w io.Writer }

func (e escaper) Write(p []byte) (int, error) {
	template.HTMLEscape(e.w, p)
	return len(p), nil
}
