package page

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"html"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
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
	const atOnce = 2
	answered := make(chan int, atOnce)
	for range atOnce {
		go func() { answered <- b.get("/trace?model=m&text=x").status }()
		<-model.busy
	}
	for path, want := range map[string]int{"/trace?model=m&text=x": 503, "/events/trace?model=m&text=x": 503, "/trace": 200} {
		if got := b.get(path); got.status != want {
			t.Errorf("%q beside as many others as may be: status %d, want %d", path, got.status, want)
		}
	}
	close(model.end)
	for range atOnce {
		if code := <-answered; code != 200 {
			t.Errorf("one of those that may be traced: status %d", code)
		}
	}
}

// teller is a model that tells events, and then waits for whoever asked to leave, if it is to.
type teller struct {
	events []trace.Event
	left   chan error
}

func (m teller) Trace(ctx context.Context, _ jobs.Record, _ []byte, _ trace.Options, emit func(trace.Event) error) error {
	for _, e := range m.events {
		if err := emit(e); err != nil {
			return err
		}
	}
	if m.left == nil {
		return nil
	}
	<-ctx.Done()
	m.left <- context.Cause(ctx)
	return context.Cause(ctx)
}

// hostileEvents are all kinds of them, with markup wherever they have a text.
func hostileEvents(generates bool) []trace.Event {
	one := trace.Values{Shape: []int{2}, Norm: 1, Values: []trace.Number{0.5, trace.Number(math.NaN())}}
	start := trace.Start{Type: "start", Model: hostile, SHA256: hostile, Task: "embed", Device: hostile, Text: hostile, Tokens: 1,
		Table: trace.Table{Tensor: hostile, Shape: [2]int{1, 2}, Stored: hostile}, Marks: []trace.Mark{{Mark: "><", Means: hostile}}}
	token := trace.Token{Type: "token", Piece: hostile, Bytes: [2]int32{0, int32(len(hostile))}, Row: one}
	if !generates {
		return []trace.Event{start, token, trace.Hidden{Type: "hidden", Values: one},
			trace.Similarity{Type: "similarity", Shape: [2]int{1, 1}, Tokens: [][]trace.Number{{1}}},
			trace.Vector{Type: "vector", Pooling: hostile, Precision: hostile, Values: one}}
	}
	start.Task, start.Sampling = "generate", &trace.Sampling{Temperature: 1, Temperatures: []float64{1}}
	after := trace.Number(1)
	return []trace.Event{start, token, trace.Step{Type: "step", Piece: hostile, Text: hostile, Row: one, Finish: hostile, Highest: 1,
		Candidates: []trace.Candidate{{Piece: hostile, Kept: true, After: &after}}, Rest: []trace.Number{trace.Number(math.Inf(-1))}},
		trace.End{Type: "end", Finish: hostile, Text: hostile}}
}

func TestWhatModelsTellIsNeverMarkup(t *testing.T) {
	for _, generates := range []bool{false, true} {
		b := open(t, Options{Models: []Model{{Name: "m", Task: hostile, Tracer: teller{events: hostileEvents(generates)}}}})
		got := b.get("/trace?model=m&text=x&other=y")
		if got.status != 200 || strings.Count(got.body, "alert(1)") < 12 || !strings.Contains(got.body, "</html>") {
			t.Errorf("status %d, %d texts", got.status, strings.Count(got.body, "alert(1)"))
		}
		harmless(t, "what a model told", got.body)
		if lacks := closed(got.header); len(lacks) > 0 {
			t.Errorf("the page lacks %v", lacks)
		}
		events := b.get("/events/trace?model=m&text=x")
		if events.status != 200 || events.header.Get("Content-Type") != "application/x-ndjson" || len(closed(events.header)) > 0 {
			t.Errorf("events: %d as %q, lacks %v", events.status, events.header.Get("Content-Type"), closed(events.header))
		}
		for line := range strings.Lines(events.body) {
			if !json.Valid([]byte(line)) {
				t.Errorf("no line of JSON: %s", line)
			}
		}
	}
}

