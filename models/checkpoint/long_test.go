package checkpoint_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/embed"
	"textmill/models/session"
)

// setKeys sets numbers in a file of JSON, where it has the key.
func setKeys(t *testing.T, path string, value int, keys ...string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if _, ok := all[key]; ok {
			all[key] = value
		}
	}
	if data, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// importRoomy imports a tiny checkpoint that rotates with room for longer texts.
func importRoomy(t *testing.T, name string, room int) *models.Spec {
	t.Helper()
	dir := copyDir(t, filepath.Join("testdata", filepath.FromSlash(name)))
	setKeys(t, filepath.Join(dir, "config.json"), room, "max_position_embeddings")
	setKeys(t, filepath.Join(dir, "sentence_bert_config.json"), room, "max_seq_length")
	setKeys(t, filepath.Join(dir, "tokenizer_config.json"), room, "model_max_length")
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: dir, Dir: t.TempDir(), Name: "m"})
	if err != nil {
		t.Fatal(err)
	}
	return openBundle(t, r.Dir)
}

// longText is the text of testdata/long.py.
func longText(n, vocabulary int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32(5 + 7*i%(vocabulary-5))
	}
	return ids
}

// TestLongTextsComputeWhatTransformersDoes holds that a text that goes the way of long ones, in layers that see all, a
// window on both sides or what is behind them, comes to the reference's vectors; to the same bits in every company; and
// to the same values where others run the graph on several long texts at once.
func TestLongTextsComputeWhatTransformersDoes(t *testing.T) {
	var long struct {
		Length int   `json:"length"`
		Room   int   `json:"room"`
		Kept   []int `json:"kept"`
		Models map[string]struct {
			Vocabulary int         `json:"vocabulary"`
			Values     [][]float32 `json:"values"`
		} `json:"models"`
	}
	readJSON(t, filepath.Join("testdata", "long.json"), &long)
	for name, want := range long.Models {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			spec := importRoomy(t, name, long.Room)
			if spec.Alone < 1 || spec.Alone >= long.Length {
				t.Fatalf("texts of more than %d tokens run alone, which is to be a bound below %d", spec.Alone, long.Length)
			}
			greatest := float32(0)
			for _, v := range slices.Concat(want.Values...) {
				greatest = max(greatest, v, -v)
			}
			check := func(how string, values []float32) {
				t.Helper()
				for i, at := range long.Kept {
					got := values[at*spec.Hidden:][:spec.Hidden]
					if k, d := cosine(got, want.Values[i]), far(got, want.Values[i]); !(k >= 0.99999) || !(d <= 2e-5*float64(greatest)) {
						t.Errorf("%s: token %d is off by %g of %g, cosine %v", how, at, d, greatest, k)
					}
				}
			}
			e := openEmbedder(t, spec, session.Options{BatchTokens: 256})
			defer e.Close() //nolint:errcheck // of a test
			row := func(n int) embed.Row { return embed.Row{IDs: longText(n, want.Vocabulary), Pooling: models.PoolNone} }
			rows := []embed.Row{row(3), row(long.Length), row(spec.Alone), row(spec.Alone + 1)}
			together, err := e.Embed(t.Context(), rows)
			if err != nil {
				t.Fatal(err)
			}
			check("beside others", together[1])
			for i, r := range rows {
				alone, err := e.Embed(t.Context(), []embed.Row{r})
				if err != nil {
					t.Fatal(err)
				}
				if !slices.EqualFunc(alone[0], together[i], func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }) {
					t.Errorf("a text of %d tokens has other bits alone", len(r.IDs))
				}
			}
			s := openSession(t, spec.GraphPath(), spec.Inputs, []string{"last_hidden_state"})
			two := []referenceRow{{Values: [][]float32{make([]float32, spec.Hidden)}}, {}}
			for i, n := range []int{long.Length, 520} {
				for _, id := range longText(n, want.Vocabulary) {
					two[i].IDs = append(two[i].IDs, int64(id))
				}
			}
			check("run as a batch", runHidden(t, s, len(spec.Inputs), two, long.Length, false))
		})
	}
}

// TestTablesOfRotationsAreNotStored holds that a bundle that embeds is no larger for the positions that it takes: tables
// of 262,144 took 0.8 GB of EmbeddingGemma 2.
func TestTablesOfRotationsAreNotStored(t *testing.T) {
	size := func(room int) (n int64) {
		spec := importRoomy(t, "embedders/embeddinggemma2", room)
		if spec.MaxLength != room {
			t.Fatalf("it takes %d tokens, not %d", spec.MaxLength, room)
		}
		for _, f := range spec.Files {
			if strings.HasPrefix(f.Path, "onnx/") {
				n += f.Size
			}
		}
		return n
	}
	short, long := size(1024), size(262144)
	if grown := long - short; short == 0 || grown < -64 || grown > 64 { // what of it is numbers of positions
		t.Errorf("graph and weights take %d bytes with 1,024 positions and %d with 262,144", short, long)
	}
}
