package sample

import (
	"math"
	"slices"
	"testing"
)

// What a trace says of the tokens that it does not list is what their own exponentials sum up to, at every temperature;
// and those that it lists hold the highest scores, also where penalties have moved them.
func TestRestIsWhatTheOthersWeigh(t *testing.T) {
	temperatures := []float64{0.1, 0.15, 0.5, 0.73, 1, 1.95, 2, 100}
	_, all := readGolden(t)
	all["apart"] = []float32{900, -900, negInf, -880, 3, 3, 3, 899.9}
	all["few"] = []float32{1, negInf, 2}
	const n = 5
	for name, logits := range all {
		scratch := NewScratch(len(logits))
		for _, p := range []Params{{Temperature: 1}, {}, {Temperature: 0.7, TopK: 2, RepetitionPenalty: 1.5, LogitBias: map[int32]float64{0: -30, 2: 3}}} {
			s := New(p, []int32{0, 1, 2}, len(logits))
			x, err := s.Trace(scratch, logits, n, temperatures)
			if err != nil {
				t.Fatal(err)
			}
			scores := slices.Clone(s.scores(scratch, logits))
			highest := slices.Clone(scores)
			for _, c := range x.Candidates {
				if c.Adjusted != scores[c.ID] {
					t.Fatalf("%s %+v: token %d has %v, want %v", name, p, c.ID, c.Adjusted, scores[c.ID])
				}
				highest[c.ID] = negInf
			}
			for i, temperature := range temperatures {
				sum, top := 0.0, float64(slices.Max(highest))
				for _, v := range highest {
					if v > negInf {
						sum += math.Exp((float64(v) - top) / temperature)
					}
				}
				want := top/temperature + math.Log(sum)
				if got := x.Rest[i]; got != want && !(math.Abs(got-want) <= 2e-7) {
					t.Errorf("%s %+v: at %v the others weigh %v, want %v", name, p, temperature, got, want)
				}
			}
			slices.Sort(scores)
			finite := scores[slices.IndexFunc(scores, func(v float32) bool { return v > negInf }):]
			if least := scores[len(scores)-x.Highest]; x.Highest != min(n, len(finite)) || slices.Max(highest) > least {
				t.Errorf("%s %+v: %d of the highest scores are told, one of %v is not", name, p, x.Highest, slices.Max(highest))
			}
		}
	}
}

func BenchmarkTraceWithTemperatures(b *testing.B) {
	_, all := readGolden(b)
	logits := all["logits_real_gravity_0.json"]
	temperatures := make([]float64, 39)
	for i := range temperatures {
		temperatures[i] = 0.1 + 0.05*float64(i)
	}
	for name, some := range map[string][]float64{"with": temperatures, "without": nil} {
		b.Run(name, func(b *testing.B) {
			scratch := NewScratch(len(logits))
			s := New(Params{Temperature: 0.7, TopK: 50, TopP: 0.9}, nil, len(logits))
			for b.Loop() {
				if _, err := s.Trace(scratch, logits, 100, some); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
