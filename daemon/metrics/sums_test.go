package metrics

import (
	"testing"

	"textmill/daemon/lately"
	"textmill/models/generate"
)

func TestSumsAreThoseOfTheMetrics(t *testing.T) {
	m := told()
	m.Model("another").Generated(generate.RunStats{Tokens: 6, Padded: 8, New: 2})
	s := m.Sums()
	if s.Rows != 3 || s.Errors != 1 || s.Tokens != 12 || s.Padded != 16 || s.Output != 4 || s.InFlight != 2 || s.Letters != 1 {
		t.Errorf("%+v", s)
	}
	one := s.Models["m"]
	if one.Busy < 0.000999 || one.Busy > 0.001001 || one.Waiting != 4 || one.Oldest != 60 || one.Tokens != 6 || len(s.Models) != 2 {
		t.Errorf("%+v", s.Models)
	}
	want := []string{"queue", "tokenize", "wait", "run", "assemble", "gather", "commit"}
	for i, name := range want {
		if len(s.Stages) != len(want) || s.Stages[i].Name != name || s.Stages[i].Count == 0 || s.Stages[i].Seconds <= 0 {
			t.Fatalf("%s: %+v", name, s.Stages)
		}
	}
	if s.Stages[6] != (lately.Stage{Name: "commit", Count: 2, Seconds: 1.02}) {
		t.Errorf("%+v", s.Stages[6])
	}
}
