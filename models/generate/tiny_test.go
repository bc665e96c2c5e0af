package generate_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"textmill/internal/golden"
	"textmill/models"
	"textmill/models/checkpoint"
	"textmill/models/generate"
	"textmill/models/sample"
)

const tinyDir = generate.Testdata + "/tiny"

// tiny imports one of the tiny checkpoints; spoil, when set, changes its weights file first.
func tiny(t testing.TB, name string, spoil func([]byte)) *models.Spec {
	t.Helper()
	if spoil != nil {
		return changed(t, name, "model.safetensors", func(weights []byte) []byte { spoil(weights); return weights })
	}
	return generate.Imported(t, filepath.Join(tinyDir, name), "")
}

// changed imports one of the tiny checkpoints with another content of one of its files.
func changed(t testing.TB, name, file string, change func([]byte) []byte) *models.Spec {
	t.Helper()
	source := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(source, os.DirFS(filepath.Join(tinyDir, name))); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(source, file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, change(data), 0o644); err != nil {
		t.Fatal(err)
	}
	return generate.Imported(t, source, "")
}

// A referenceRow is what transformers makes of a tiny checkpoint's text.
type referenceRow struct {
	IDs    []int32     `json:"input_ids"`
	Logits [][]float64 `json:"values"`
	Greedy []int32     `json:"greedy"` // what it goes on with
}

func readReference(t *testing.T, name string) []referenceRow {
	t.Helper()
	return golden.JSON[[]referenceRow](t, filepath.Join(tinyDir, name, "reference.json"))
}

// someRequests are prompts that begin alike now and then, with sampling of every kind.
func someRequests(n int, r *rand.Rand, vocab, longest, newTokens int) []generate.Request {
	shared := make([]int32, longest/2)
	for i := range shared {
		shared[i] = int32(3 + r.IntN(vocab-3))
	}
	requests := make([]generate.Request, n)
	for i := range requests {
		prompt := slices.Clone(shared[:r.IntN(len(shared))])
		for range 1 + r.IntN(longest-len(prompt)) {
			prompt = append(prompt, int32(3+r.IntN(vocab-3)))
		}
		p := generate.Params{MaxNewTokens: 1 + r.IntN(newTokens), IgnoreEOS: i%3 == 0}
		p.Params = sample.Params{Temperature: []float64{0, 0.7, 1.5}[i%3], TopK: []int{0, 20}[i%2], TopP: []float64{0, 0.9}[i/2%2],
			RepetitionPenalty: []float64{0, 1.2}[i/4%2], Seed: r.Uint64(), Logprobs: true}
		requests[i] = generate.Request{Prompt: prompt, Params: p}
	}
	return requests
}

// sameText compares IDs and log-probabilities, bit for bit.
func sameText(a, b generate.Result) bool {
	return slices.Equal(a.IDs, b.IDs) && slices.Equal(a.Logprobs, b.Logprobs) && a.Text == b.Text && a.Finish == b.Finish
}

// compareBatches runs requests in little company, in much, and in another order, and holds every text to the same bits.
func compareBatches(t *testing.T, spec *models.Spec, requests []generate.Request) {
	t.Helper()
	want := all(t, open(t, spec, generate.Options{Slots: 2}), requests)
	for _, slots := range []int{5, 16} { // 5 is no multiple, and 16 are more than some runs fill
		g := open(t, spec, generate.Options{Slots: slots})
		order := rand.New(rand.NewPCG(uint64(slots), 9)).Perm(len(requests))
		mixed := make([]generate.Request, len(requests))
		for i, j := range order {
			mixed[i] = requests[j]
		}
		for i, got := range all(t, g, mixed) {
			if !sameText(got, want[order[i]]) {
				t.Errorf("%d slots, request %d:\n%v %v %s\n%v %v %s", slots, order[i], got.IDs, got.Logprobs, got.Finish,
					want[order[i]].IDs, want[order[i]].Logprobs, want[order[i]].Finish)
			}
		}
	}
}

