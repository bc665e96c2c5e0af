package generate_test

import (
	"math"
	"testing"

	"textmill/models/generate"
	"textmill/models/sample"
)

// The log-probabilities that are told of a token and of the likeliest ones in its place are the log-softmax of the logits that
// transformers has there, also for prompts that run in one batch.
func TestLogprobsAreThoseOfTransformers(t *testing.T) {
	const top = 20
	var requests []generate.Request
	var logits [][]float64
	for _, row := range readReference(t, "llama") {
		for n := range row.IDs {
			requests = append(requests, generate.Request{Prompt: row.IDs[:n+1],
				Params: generate.Params{MaxNewTokens: 1, Params: sample.Params{Logprobs: true, TopLogprobs: top}}})
			logits = append(logits, row.Logits[n])
		}
	}
	got := all(t, open(t, tiny(t, "llama", nil), generate.Options{Slots: 8}), requests)
	for i, r := range got {
		if r.Err != nil || len(r.Logprobs) != 1 || len(r.Top[0]) != top {
			t.Fatalf("request %d: %+v", i, r)
		}
		sum := 0.0
		for _, x := range logits[i] {
			sum += math.Exp(x)
		}
		told := append([]sample.Candidate{{ID: r.IDs[0], Logprob: r.Logprobs[0]}}, r.Top[0]...)
		for _, c := range told {
			if want := logits[i][c.ID] - math.Log(sum); math.Abs(float64(c.Logprob)-want) > 1e-4 {
				t.Errorf("request %d, token %d: %g, want %g", i, c.ID, c.Logprob, want)
			}
		}
	}
}