// A page is sent while the model runs, and the model stops when nobody looks any more; then there is room again.
func TestTracesAreSeenAsTheyRun(t *testing.T) {
	for _, path := range []string{"/trace", "/events/trace"} {
		model := teller{hostileEvents(true)[:3], make(chan error, 1)}
		b := open(t, Options{Models: []Model{{Name: "m", Tracer: model}}})
		for range 3 { // more often than there is room for
			ctx, leave := context.WithCancel(t.Context())
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+path+"?model=m&text=x", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			got, err := b.client.Do(r)
			if err != nil || got.StatusCode != http.StatusOK {
				t.Fatal(got, err)
			}
			seen := make([]byte, 0, 64<<10)
			for !bytes.Contains(seen, []byte("prob")) && !bytes.Contains(seen, []byte(`class="step"`)) { // the step has come
				n, err := got.Body.Read(seen[len(seen):cap(seen)])
				if seen = seen[:len(seen)+n]; err != nil {
					t.Fatalf("%v behind %s", err, seen)
				}
			}
			leave()
			got.Body.Close()
			if err := <-model.left; !errors.Is(err, context.Canceled) {
				t.Errorf("the model was ended by %v", err)
			}
		}
	}
}

// given is a model that says which params it got.
type given struct{}

func (given) Trace(_ context.Context, _ jobs.Record, params []byte, _ trace.Options, emit func(trace.Event) error) error {
	return &jobs.RecordError{Class: jobs.InvalidParam, Message: "got " + string(params)}
}

func TestParamsOfATrace(t *testing.T) {
	form := open(t, Options{Models: []Model{{Name: "g", Task: "generate", Tracer: given{}}}}).
		get("/trace?text=x&model=g&top_k=3&ignore_eos=true&params=%7B%22n%22:1%7D").body
	for _, want := range []string{`name="top_k" inputmode="numeric" placeholder="its own" value="3"`,
		`name="params" value="{&#34;ignore_eos&#34;:true,&#34;n&#34;:1}"`} {
		if !strings.Contains(form, want) {
			t.Errorf("the form has no %s\n%s", want, form)
		}
	}
	b := open(t, Options{Models: []Model{{Name: "g", Task: "generate", Tracer: given{}}, {Name: "e", Task: "embed", Tracer: given{}}}})
	for query, want := range map[string]string{
		"model=g":                                        "got ",
		"model=g&look=1,2,3,4&temperature=":              "got ",
		"model=g&params=%7B%22top_k%22:7%7D":             `got {"top_k":7}`,
		"model=g&temperature=0.5&chat=true":              `got {"chat":true,"temperature":0.5}`,
		"model=g&top_k=3&params=%7B%22top_k%22:7%7D":     `got {"top_k":3}`,
		"model=e&pooling=cls":                            `got {"pooling":"cls"}`,
		"model=e&temperature=1":                          "temperature",
		"model=g&top_p=2":                                "top_p",
		"model=g&top_k=3&params=7":                       "want a JSON object",
		"model=g&top_k=3&params=null":                    `got {"top_k":3}`,
		"model=e&" + url.Values{hostile: {"x"}}.Encode(): "alert(1)",
	} {
		got := b.get("/trace?text=x&" + query)
		if got.status != 200 || !strings.Contains(html.UnescapeString(got.body), want) {
			t.Errorf("%s: status %d without %q", query, got.status, want)
		}
		harmless(t, query, got.body)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/events/trace?text=x&"+query, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := b.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), want) {
			t.Errorf("events of %s: status %d, %s, %v", query, answer.StatusCode, body, err)
		}
	}
}

// Whoever follows a link from elsewhere is asked before a model runs.
func TestLinksFromElsewhereRunNothing(t *testing.T) {
	b := open(t, Options{Models: []Model{{Name: "m", Tracer: teller{events: hostileEvents(false)}}}})
	address := "/trace?model=m&text=" + url.QueryEscape(hostile) + `&look="><script>alert(1)</script>`
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/trace", http.NoBody)
	r.RequestURI, r.URL.RawQuery = address, address[len("/trace?"):]
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	b.site.answer(w, r, b.site.pages[slices.IndexFunc(b.site.pages, func(p page) bool { return p.path == "/trace" })])
	if body := w.Body.String(); !strings.Contains(body, `<a href="/trace?model=m&amp;text=`) || strings.Contains(body, `class="side"`) {
		t.Errorf("no question, or an answer, in\n%s", body)
	}
	harmless(t, "a link from elsewhere", w.Body.String())
}