func TestSameSeedSameTextInEveryBatch(t *testing.T) {
	for _, name := range []string{"llama", "mistral", "qwen3", "smollm3"} {
		t.Run(name, func(t *testing.T) {
			compareBatches(t, tiny(t, name, nil), someRequests(60, rand.New(rand.NewPCG(3, 4)), 64, 40, 24))
		})
	}
}

// Each way of storing and multiplying weights, small; and the real model as a GGUF's own blocks, with both arithmetics.
func TestSameSeedSameTextInEveryLayout(t *testing.T) {
	for _, precision := range []string{checkpoint.FP32, checkpoint.Q8, checkpoint.Q4} {
		t.Run("tiny "+precision, func(t *testing.T) {
			spec := generate.Imported(t, filepath.Join(tinyDir, "llama"), precision)
			compareBatches(t, spec, someRequests(40, rand.New(rand.NewPCG(5, 4)), 64, 40, 24))
		})
	}
	var requests []generate.Request
	for i, g := range readGolden(t)[:6] {
		requests = append(requests, generate.Request{Prompt: g.PromptIDs, Params: generate.Params{MaxNewTokens: 4 + i,
			Params: sample.Params{Temperature: float64(i%3) / 2, TopP: 0.95, Seed: uint64(i), Logprobs: true}}})
	}
	for _, graph := range smolLM2(t, checkpoint.AsIs, "").Decoder.Graphs {
		t.Run("SmolLM2 as-is "+graph.Activations, func(t *testing.T) {
			compareBatches(t, smolLM2(t, checkpoint.AsIs, graph.File), requests)
		})
	}
}

func TestTexts(t *testing.T) {
	g := open(t, smolLM2(t, checkpoint.FP32, ""), generate.Options{Slots: 4})
	prompt := readGolden(t)[0].PromptIDs // "The capital of France is Paris.<|im_end|>"
	with := func(p generate.Params) generate.Result {
		t.Helper()
		if p.MaxNewTokens == 0 {
			p.MaxNewTokens = 16
		}
		return all(t, g, []generate.Request{{Prompt: prompt, Params: p}})[0]
	}
	for name, c := range map[string]struct {
		params       generate.Params
		text, finish string
		tokens       int
	}{
		"the model's own end":        {generate.Params{}, "The capital of France is Paris.", generate.FinishEOS, 8},
		"length":                     {generate.Params{MaxNewTokens: 3}, "The capital of", generate.FinishLength, 3},
		"stop string within a token": {generate.Params{Stop: []string{"ranc"}}, "The capital of F", generate.FinishStop, 4},
		"stop string across tokens":  {generate.Params{Stop: []string{"is Pa", "zzz"}}, "The capital of France ", generate.FinishStop, 6},
		"stop token":                 {generate.Params{StopIDs: []int32{4649}}, "The capital of France", generate.FinishStop, 4},
		"stop string never whole":    {generate.Params{Stop: []string{"Paris.!"}}, "The capital of France is Paris.", generate.FinishEOS, 8},
	} {
		if got := with(c.params); got.Text != c.text || got.Finish != c.finish || len(got.IDs) != c.tokens {
			t.Errorf("%s: %q, %s, %v", name, got.Text, got.Finish, got.IDs)
		}
	}
	if got := with(generate.Params{IgnoreEOS: true}); got.Finish != generate.FinishLength || len(got.IDs) != 16 || !strings.HasPrefix(got.Text, "The capital of France is Paris.") {
		t.Errorf("end ignored: %q, %s, %v", got.Text, got.Finish, got.IDs)
	}
	if got := with(generate.Params{Params: sample.Params{MinNewTokens: 12}}); len(got.IDs) < 12 || slices.Contains(got.IDs[:12], 2) {
		t.Errorf("at least 12 tokens: %v", got.IDs)
	}
	var pieces strings.Builder
	steps := 0
	done := make(chan generate.Result, 1)
	err := g.Do(t.Context(), generate.Request{Prompt: prompt, Params: generate.Params{MaxNewTokens: 16}, Explain: 3,
		Step: func(s generate.Step) {
			pieces.WriteString(s.Text)
			if s.Index != steps || s.Candidates[0].ID != s.ID || s.Kept != 1 {
				t.Errorf("step %d: %+v", steps, s)
			}
			steps++
		}, Done: func(r generate.Result) { done <- r }})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-done; got.Text != pieces.String() || steps != len(got.IDs) {
		t.Errorf("%d steps gave %q, the result is %q", steps, pieces.String(), got.Text)
	}
}

