package generate_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"textmill/models/generate"
)

// longrope's long texts are rotated in another way from their first token on: with original_max_position_embeddings of 16, texts of the
// tiny Phi-3 become long as they go on, or are from the beginning. All together they are what transformers makes of each.
func TestTextsThatOutgrowTheOriginalPositionsAreTransformers(t *testing.T) {
	rows := readReference(t, "phi3-long")
	spec := tiny(t, "phi3-long", nil)
	original := spec.Decoder.OriginalPositions
	var requests []generate.Request
	short := 0
	for _, r := range rows {
		if len(r.IDs) <= original && len(r.IDs)+len(r.Greedy) > original {
			short++
		}
		requests = append(requests, generate.Request{Prompt: r.IDs, Params: generate.Params{MaxNewTokens: len(r.Greedy), IgnoreEOS: true}})
	}
	if short < 2 || short == len(rows) {
		t.Fatalf("%d of %d texts become long", short, len(rows))
	}
	for i, got := range all(t, open(t, spec, generate.Options{Slots: 4}), requests) {
		if !slices.Equal(got.IDs, rows[i].Greedy) {
			t.Errorf("text %d is %v, want %v", i, got.IDs, rows[i].Greedy)
		}
	}
}

func TestTextsThatOutgrowTheOriginalPositionsDoNotDependOnCompany(t *testing.T) {
	spec := tiny(t, "phi3-long", nil)
	compareBatches(t, spec, someRequests(40, rand.New(rand.NewPCG(13, 4)), 64, 24, 24))

	// Those that make room for others' come to the same bits, whether they had become long by then or not.
	const length = 90
	requests := someRequests(12, rand.New(rand.NewPCG(7, 8)), 64, 12, 1)
	for i := range requests {
		r := &requests[i]
		r.Params.MaxNewTokens, r.Params.IgnoreEOS = length, true
	}
	want := all(t, open(t, spec, generate.Options{Slots: 4}), requests)
	rows := 0
	o := generate.Options{Slots: 4, Observe: func(s generate.RunStats) {
		if s.New > 0 || s.Rows > 1 {
			rows += s.Rows
		}
	}}
	_, results := crowded(t, open(t, spec, o), requests)
	for i, got := range results {
		if !sameText(got, want[i]) {
			t.Errorf("text %d became\n%v %v, %v, was\n%v %v", i, got.IDs, got.Logprobs, got.Err, want[i].IDs, want[i].Logprobs)
		}
	}
	if rows <= len(requests)*(length-1)+4*3 {
		t.Errorf("%d rows ran: did nobody make room?", rows)
	}
}
