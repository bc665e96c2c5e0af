// Package otlp receives traces, for tests.
package otlp

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one that was received.
type Span struct {
	Name, Trace, ID, Parent string
	Begun, Ended            time.Time
	Texts                   map[string]string
	Numbers                 map[string]int64
	Resource                map[string]string
	Failed                  bool
}

// Receiver is a collector of OpenTelemetry as far as a test needs one.
type Receiver struct {
	URL string

	mu       sync.Mutex
	spans    []Span
	requests int
}

// Receive listens on loopback until the test ends.
func Receive(t *testing.T) *Receiver {
	t.Helper()
	r := &Receiver{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body := io.Reader(request.Body)
		if request.Header.Get("Content-Encoding") == "gzip" {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Error(err)
			}
		}
		data, err := io.ReadAll(body)
		var got collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(data, &got)
		}
		if err != nil || request.URL.Path != "/v1/traces" {
			t.Errorf("%s: %v", request.URL.Path, err)
		}
		r.take(&got)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	r.URL = server.URL
	return r
}

func (r *Receiver) take(got *collector.ExportTraceServiceRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	for _, of := range got.GetResourceSpans() {
		about := map[string]string{}
		for _, a := range of.GetResource().GetAttributes() {
			about[a.GetKey()] = a.GetValue().GetStringValue()
		}
		for _, scope := range of.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				one := Span{Name: s.GetName(), Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()),
					Parent: hex.EncodeToString(s.GetParentSpanId()), Begun: time.Unix(0, int64(s.GetStartTimeUnixNano())),
					Ended: time.Unix(0, int64(s.GetEndTimeUnixNano())), Texts: map[string]string{}, Numbers: map[string]int64{},
					Resource: about, Failed: s.GetStatus().GetCode() == 2}
				for _, a := range s.GetAttributes() {
					one.Texts[a.GetKey()], one.Numbers[a.GetKey()] = a.GetValue().GetStringValue(), a.GetValue().GetIntValue()
				}
				r.spans = append(r.spans, one)
			}
		}
	}
}

// Spans are all that were received, and in how many requests.
func (r *Receiver) Spans() (spans []Span, requests int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Span(nil), r.spans...), r.requests
}
