package metrics

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"textmill/export"
	"textmill/internal/reference"
	"textmill/models/generate"
	"textmill/work/embedding"
	"textmill/work/rows"
)

// told is a daemon's metrics after something of everything.
func told() *Metrics {
	m := New("v1")
	m.Serves(Served{Name: "m", Task: "embed", SHA256: "abc", Device: "cpu", Precision: "fp32"})
	m.Ready(true)
	m.InFlight(2)
	m.Settled("committed", "")
	m.Settled("dead", "invalid_job")
	m.Dropped(1)
	m.Unserved(1)
	m.Stream("TEXTMILL_JOBS", 10, 100)
	m.Letters(1)
	m.LettersFull(false)
	m.Refused("docs", true)
	m.Committed("docs", export.Result{Rows: 3, Errors: 1, Bytes: 1000}, time.Second, 20*time.Millisecond)
	m.CommitFailed("docs", time.Second)
	one := m.Model("m")
	one.Fetched(time.Now().Add(-time.Second), true, 100)
	one.Read(50)
	one.Generated(generate.RunStats{Tokens: 6, Padded: 8, New: 2, Took: time.Millisecond})
	one.Timed(rows.Tokenize, time.Microsecond)
	one.Begun(rows.Wait, time.Millisecond)
	one.Ran(embedding.BatchStats{Texts: 4})
	one.Timed(rows.Assemble, time.Microsecond)
	one.Committed(Made{Records: 3, Truncated: 1, Dropped: 7, Errors: map[string]int{"too_long": 1}})
	one.Lag(4, time.Minute)
	return m
}

func TestReferenceOfMetrics(t *testing.T) {
	families, err := told().registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	written := map[string]bool{}
	for _, q := range questions {
		fmt.Fprintf(&out, "### %s\n\n| metric | type, labels | | when it moves |\n|---|---|---|---|\n", q.question)
		for _, a := range q.metrics {
			name := "textmill_" + a.name
			if written[name] {
				t.Errorf("%s is explained twice", name)
			}
			written[name] = true
			if !strings.Contains(a.moves, " ") || !strings.HasSuffix(a.moves, ".") {
				t.Errorf("%s: %q does not say what to do when it moves", name, a.moves)
			}
			for _, f := range families {
				if f.GetName() != name {
					continue
				}
				labels := []string{strings.ToLower(f.GetType().String())}
				for _, l := range f.GetMetric()[0].GetLabel() {
					labels = append(labels, reference.Code(l.GetName()))
				}
				fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", name, strings.Join(labels, ", "), reference.Cell(f.GetHelp()),
					reference.Cell(a.moves))
			}
		}
		fmt.Fprintln(&out)
	}
	for _, f := range families { // Go's and the process's stand in the words of their collectors
		if strings.HasPrefix(f.GetName(), "textmill_") && !written[f.GetName()] {
			t.Errorf("%s answers no question here; say what is to be done when it moves", f.GetName())
		}
		delete(written, f.GetName())
	}
	for name := range written {
		t.Errorf("%s is explained, and there is no such metric", name)
	}
	for _, name := range registered(told()) {
		if !strings.Contains(out.String(), "`"+name+"`") {
			t.Errorf("%s has no value here; give it one in told, so that it is gathered", name)
		}
	}
	reference.Holds(t, "metrics.md", "metrics", out.String())
}

// registered are the names of textmill's own metrics.
func registered(m *Metrics) (names []string) {
	all := descriptions(m)
	name := regexp.MustCompile(`"(textmill_[a-z_]+)"`)
	for d := range all {
		if m := name.FindStringSubmatch(d.String()); m != nil {
			names = append(names, m[1])
		}
	}
	return names
}

// TestMetricsAreNamedAsPrometheusWants is what promtool check metrics does.
func TestMetricsAreNamedAsPrometheusWants(t *testing.T) {
	w := httptest.NewRecorder()
	told().Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	problems, err := promlint.New(bytes.NewReader(w.Body.Bytes())).Lint()
	if err != nil || w.Body.Len() == 0 {
		t.Fatalf("%d bytes, %v", w.Body.Len(), err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Publishers name datasets: five hundred have series of their own, and the rest share one.
func TestDatasetsDoNotGrowWithoutBound(t *testing.T) {
	m := New("v1")
	for n := range 3 * mostDatasets {
		m.Committed(fmt.Sprint("d", n), export.Result{Rows: 2, Bytes: 10}, 0, 0)
		m.CommitFailed(fmt.Sprint("d", n), 0)
	}
	if n := testutil.CollectAndCount(m.written); n != mostDatasets+1 {
		t.Errorf("%d series of written bytes", n)
	}
	if n := testutil.CollectAndCount(m.commits); n != 2*(mostDatasets+1) {
		t.Errorf("%d series of commits", n)
	}
	if got := testutil.ToFloat64(m.rows.WithLabelValues(otherDatasets, "false")); got != 2*2*mostDatasets {
		t.Errorf("%v rows of the others", got)
	}
}

// What is told on the way of each record or batch takes no memory.
func TestTellingAllocatesNothing(t *testing.T) {
	one := New("v1").Model("m")
	published := time.Now()
	if n := testing.AllocsPerRun(1000, func() {
		one.Timed(rows.Tokenize, time.Microsecond)
		one.Timed(rows.Wait, time.Microsecond)
		one.Timed(rows.Run, time.Microsecond)
		one.Ran(embedding.BatchStats{Tokens: 1, PaddedTokens: 2, Took: time.Millisecond})
		one.Generated(generate.RunStats{Tokens: 1, Padded: 1, New: 1})
		one.Fetched(published, true, 10)
		one.Read(10)
		one.Committed(Made{Records: 10})
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// How many records wait is said once some were seen, and follows what messages have now.
func TestRecordsThatWaitAreEstimated(t *testing.T) {
	m := New("v1")
	one := m.Model("m")
	if one.Lag(10, time.Minute); testutil.CollectAndCount(m.lagRecords) != 0 {
		t.Error("it is said how many records wait, and none was seen")
	}
	waiting := func() float64 {
		one.Lag(10, time.Minute)
		return testutil.ToFloat64(m.lagRecords.WithLabelValues("m"))
	}
	one.Committed(Made{Records: 100})
	if got := waiting(); got != 1000 {
		t.Errorf("ten messages of a hundred records have %v", got)
	}
	for range 200 {
		m.Model("m").Committed(Made{Records: 8})
	}
	if got := waiting(); got < 79 || got > 85 {
		t.Errorf("ten messages of eight records have %v", got)
	}
	if got := testutil.ToFloat64(m.lagSeconds.WithLabelValues("m")); got != 60 {
		t.Errorf("the oldest is %v s old", got)
	}
}
