package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"textmill/daemon/api"
	"textmill/daemon/page"
	"textmill/daemon/session"
	"textmill/internal/reference"
)

func TestReferenceOfPages(t *testing.T) {
	var out strings.Builder
	fmt.Fprintln(&out, "| | path | token | |\n|---|---|---|---|")
	pages := page.New(page.Options{Sessions: session.New("")})
	for _, p := range (&Server{o: Options{API: api.New(api.Options{}), Pages: pages, Profiles: true}}).Pages() {
		guard := "no"
		if p.Guarded {
			guard = "yes"
		}
		fmt.Fprintf(&out, "| %s | `%s` | %s | %s |\n", p.Method, strings.TrimSuffix(p.Path, "{$}"), guard, reference.Cell(p.About))
	}
	reference.Holds(t, "http.md", "pages", out.String())
}

// TestReferenceOfStatus writes down what /status answers with all of its members.
func TestReferenceOfStatus(t *testing.T) {
	s := &Server{o: Options{
		Models: []page.Model{{Name: "all-MiniLM-L6-v2", Task: "embed", SHA256: "73e7c65ee109…", Device: "cpu", BatchTokens: 1024,
			Workers: 2}},
		State: func() State {
			return State{
				NotReady: []string{"why it cannot take work now"}, InFlight: 3,
				Unserved:    []string{"textmill.jobs.embed.another-model.docs-1"},
				Refused:     map[string]string{"docs": "why this version must not write to the table"},
				LettersFull: "why what would become a dead letter waits",
			}
		},
	}}
	answer := httptest.NewRecorder()
	s.status(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/status", http.NoBody))
	var out bytes.Buffer
	if err := json.Indent(&out, answer.Body.Bytes(), "    ", "  "); err != nil {
		t.Fatal(err)
	}
	reference.Holds(t, "http.md", "status", "    "+out.String())
}
