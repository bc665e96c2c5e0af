package embedding

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/models"
	"textmill/models/embed"
	"textmill/models/session"
)

// tinyModels are those of package checkpoint; vectors.json is what the reference's encode gives, made by its static.py.
const tinyModels = "../../models/checkpoint/testdata/tiny"

func openStaticModel(t *testing.T, name string) (*Engine, *models.Spec) {
	t.Helper()
	spec, model := openImported(t, filepath.Join(tinyModels, name), session.Options{}) // no library is needed
	engine := engineOf(t, spec, model)
	t.Cleanup(engine.Close)
	return engine, spec
}

func TestStaticModelsEmbedAsTheirLibraries(t *testing.T) {
	for name, params := range map[string]map[string]string{
		"model2vec":         {"vectors": `{}`, "max_length_6": `{"max_length":6}`},
		"model2vec-mapped":  {"vectors": `{}`, "max_length_6": `{"max_length":6}`},
		"model2vec-unigram": {"vectors": `{}`, "max_length_6": `{"max_length":6}`},
		"static-embedding":  {"vectors": `{}`, "truncate_16": `{"dimensions":16}`, "prompt_query": `{"prompt_name":"query"}`},
	} {
		t.Run(name, func(t *testing.T) {
			e, _ := openStaticModel(t, name)
			data, err := os.ReadFile(filepath.Join(tinyModels, name, "vectors.json"))
			if err != nil {
				t.Fatal(err)
			}
			var file map[string]json.RawMessage
			var texts []string
			if err := json.Unmarshal(data, &file); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(file["texts"], &texts); err != nil {
				t.Fatal(err)
			}
			for key, p := range params {
				var want [][]float32
				if err := json.Unmarshal(file[key], &want); err != nil {
					t.Fatal(err)
				}
				got := through(t, e, p, texts...)
				for i, text := range texts {
					row := got[i][0]
					if row.Error != "" {
						t.Errorf("%s: %q: %s", key, text, row.Error)
						continue
					}
					if c, zero := alike(row.Embedding, want[i]); !(c >= 0.99999) {
						t.Errorf("%s: %q: cosine %v; both of length 0: %v", key, text, c, zero)
					}
					if alone := through(t, e, p, text)[0][0]; !slices.Equal(alone.Embedding, row.Embedding) {
						t.Errorf("%s: %q has other bits alone", key, text)
					}
				}
			}
		})
	}
}

// alike is 1 for two vectors of length 0, and 0 where their lengths differ.
func alike(a, b []float32) (cosine float64, zero bool) {
	if len(a) != len(b) {
		return math.NaN(), false
	}
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	switch {
	case aa == 0 && bb == 0:
		return 1, true
	case math.Abs(aa/bb-1) > 2e-3: // the reference's norms count, too: its fp16 keeps three digits
		return 0, false
	}
	return ab / math.Sqrt(aa*bb), false
}

// Tokens behind the cut are told, whether tokens or characters made it.
func TestStaticModelsTellWhatTheyCut(t *testing.T) {
	e, spec := openStaticModel(t, "model2vec")
	if spec.MaxLength != 24 || spec.Static.CharsPerToken != 3 {
		t.Fatalf("%+v", spec.Static)
	}
	chars := ("the " + strings.Repeat(" ", 40)) + strings.Repeat("a ", 40)
	for text, want := range map[string][2]int{
		"the of and":                       {3, 0},
		"":                                 {0, 0},
		strings.Repeat("a ", 30):           {24, 6},
		chars:                              {15, 26}, // 72 characters: the, and 14 words
		strings.Repeat(" ", 71) + "the of": {1, 2},   // the cut leaves "t" of the first word
	} {
		r := through(t, e, `{}`, text)[0][0]
		if int(r.NTokens.V) != want[0] || int(r.NDropped.V) != want[1] || r.Truncated.V != (want[1] > 0) {
			t.Errorf("%q: %d tokens and %d dropped, truncated %v, want %v", text, r.NTokens.V, r.NDropped.V, r.Truncated.V, want)
		}
	}
	if r := through(t, e, `{"truncate":"error"}`, chars)[0][0]; !strings.Contains(r.Error, "41 tokens") {
		t.Errorf("truncate error: %q", r.Error)
	}
	if r := through(t, e, `{"pooling":"none"}`, "the of and")[0][0]; len(r.Embedding) != 3*spec.Dim {
		t.Errorf("pooling none: %d values, %s", len(r.Embedding), r.Error)
	}
}

// Several poolings of one text lie one behind the other, with the bits that each comes to alone; a mean leaves the same
// tokens out in both.
func TestStaticModelsPoolInSeveralWays(t *testing.T) {
	for _, name := range []string{"static-embedding", "model2vec"} {
		spec, model := openImported(t, filepath.Join(tinyModels, name), session.Options{})
		ids := []int32{5, 9, 12}
		if out := spec.Static.LeaveOut; out >= 0 {
			ids = append(ids, out)
		}
		var apart []float32
		all := []string{models.PoolCLS, models.PoolMax, models.PoolMean}
		for _, pooling := range append(all, strings.Join(all, models.PoolJoint)) {
			got, err := model.Embed(t.Context(), []embed.Row{{IDs: ids, Pooling: pooling}})
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(pooling, models.PoolJoint) && !slices.Equal(got[0], apart) {
				t.Errorf("%s, %s: %v, want %v", name, pooling, got[0], apart)
			}
			apart = append(apart, got[0]...)
		}
	}
}
