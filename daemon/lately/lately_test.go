package lately

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// However much happens, what is remembered is the newest, and no more than is kept.
func TestTheNewestIsKept(t *testing.T) {
	m := New()
	begun := time.Now()
	for n := range 10_000 {
		m.Sampled(Sample{At: begun.Add(time.Duration(n) * Every), Sums: Sums{Rows: float64(n)}})
		m.Committed(Commit{Version: int64(n)})
		m.Failed(fmt.Sprint("job", n), map[string]int{"too_long": 1}, nil)
	}
	for n := range 10 * classesKept {
		m.Failed("many", map[string]int{fmt.Sprint("class", n): 1}, nil)
	}
	s, c := m.Samples(), m.Commits()
	if len(s) != samplesKept || s[len(s)-1].Rows != 9999 || s[0].Rows != 10_000-samplesKept {
		t.Errorf("%d samples, the last of %v rows", len(s), s[len(s)-1].Rows)
	}
	if len(c) != commitsKept || c[0].Version != 9999 {
		t.Errorf("%d commits, the first is %d", len(c), c[0].Version)
	}
	if len(m.jobs) != jobsKept || m.Errors("job0") != nil || m.Errors("job9999") == nil || len(m.Errors("many")) != classesKept {
		t.Errorf("%d jobs", len(m.jobs))
	}
}

func TestErrorsHaveAnExample(t *testing.T) {
	m := New()
	m.Failed("j", nil, nil)
	if m.Errors("j") != nil || len(m.jobs) != 0 {
		t.Error("a delivery without errors is one")
	}
	m.Failed("j", map[string]int{"too_long": 1, "invalid_record": 2},
		map[string]Example{"too_long": {"a", "too_long: 9 tokens"}, "invalid_record": {"b", strings.Repeat("é", exampleBytes)}})
	m.Failed("j", map[string]int{"too_long": 5}, map[string]Example{"too_long": {"z", "another"}})
	got := m.Errors("j")
	if len(got) != 2 || got[0] != (Class{"too_long", 6, "a", "too_long: 9 tokens"}) || got[1].Rows != 2 {
		t.Errorf("%+v", got)
	}
	if long := got[1].Reason; len(long) > exampleBytes+4 || !utf8.ValidString(long) {
		t.Errorf("an example of %d bytes: %q", len(long), long)
	}
}

func TestTroublesAreThoseOfTheLog(t *testing.T) {
	m := New()
	var out strings.Builder
	log := slog.New(m.Log(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError})))
	log.Info("all is well")
	log.Warn("not written, but no less a warning")
	for n := range 3 {
		log.With("dataset", "docs").Error("commit failed", "deliveries", 2, "error", fmt.Errorf("disk full"))
		log.Error("another", "n", n)
	}
	got := m.Troubles()
	if len(got) != 5 || got[4].Serious || got[4].Times != 1 || got[1].Message != "commit failed" || got[1].Times != 3 || !got[1].Serious ||
		got[1].Details != "dataset docs · deliveries 2" || got[1].Why != "disk full" || got[0].Details != "n 2" {
		t.Errorf("%+v", got)
	}
	if strings.Count(out.String(), "commit failed") != 3 || strings.Contains(out.String(), "well") || strings.Contains(out.String(), "not written") {
		t.Errorf("the log itself: %s", &out)
	}
	long := strings.Repeat("x", 3*exampleBytes)
	log.Warn("delivery settled", "job", long, "dataset", long, "cause", "the model was gone")
	log.Warn("delivery not settled", "job", long, "dataset", long, "cause", "the model was gone", "error", "the queue was gone")
	log.Warn("delivery settled", "cause", "the model was gone", "reason", "attempts exhausted")
	if got := m.Troubles(); got[2].Why != "the model was gone" || got[1].Why != "the queue was gone" || len(got[1].Details) > 2*exampleBytes ||
		got[0].Why != "attempts exhausted" || got[0].Details != "cause the model was gone" {
		t.Errorf("why is not found behind long names: %+v", got[:3])
	}
	for n := range 10 * troublesKept {
		log.Error("many", "n", n)
	}
	if n := len(m.Troubles()); n != troublesKept {
		t.Errorf("%d are kept", n)
	}
}
