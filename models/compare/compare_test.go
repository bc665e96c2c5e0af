package compare_test

import (
	"errors"
	"math"
	"testing"

	"textmill/internal/golden"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/compare"
	"textmill/models/session"
)

const testdata = "../checkpoint/testdata/"

type referenceRow struct {
	IDs    []int32     `json:"input_ids"`
	Values [][]float32 `json:"values"`
}

func readReference(t *testing.T, name string) []referenceRow {
	t.Helper()
	return golden.JSON[[]referenceRow](t, testdata+"tiny/"+name+"/reference.json")
}

// scorer imports one of checkpoint's testdata.
func scorer(t *testing.T, source, precision string) *compare.Scorer {
	t.Helper()
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: testdata + source, Dir: t.TempDir(), Precision: precision})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := models.OpenBundle(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := compare.Open(spec, spec.Graph, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The logits of this checkpoint are those that transformers computes.
func TestScoresAreTransformers(t *testing.T) {
	rows := readReference(t, "llama")
	exact, rounded := scorer(t, "llama.gguf", checkpoint.FP32), scorer(t, "llama.gguf", checkpoint.Q8)
	for _, r := range rows {
		got, err := exact.Score(t.Context(), r.IDs)
		if err != nil {
			t.Fatal(err)
		}
		other, err := rounded.Score(t.Context(), r.IDs)
		if err != nil {
			t.Fatal(err)
		}
		kl, most, squares := 0.0, 0.0, 0.0
		for i, want := range r.Values {
			for j, v := range want {
				if d := math.Abs(float64(got[i*len(want)+j] - v)); d > 2e-4 {
					t.Fatalf("logit %d of token %d is off by %g", j, i, d)
				}
				e := math.Abs(float64(other[i*len(want)+j]) - float64(got[i*len(want)+j]))
				most, squares = max(most, e), squares+e*e/float64(len(want)*len(r.IDs))
			}
			p, q := softmax(got[i*len(want):(i+1)*len(want)]), softmax(other[i*len(want):(i+1)*len(want)])
			for j := range p {
				kl += p[j] * math.Log(p[j]/q[j]) / float64(len(r.IDs))
			}
		}
		d, err := compare.Measure(t.Context(), exact, rounded, [][]int32{r.IDs})
		if err != nil {
			t.Fatal(err)
		}
		if d.Positions != len(r.IDs) || math.Abs(d.KL-kl) > 1e-9 || d.MaxLogitError != most || math.Abs(d.LogitError-math.Sqrt(squares)) > 1e-9 || d.KL <= 0 || d.MaxKL < d.KL {
			t.Errorf("%+v, want KL %g and logits off by %g, at most %g", d, kl, math.Sqrt(squares), most)
		}
	}
	d, err := compare.Measure(t.Context(), exact, exact, [][]int32{rows[0].IDs})
	if want := (compare.Difference{Positions: len(rows[0].IDs), Top1: 1}); err != nil || d != want {
		t.Errorf("against itself: %+v, %v", d, err)
	}
	if _, err := compare.Measure(t.Context(), exact, exact, nil); !errors.Is(err, compare.ErrGraph) {
		t.Errorf("no texts: %v", err)
	}
}

// softmax is computed the plain way, which the logits of a tiny model allow.
func softmax(logits []float32) []float64 {
	p, sum := make([]float64, len(logits)), 0.0
	for i, v := range logits {
		p[i] = math.Exp(float64(v))
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// Graphs that take more than caches by token: states of a text, and where a long text's rotations begin.
func TestScoresOfMoreThanCachesAreTransformers(t *testing.T) {
	for _, name := range []string{"lfm2", "phi3-long"} {
		s := scorer(t, "tiny/"+name, "")
		for _, row := range readReference(t, name) {
			got, err := s.Score(t.Context(), row.IDs)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range row.Values {
				for j, v := range want {
					if d := math.Abs(float64(got[i*len(want)+j] - v)); !(d < 2e-4) {
						t.Fatalf("%s: logit %d behind token %d of %d is off by %g", name, j, i, len(row.IDs), d)
					}
				}
			}
		}
	}
}
