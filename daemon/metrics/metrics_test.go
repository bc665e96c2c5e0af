package metrics

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"textmill/internal/reference"
)

func TestReferenceOfMetrics(t *testing.T) {
	m := New()
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
