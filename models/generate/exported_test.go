package generate_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/ground/naming"
	"textmill/models"
	"textmill/models/generate"
)

// exported copies a bundle that another program made, since opening one keeps its hashes beside it.
func exportedBundle(t *testing.T, kind string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), kind)
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "exported", kind))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Graphs of Optimum and of onnxruntime-genai give what transformers computes, and the same in every batch.
func TestExportedLayouts(t *testing.T) {
	reference := readReference(t, "llama")
	for _, kind := range []string{"optimum", "genai"} {
		t.Run(kind, func(t *testing.T) {
			spec, err := models.OpenBundle(exportedBundle(t, kind))
			if err != nil {
				t.Fatal(err)
			}
			if spec.Task != naming.TaskGenerate || spec.Decoder.Layout != models.ExportedLayout || !slices.Equal(spec.Generation.EOS, []int32{2}) {
				t.Fatalf("%s, %+v, %+v", spec.Task, spec.Decoder, spec.Generation)
			}
			g := open(t, spec, generate.Options{Slots: 4})
			for _, row := range reference {
				for n := 1; n <= len(row.IDs); n++ {
					var best generate.Step
					all(t, g, []generate.Request{{Prompt: row.IDs[:n], Params: generate.Params{MaxNewTokens: 1}, Explain: 3, Step: func(s generate.Step) { best = s }}})
					for _, c := range best.Candidates {
						if want := row.Logits[n-1][c.ID]; math.Abs(float64(c.Logit)-want) > 1e-4 {
							t.Errorf("%d tokens: the logit of %d is %g, transformers has %g", n, c.ID, c.Logit, want)
						}
					}
				}
			}
			compareBatches(t, spec, someRequests(40, rand.New(rand.NewPCG(7, 8)), 64, 40, 16))
		})
	}
}

func TestGraphsThatCannotGenerate(t *testing.T) {
	encoder := tiny(t, "bert", nil)
	dir := filepath.Join(t.TempDir(), "no-cache")
	if err := os.CopyFS(dir, os.DirFS(encoder.Dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, models.RecordName)); err != nil {
		t.Fatal(err)
	}
	config := `{"architectures":["LlamaForCausalLM"],"model_type":"llama","vocab_size":64,"hidden_size":32,"num_hidden_layers":2,"num_attention_heads":2,"max_position_embeddings":64}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := models.OpenBundle(dir); !errors.Is(err, models.ErrBundle) || !strings.Contains(err.Error(), "past_key_values") {
		t.Errorf("a graph without a cache: %v", err)
	}
}
