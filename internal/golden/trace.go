package golden

import (
	"math"
	"testing"
)

// Rows are a text's tokens and their rows of the embedding table, as work/trace/testdata/golden.py has them.
type Rows struct {
	IDs    []int32              `json:"input_ids"`
	Shape  [2]int               `json:"shape"`
	Rows   map[string][]float64 `json:"rows"`
	Norms  []float64            `json:"norms"`
	Pieces []string             `json:"pieces"`
	Spans  [][2]int32           `json:"spans"`
}

// States are what work/trace/testdata/states.py has of two texts, by transformers and sentence-transformers.
type States struct {
	Texts       []string      `json:"texts"`
	IDs         [][]int32     `json:"input_ids"`
	Norms       [][]float64   `json:"norms"`
	First       [][][]float64 `json:"first"`
	Similarity  [][][]float64 `json:"similarity"`
	Pair        [][]float64   `json:"pair"`
	VectorNorms []float64     `json:"vector_norms"`
	Cosine      float64       `json:"cosine"`
}

// Scored are transformers' five best tokens at each step after a prompt: a value of top5.jsonl.gz in
// models/generate/testdata.
type Scored struct {
	ID    int     `json:"id"`
	IDs   []int32 `json:"prompt_ids"`
	Steps []struct {
		Chosen int32     `json:"chosen"`
		IDs    []int32   `json:"top_ids"`
		Logits []float64 `json:"top_logits"`
		Sum    float64   `json:"logsumexp"`
	} `json:"steps"`
}

// Near holds a figure to what is wanted.
func Near(t testing.TB, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Cosines holds rows of them to what is wanted.
func Cosines(t testing.TB, got, want [][]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows of cosines, want %d", len(got), len(want))
	}
	for i := range want {
		if len(got[i]) != len(want[i]) {
			t.Fatalf("%d cosines, want %d", len(got[i]), len(want[i]))
		}
		for j, c := range want[i] {
			Near(t, "cosine", got[i][j], c, 2e-5)
		}
	}
}
