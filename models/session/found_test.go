package session

import (
	"fmt"
	"testing"
	"time"

	"textmill/models"
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
