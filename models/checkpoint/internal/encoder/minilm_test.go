package encoder_test

import (
	"math"
	"testing"

	"textmill/ground/naming"
	"textmill/ground/places"
	"textmill/internal/golden"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/embed"
	"textmill/models/fetch"
	"textmill/models/session"
)

// vectorsFile holds the vectors that sentence-transformers makes of the same weights.
const vectorsFile = "../../../embed/testdata/golden.jsonl.gz"

type embedded struct {
	ID        string    `json:"id"`
	IDs       []int32   `json:"input_ids"`
	Embedding []float32 `json:"embedding"`
}

func TestMiniLMEmbedsAsInSentenceTransformers(t *testing.T) {
	home, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	source, err := fetch.Checkpoint(t.Context(), fetch.Options{Home: home}, "all-MiniLM-L6-v2")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		precision string
		least     float64
	}{{checkpoint.FP32, 0.99999}, {checkpoint.Q8, 0.997}} {
		t.Run(c.precision, func(t *testing.T) {
			r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source.Path, Dir: t.TempDir(), Precision: c.precision})
			if err != nil {
				t.Fatal(err)
			}
			spec, err := models.OpenBundle(r.Dir)
			if err != nil {
				t.Fatal(err)
			}
			if spec.Task != naming.TaskEmbed || spec.Dim != 384 || spec.MaxLength != 256 || spec.Pooling != models.PoolMean || !spec.Normalize {
				t.Errorf("bundle %+v", spec)
			}
			if err := spec.Verify(t.Context()); err != nil {
				t.Error(err)
			}
			e, err := embed.Open(t.Context(), spec, session.Options{Home: home, BatchTokens: 1024})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			lines, worst := golden.Values[embedded](t, vectorsFile), 1.0
			for at := 0; at < len(lines); at += 16 {
				batch := lines[at:min(at+16, len(lines))]
				rows := make([]embed.Row, len(batch))
				for i := range batch {
					rows[i].IDs = batch[i].IDs
				}
				vectors, err := e.Embed(t.Context(), rows)
				if err != nil {
					t.Fatal(err)
				}
				for i := range batch {
					if k := cosine(vectors[i], batch[i].Embedding); !(k >= c.least) {
						t.Errorf("text %s: cosine %v, want at least %v", batch[i].ID, k, c.least)
					} else {
						worst = min(worst, k)
					}
				}
			}
			t.Logf("%s: least cosine %.9f", c.precision, worst)
		})
	}
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	return ab / math.Sqrt(aa*bb)
}