// A memory limit that holds three hundred tokens lets texts run one after the other.
func TestMemoryBoundsWhatRunsTogether(t *testing.T) {
	spec := tiny(t, "llama", nil)
	most := 0
	o := generate.Options{Slots: 8, Observe: func(s generate.RunStats) { most = max(most, s.Rows) }}
	o.Memory = 300 * spec.Decoder.KVBytes()
	g := open(t, spec, o)
	if g.Slots() != 2 || g.MaxTotalTokens() > 300 {
		t.Errorf("%d slots of %d tokens", g.Slots(), g.MaxTotalTokens())
	}
	results := all(t, g, someRequests(20, rand.New(rand.NewPCG(5, 6)), 64, 30, 20))
	if len(results) != 20 || most > 2 {
		t.Errorf("%d rows at a time", most)
	}
	o.Memory = 100 * spec.Decoder.KVBytes()
	if _, err := generate.Open(t.Context(), spec, o); err == nil || !strings.Contains(err.Error(), "MiB") {
		t.Errorf("no memory: %v", err)
	}
}

// What prompts have in common is run once, whether they come together or one after the other.
func TestCommonStartsRunOnce(t *testing.T) {
	ran := 0
	g := open(t, tiny(t, "llama", nil), generate.Options{Slots: 4, Observe: func(s generate.RunStats) { ran += s.Tokens - s.New }})
	var requests []generate.Request
	for i := range 6 {
		prompt := append(make([]int32, 30), int32(10+i), 7, 8)
		requests = append(requests, generate.Request{Prompt: prompt, Params: generate.Params{MaxNewTokens: 3}})
	}
	all(t, g, requests)
	if want := 33 + 5*3; ran != want {
		t.Errorf("%d tokens of prompts were run, want %d", ran, want)
	}
	ran = 0
	all(t, g, requests[:1])
	if ran != 2 && ran != 3 {
		t.Errorf("%d tokens of a known prompt were run", ran)
	}
}

func TestUnwantedTextsEndAtOnce(t *testing.T) {
	o := generate.Options{Slots: 2}
	t.Run("processor", func(t *testing.T) { unwanted(t, o) })
	t.Run("device", func(t *testing.T) { unwanted(t, generate.OnDevice(o, 0)) })
}

func unwanted(t *testing.T, o generate.Options) {
	g := open(t, tiny(t, "llama", nil), o)
	var wg sync.WaitGroup
	results := make([]generate.Result, 2)
	steps := 0
	for i := range results {
		wg.Add(1)
		r := generate.Request{Prompt: []int32{5, int32(6 + i)}, Params: generate.Params{MaxNewTokens: 40, IgnoreEOS: true},
			Done: func(got generate.Result) { results[i] = got; wg.Done() }}
		if i == 0 {
			r.Step = func(s generate.Step) { steps = s.Index + 1 }
			r.Unwanted = func() bool { return steps >= 3 }
		}
		if err := g.Do(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	if !errors.Is(results[0].Err, generate.ErrStopped) || steps != 3 || results[1].Err != nil || len(results[1].IDs) != 40 {
		t.Errorf("%d steps, %v; the other: %d tokens, %v", steps, results[0].Err, len(results[1].IDs), results[1].Err)
	}
}
