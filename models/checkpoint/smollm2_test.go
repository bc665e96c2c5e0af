package checkpoint_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"textmill/ground/naming"
	"textmill/ground/places"
	"textmill/internal/golden"
	"textmill/models/checkpoint"
	"textmill/models/fetch"
)

// A prompt is a line of models/generate/testdata/greedy.jsonl.gz: what transformers generates from the same weights, dequantized, in fp32.
type prompt struct {
	ID        int     `json:"id"`
	IDs       []int64 `json:"prompt_ids"`
	Generated []int64 `json:"generated_ids"`
}

// A scored is a line of models/generate/testdata/top5.jsonl.gz.
type scored struct {
	ID    int     `json:"id"`
	IDs   []int64 `json:"prompt_ids"`
	Steps []struct {
		Chosen int64     `json:"chosen"`
		TopIDs []int64   `json:"top_ids"`
		Top    []float32 `json:"top_logits"`
	} `json:"steps"`
}

// checkpointOf is the folder of pinned weights.
func checkpointOf(t *testing.T, name string) string {
	t.Helper()
	home, err := places.Home()
	if err != nil {
		t.Fatal(err)
	}
	got, err := fetch.Checkpoint(t.Context(), fetch.Options{Home: home}, name)
	if err != nil {
		t.Fatal(err)
	}
	return got.Path
}

func importSmolLM2(t *testing.T, precision string) checkpoint.Result {
	t.Helper()
	file := filepath.Join(checkpointOf(t, "SmolLM2-135M-Instruct"), "SmolLM2-135M-Instruct.Q4_1.gguf")
	begun, calls, last := time.Now(), 0, int64(0)
	r, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: file, Dir: t.TempDir(), Name: "SmolLM2", Precision: precision,
		Progress: func(done, total int64) {
			if done < last || done > total {
				t.Errorf("progress %d of %d after %d", done, total, last)
			}
			calls, last = calls+1, done
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("imported as %s in %s", precision, time.Since(begun).Round(time.Millisecond))
	if r.Task != naming.TaskGenerate || r.Architecture != "LlamaForCausalLM" || calls == 0 {
		t.Errorf("%s, %s, %d calls of Progress", r.Task, r.Architecture, calls)
	}
	return r
}

const end = 2 // <|im_end|>

// generate runs prompts one after the other into slots, then decodes all slots together until each has its length.
func generate(s *slots, prompts []prompt) [][]int64 {
	clear(s.used)
	out, next := make([][]int64, len(prompts)), make([][]int64, len(prompts))
	for i, p := range prompts {
		next[i] = []int64{argmax(s.run(i, [][]int64{p.IDs}, false)[0])}
		out[i] = append(out[i], next[i][0])
	}
	finished := func(i int) bool { return len(out[i]) >= len(prompts[i].Generated) || out[i][len(out[i])-1] == end }
	for {
		busy := false
		for i := range prompts {
			busy = busy || !finished(i)
		}
		if !busy {
			return out
		}
		for i, logits := range s.run(0, next, false) {
			next[i] = []int64{argmax(logits)}
			if !finished(i) {
				out[i] = append(out[i], next[i][0])
			}
		}
	}
}

// SmolLM2 decides two of the prompts, 11 and 16, by gaps of 0.00025 and 0.0018 between the best tokens; the others by 0.0126 and more.
func compareGreedy(t *testing.T, how string, prompts []prompt, out [][]int64) {
	t.Helper()
	for i, p := range prompts {
		if !slices.Equal(out[i], p.Generated) {
			t.Errorf("%s: prompt %d: %v, transformers has %v", how, p.ID, out[i], p.Generated)
		}
	}
}

// What the texts are to their ends package generate holds; here it is the graphs, in the least loop that can run them. Logits may
// be off by 2e-4, since torch adds in another order than ONNX Runtime, and each of them in another on each kind of processor.
func TestSmolLM2SpeaksAsInTransformers(t *testing.T) {
	prompts := golden.Values[prompt](t, "../generate/testdata/greedy.jsonl.gz")
	for i, p := range prompts {
		prompts[i].Generated = p.Generated[:min(len(p.Generated), 12)]
	}
	for _, precision := range []string{checkpoint.FP32, checkpoint.AsIs} {
		t.Run(precision, func(t *testing.T) {
			s := openSlots(t, importSmolLM2(t, precision).Dir, 0, len(prompts), 512)
			rand.New(rand.NewPCG(1, 2)).Shuffle(len(prompts), func(i, j int) { prompts[i], prompts[j] = prompts[j], prompts[i] })
			compareGreedy(t, "all in one batch", prompts, generate(s, prompts))
			for _, p := range prompts[:3] {
				compareGreedy(t, "alone", []prompt{p}, generate(s, []prompt{p}))
			}
			for _, line := range golden.Values[scored](t, "../generate/testdata/top5.jsonl.gz") {
				clear(s.used)
				ids := line.IDs
				for _, step := range line.Steps[:8] {
					logits := s.run(0, [][]int64{ids}, false)[0]
					for i, id := range step.TopIDs {
						if d := far(logits[id:id+1], step.Top[i:i+1]); !(d < 2e-4) {
							t.Errorf("prompt %d: the logit of token %d is off by %g", line.ID, id, d)
						}
					}
					ids = []int64{step.Chosen}
				}
			}
		})
	}
}
