package generate_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"textmill/models/generate"
)

// The tiny models' convolutions and delta rules keep states of texts. All texts together, in slots that others had before and moved to others on the way,
// are what transformers makes of each.
func TestTextsWithStatesAreTransformers(t *testing.T) {
	for _, name := range []string{"lfm2", "lfm2-biased", "qwen3_5", "qwen3_5-images"} {
		rows := readReference(t, name)
		var requests []generate.Request
		for i := range 3 * len(rows) { // some end sooner, so that others move up
			r := rows[i%len(rows)]
			requests = append(requests, generate.Request{Prompt: r.IDs, Params: generate.Params{MaxNewTokens: len(r.Greedy) >> (i % 4), IgnoreEOS: true}})
		}
		for i, got := range all(t, open(t, tiny(t, name, nil), generate.Options{Slots: 4}), requests) {
			if want := rows[i%len(rows)].Greedy[:requests[i].Params.MaxNewTokens]; !slices.Equal(got.IDs, want) {
				t.Errorf("%s: text %d is %v, want %v", name, i, got.IDs, want)
			}
		}
	}
}

func TestTextsWithStatesDoNotDependOnCompany(t *testing.T) {
	for _, name := range []string{"lfm2", "qwen3_5", "qwen3_5-images"} {
		compareBatches(t, tiny(t, name, nil), someRequests(40, rand.New(rand.NewPCG(13, 4)), 64, 24, 24))
	}
}
