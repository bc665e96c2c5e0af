package checkpoint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"textmill/internal/reference"
)

// A speed is what bench/models.py measured of a family beside its reference, in one run on one machine.
type speed struct {
	Family     string  `json:"family"`
	Parameters int     `json:"parameters"`
	Shape      string  `json:"shape"`
	Import     float64 `json:"import_seconds"`
	Bytes      int     `json:"bytes"`
	Unit       string  `json:"unit"`
	Threads    int     `json:"threads"`
	Pairs      []pair  `json:"pairs"`
	Date       string  `json:"date"`
	Reference  string  `json:"reference"`
	Cosine     float64 `json:"cosine"`      // the worst; 0 for generators
	Same       int     `json:"same_tokens"` // up to the first other one of each text
	Tokens     int     `json:"tokens"`
}

// A pair is one turn of either side: what each did in a second by the clock, and the reference's seconds by ours.
type pair struct {
	Textmill  float64 `json:"textmill"`
	Reference float64 `json:"reference"`
	Wall      float64 `json:"ratio"`
	Processor float64 `json:"processor_ratio"`
	Load      float64 `json:"load"`
}

// alike are families whose graphs are another's.
var alike = map[string]string{"new": "as gte", "embedding_gemma2": "as its text part",
	"Gemma3ForConditionalGeneration": "as Gemma3ForCausalLM", "Qwen3_5ForConditionalGeneration": "as Qwen3_5ForCausalLM"}

func readSpeeds(t *testing.T) map[string]speed {
	var all []speed
	readJSON(t, "../../bench/models.json", &all)
	of := map[string]speed{}
	for _, s := range all {
		if _, twice := of[s.Family]; twice {
			t.Errorf("bench/models.json has two speeds of %s", s.Family)
		}
		of[s.Family] = s
	}
	return of
}

// of is what a column of the pairs comes to in the middle, and its ends.
func (s speed) of(column func(p pair) float64) (middle, least, most float64) {
	values := make([]float64, len(s.Pairs))
	for i, p := range s.Pairs {
		values[i] = column(p)
	}
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]
}

func processor(p pair) float64 { return p.Processor }

// short is the middle of the ratios, with the day.
func (s speed) short() string {
	ratio, _, _ := s.of(processor)
	return fmt.Sprintf("%.2f × (%s)", ratio, s.Date)
}

// agrees says how near the run's results were to the reference's.
func (s speed) agrees() string {
	if s.Tokens > 0 {
		return fmt.Sprintf("%d of %d tokens", s.Same, s.Tokens)
	}
	return fmt.Sprintf("%.0e", max(1-s.Cosine, 1e-11))
}

// check holds a measurement to what it must have shown to count.
func (s speed) check(t *testing.T) {
	switch {
	case len(s.Pairs) < 3:
		t.Fatalf("%s was measured in %d pairs; three are the least: python bench/models.py %s", s.Family, len(s.Pairs), s.Family)
	case s.Threads != 1: // as docs/models.md says
		t.Errorf("%s was measured with %d threads", s.Family, s.Threads)
	case s.Tokens == 0 && !(s.Cosine >= 1-mostApart):
		t.Errorf("%s: vectors were off by %g while it was measured", s.Family, 1-s.Cosine)
	case s.Tokens > 0 && s.Same < s.Tokens*99/100: // random weights have ties
		t.Errorf("%s: %d of %d tokens were the reference's while it was measured", s.Family, s.Same, s.Tokens)
	}
}

func TestReferenceSpeeds(t *testing.T) {
	speeds := readSpeeds(t)
	var table strings.Builder
	table.WriteString("| family | model | import | speed by the reference's, processor time | by the clock | textmill | reference | 1 − cosine, or the same tokens | on |\n" +
		"|---|---|---|---|---|---|---|---|---|\n")
	for _, p := range scoreboard {
		s, ok := speeds[p.first()]
		if !ok {
			continue
		}
		delete(speeds, s.Family)
		s.check(t)
		ours, _, _ := s.of(func(p pair) float64 { return p.Textmill })
		theirs, _, _ := s.of(func(p pair) float64 { return p.Reference })
		wall, _, _ := s.of(func(p pair) float64 { return p.Wall })
		ratio, least, most := s.of(processor)
		_, idle, busy := s.of(func(p pair) float64 { return p.Load })
		fmt.Fprintf(&table, "| %s | %.0f M, %s | %.1f s, %.0f MB | %.2f × (%.2f–%.2f) | %.2f × | %.0f %s | %.0f, %s | %s | %s, load %.0f–%.0f |\n",
			s.Family, float64(s.Parameters)/1e6, s.Shape, s.Import, float64(s.Bytes)/1e6, ratio, least, most, wall, ours, s.Unit, theirs,
			s.Reference, s.agrees(), s.Date, idle, busy)
	}
	for family := range speeds {
		t.Errorf("bench/models.json has a speed of %s, which begins no line of the scoreboard", family)
	}
	reference.Holds(t, "../models.md", "speeds", table.String())
}
