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

// Where memory holds the states of few texts, the probe takes no more of them.
func TestProbeHoldsNoMoreStatesThanMemory(t *testing.T) {
	g := open(t, tiny(t, "qwen3_5", nil), generate.Options{Session: generate.FreshSession(t), Slots: 4, Memory: 256 << 10}) // 9,600 bytes a text, twice
	if got := g.Company(); got.RateRows != 13 || !got.Runs.Holds() {
		t.Errorf("%+v", got)
	}
	row := readReference(t, "qwen3_5")[0]
	request := generate.Request{Prompt: row.IDs, Params: generate.Params{MaxNewTokens: len(row.Greedy), IgnoreEOS: true}}
	if got := all(t, g, []generate.Request{request})[0].IDs; !slices.Equal(got, row.Greedy) {
		t.Errorf("the text is %v, want %v", got, row.Greedy)
	}
}

// What a probe found with few texts does not count where memory holds more; what it found with all counts everywhere.
func TestProbeOfFewTextsIsMadeAgainWithMore(t *testing.T) {
	o, spec := generate.FreshSession(t), tiny(t, "qwen3_5", nil)
	for i, c := range []struct {
		memory int64
		rows   int // that decodes were compared with; 0 for all
	}{{256 << 10, 13}, {240 << 10, 13}, {0, 0}, {256 << 10, 0}} {
		got := open(t, spec, generate.Options{Session: o, Slots: 2, Memory: c.memory}).Company()
		if got.Rows != c.rows || !got.Runs.Holds() {
			t.Errorf("session %d: %+v, want %d rows", i, got, c.rows)
		}
	}
}
