package daemon

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"textmill/internal/reference"
)

func TestReferenceOfPages(t *testing.T) {
	var out strings.Builder
	fmt.Fprintln(&out, "| path | token | |\n|---|---|---|")
	for _, p := range (&Daemon{metrics: newMetrics()}).pages() {
		guard := "no"
		if p.guarded {
			guard = "yes"
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s |\n", p.path, guard, reference.Cell(p.about))
	}
	reference.Holds(t, "http.md", "pages", out.String())
}

// TestPagesAskForTheToken holds each page to what it says of itself, and a daemon to those pages.
func TestPagesAskForTheToken(t *testing.T) {
	cfg := testConfig(t)
	cfg.HTTP.TokenFile = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(cfg.HTTP.TokenFile, []byte("a secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, cfg)
	status := func(path, authorization string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.daemon.httpAddr+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		return answer.StatusCode
	}
	for _, p := range r.daemon.pages() {
		without := http.StatusOK
		if p.guarded {
			without = http.StatusUnauthorized
		}
		for _, given := range []string{"", "Bearer another", "a secret"} {
			if got := status(p.path, given); got != without {
				t.Errorf("%s with %q: %d, want %d", p.path, given, got, without)
			}
		}
		if got := status(p.path, "Bearer a secret"); got != http.StatusOK {
			t.Errorf("%s with the token: %d", p.path, got)
		}
	}
	if got := status("/", "Bearer a secret"); got != http.StatusNotFound {
		t.Errorf("/: %d", got)
	}
}

func TestReferenceOfMetrics(t *testing.T) {
	m := newMetrics()
	for _, one := range []*prometheus.CounterVec{m.tokens, m.padded, m.batches, m.made, m.deliveries, m.dead} {
		one.WithLabelValues("x")
	}
	m.rows.WithLabelValues("x", "x")
	m.commits.WithLabelValues("x", "x")
	m.refused.WithLabelValues("x")
	m.runSeconds.WithLabelValues("x")
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	written := map[string]bool{}
	fmt.Fprintln(&out, "| metric | type | labels | |\n|---|---|---|---|")
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "textmill_") { // Go's and the process's, in the words of their collectors
			continue
		}
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, l.GetName())
		}
		written[f.GetName()] = true
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", f.GetName(), strings.ToLower(f.GetType().String()),
			reference.Code(strings.Join(labels, ", ")), reference.Cell(f.GetHelp()))
	}
	for _, name := range registered(m.registry) {
		if !written[name] {
			t.Errorf("%s has no value here; give it one, so that it is gathered", name)
		}
	}
	reference.Holds(t, "metrics.md", "metrics", out.String())
}

// registered are the names of textmill's own metrics.
func registered(registry *prometheus.Registry) (names []string) {
	all := make(chan *prometheus.Desc)
	go func() {
		registry.Describe(all)
		close(all)
	}()
	name := regexp.MustCompile(`"(textmill_[a-z_]+)"`)
	for d := range all {
		if m := name.FindStringSubmatch(d.String()); m != nil {
			names = append(names, m[1])
		}
	}
	return names
}
