package session

import (
	"fmt"
	"testing"
	"time"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/internal/learned"
)

// What was measured of a model is kept with its hash, measured anew in its place, and bounded.
func TestFindingsAreKept(t *testing.T) {
	home, one, other := t.TempDir(), &models.Spec{SHA256: "0123456789abcdef0"}, &models.Spec{SHA256: "abcdef0123456789a"}
	keep := func(s *models.Spec, all ...Finding) []Finding {
		t.Helper()
		if err := Found(home, s, all); err != nil {
			t.Fatal(err)
		}
		got, err := Findings(home, s)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	keep(one, Finding{About: "b", Says: "slow"}, Finding{About: "a", Says: "x"})
	got := keep(one, Finding{About: "b", Says: "fast"})
	if len(got) != 2 || got[0].Says != "x" || got[1].Says != "fast" || time.Since(got[1].At) > time.Minute {
		t.Errorf("%+v", got)
	}
	if got := keep(other); len(got) != 0 {
		t.Errorf("of another model: %+v", got)
	}
	for n := range 3 * mostFindings {
		keep(other, Finding{About: fmt.Sprint(n)})
	}
	if got := keep(other); len(got) != mostFindings {
		t.Errorf("%d are kept", len(got))
	}
	if got := keep(one); len(got) != 2 {
		t.Errorf("what another model's measurements left: %+v", got)
	}
}

// Where a model has more findings than are kept, the oldest go, whatever they are called.
func TestOldestFindingsGo(t *testing.T) {
	home, s := t.TempDir(), &models.Spec{SHA256: "0123456789abcdef0"}
	full := make([]Finding, mostFindings)
	for i := range full { // the alphabet goes against the days
		full[i] = Finding{About: fmt.Sprintf("b%02d", i), At: time.Date(2026, 1, 60-i, 0, 0, 0, 0, time.UTC)}
	}
	if err := learned.Write(places.Findings(home), findingsKey(s), full); err != nil {
		t.Fatal(err)
	}
	if err := Found(home, s, []Finding{{About: "a"}}); err != nil {
		t.Fatal(err)
	}
	got, err := Findings(home, s)
	if err != nil || len(got) != mostFindings || got[0].About != "a" || got[len(got)-1].About != full[mostFindings-2].About {
		t.Errorf("%v, %d findings from %+v to %+v", err, len(got), got[0], got[len(got)-1])
	}
}
