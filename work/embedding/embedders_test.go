package embedding

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/embed"
	"textmill/models/session"
)

// golden is what sentence-transformers made of texts: models/checkpoint/testdata/embedders.py.
type golden struct {
	Texts []string `json:"texts"`
	Cases []struct {
		Params  json.RawMessage `json:"params"`
		Vectors [][]float32     `json:"vectors"`
	} `json:"cases"`
}

const tinyEmbedders = "../../models/checkpoint/testdata/embedders"

// TestVectorsAreThoseOfSentenceTransformers imports every tiny checkpoint, and holds what an engine makes of texts with
// the params of a job to the reference: all in one batch, shuffled in small ones, and alone, whose bits are the same.
func TestVectorsAreThoseOfSentenceTransformers(t *testing.T) {
	dirs, err := filepath.Glob(filepath.Join(tinyEmbedders, "*", "golden.json"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no tiny checkpoints: %v", err)
	}
	home, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	library := places.Library(home)
	for _, file := range dirs {
		name := filepath.Base(filepath.Dir(file))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var g golden
			if err := json.Unmarshal(data, &g); err != nil {
				t.Fatal(err)
			}
			spec, model := openImported(t, filepath.Dir(file), session.Options{Library: library, BatchTokens: 256})
			if why := model.Dependence(); why != "" {
				t.Error(why)
			}
			worst := 1.0
			for _, c := range g.Cases {
				engine := engineOf(t, spec, model)
				together := vectorsThrough(t, engine, string(c.Params), g.Texts)
				order := rand.New(rand.NewPCG(5, 6)).Perm(len(g.Texts))
				shuffled := make([][]float32, len(g.Texts))
				for batch := range slices.Chunk(order, 3) {
					texts := make([]string, len(batch))
					for i, j := range batch {
						texts[i] = g.Texts[j]
					}
					for i, v := range vectorsThrough(t, engine, string(c.Params), texts) {
						shuffled[batch[i]] = v
					}
				}
				for i, want := range c.Vectors {
					alone := vectorsThrough(t, engine, string(c.Params), g.Texts[i:i+1])[0]
					for how, got := range map[string][]float32{"together": together[i], "shuffled": shuffled[i], "alone": alone} {
						near := cosineOf(got, want)
						worst = min(worst, near)
						if !(near >= 0.99999) || len(got) != len(want) {
							t.Errorf("params %s, text %d %s: cosine %v to the reference, %d dimensions of %d", c.Params, i, how, near, len(got), len(want))
						}
						if off := apartFrom(got, want); !(off < 1e-5) && !normalizedAfter(spec, c.Params) {
							t.Errorf("params %s, text %d %s: values are off by %g of the greatest", c.Params, i, how, off)
						}
						if !slices.Equal(got, together[i]) {
							t.Errorf("params %s, text %d: %s it has other bits", c.Params, i, how)
						}
					}
				}
				engine.Close()
			}
			t.Logf("worst cosine %.9f", worst)
		})
	}
}

// openImported imports a checkpoint and opens what it makes.
func openImported(t *testing.T, source string, o session.Options) (*models.Spec, *embed.Embedder) {
	t.Helper()
	got, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	spec, err := models.OpenBundle(got.Dir)
	if err != nil {
		t.Fatal(err)
	}
	o.Home = t.TempDir()
	model, err := embed.Open(t.Context(), spec, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := model.Close(); err != nil {
			t.Error(err)
		}
	})
	return spec, model
}

func engineOf(t *testing.T, spec *models.Spec, model *embed.Embedder) *Engine {
	t.Helper()
	tok, err := spec.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{Spec: spec, Embedder: model, Tokenizer: tok})
}

// vectorsThrough gives the vectors of texts, of which each makes one row.
func vectorsThrough(t *testing.T, e *Engine, params string, texts []string) [][]float32 {
	t.Helper()
	vectors := make([][]float32, len(texts))
	for i, rows := range through(t, e, params, texts...) {
		if len(rows) != 1 || rows[0].Error != "" {
			t.Errorf("text %d: rows %+v", i, rows)
			continue
		}
		vectors[i] = rows[0].Embedding
	}
	return vectors
}

// apartFrom is the greatest difference in parts of the greatest value.
func apartFrom(got, want []float32) float64 {
	var off, top float64
	for i := range min(len(got), len(want)) {
		off, top = max(off, math.Abs(float64(got[i]-want[i]))), max(top, math.Abs(float64(want[i])))
	}
	return off / top
}

// normalizedAfter tells that a vector is brought to length 1 after it was cut, which sentence-transformers does before.
func normalizedAfter(spec *models.Spec, params json.RawMessage) bool {
	return spec.Normalize && (spec.Truncate > 0 || bytes.Contains(params, []byte("dimensions")))
}

func cosineOf(a, b []float32) float64 {
	var dot, aa, bb float64
	for i := range min(len(a), len(b)) {
		x, y := float64(a[i]), float64(b[i])
		dot, aa, bb = dot+x*y, aa+x*x, bb+y*y
	}
	return dot / math.Sqrt(aa*bb)
}
