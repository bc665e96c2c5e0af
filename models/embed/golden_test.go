package embed

import (
	"math"
	"math/rand/v2"
	"testing"
)

// least is the cosine to the reference that every vector must reach.
const least = 0.99999

func cosine(a, b []float32) float64 {
	var dot float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
	}
	return dot / (length(a) * length(b))
}

func length(v []float32) float64 {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

func compare(t *testing.T, e *Embedder, batch []expected) float64 {
	t.Helper()
	rows := make([]Row, len(batch))
	for i, g := range batch {
		rows[i].IDs = g.IDs
	}
	vectors, err := e.Embed(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	worst := 1.0
	for i, g := range batch {
		c := cosine(vectors[i], g.Embedding)
		if !(c >= least) {
			t.Errorf("text %s (%d tokens): cosine %v to the reference, want at least %v", g.ID, len(g.IDs), c, least)
		}
		worst = min(worst, c)
	}
	return worst
}

func TestVectorsEqualReference(t *testing.T) {
	e := testEmbedder(t)
	all := readGolden(t)
	t.Run("in one batch", func(t *testing.T) {
		t.Logf("worst cosine %.9f", compare(t, e, all))
	})
	t.Run("alone", func(t *testing.T) {
		worst := 1.0
		for _, g := range all {
			worst = min(worst, compare(t, e, []expected{g}))
		}
		t.Logf("worst cosine %.9f", worst)
	})
	t.Run("shuffled among others", func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		worst := 1.0
		for len(all) > 0 {
			n := min(1+r.IntN(24), len(all))
			worst = min(worst, compare(t, e, all[:n]))
			all = all[n:]
		}
		t.Logf("worst cosine %.9f", worst)
	})
}
