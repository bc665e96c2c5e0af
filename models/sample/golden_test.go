package sample

import (
	"math"
	"testing"

	"textmill/internal/golden"
)

// expected is what transformers keeps of some logits, made by testdata/golden.py.
type expected struct {
	Logits    string
	Params    map[string]float64
	InputIDs  []int32 `json:"input_ids"`
	NKept     int     `json:"n_kept"`
	Truncated bool    `json:"kept_truncated"`
	KeptIDs   []int32 `json:"kept_ids"`
	Probs     []float64
	After     []float32 `json:"logits_after"`
}

func readGolden(t testing.TB) (cases []expected, logits map[string][]float32) {
	t.Helper()
	cases, logits = golden.Values[expected](t, "testdata/sampling.jsonl.gz"), make(map[string][]float32)
	for _, g := range cases {
		if _, have := logits[g.Logits]; !have {
			logits[g.Logits] = golden.Values[[]float32](t, "testdata/"+g.Logits+".gz")[0]
		}
	}
	return cases, logits
}

func (g *expected) params() Params {
	p := Params{Temperature: 1}
	for name, v := range g.Params {
		switch name {
		case "temperature":
			p.Temperature = v
		case "top_k":
			p.TopK = int(v)
		case "top_p":
			p.TopP = v
		case "min_p":
			p.MinP = v
		case "typical_p":
			p.TypicalP = v
		case "epsilon_cutoff":
			p.EpsilonCutoff = v
		case "eta_cutoff":
			p.EtaCutoff = v
		case "top_h":
			p.TopH = v
		case "repetition_penalty":
			p.RepetitionPenalty = v
		default:
			panic(name)
		}
	}
	return p
}

// Kept ids, scores and probabilities are transformers' own, also where top_p ends amid equal logits.
func TestKeepsWhatTransformersKeeps(t *testing.T) {
	cases, all := readGolden(t)
	if len(cases) < 100 {
		t.Fatalf("%d cases", len(cases))
	}
	scratch := NewScratch(0)
	var worst float64
	for _, g := range cases {
		logits := all[g.Logits]
		kept, err := New(g.params(), g.InputIDs, len(logits)).Distribution(scratch, logits)
		if err != nil {
			t.Fatal(err)
		}
		if len(kept) != g.NKept {
			t.Errorf("%s %v: %d kept, want %d", g.Logits, g.Params, len(kept), g.NKept)
			continue
		}
		for i, id := range g.KeptIDs {
			if kept[i].ID != id || kept[i].Score != g.After[i] {
				t.Errorf("%s %v: at %d token %d of score %v, want %d of %v", g.Logits, g.Params, i, kept[i].ID, kept[i].Score, id, g.After[i])
				break
			}
			worst = max(worst, math.Abs(kept[i].Prob-g.Probs[i]))
		}
	}
	if worst > 1e-6 {
		t.Errorf("a probability differs by %g", worst)
	}
	t.Logf("%d cases; probabilities within %.2g", len(cases), worst)
}
