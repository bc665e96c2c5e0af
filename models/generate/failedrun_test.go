package generate

import (
	"slices"
	"testing"

	"textmill/models/checkpoint"
)

// A run that fails, one in which a slot is idle, and what the slot held of another text leave a text's states as they are.
func TestFailedAndIdleRunsLeaveStates(t *testing.T) {
	spec := Imported(t, Testdata+"/tiny/lfm2", checkpoint.FP32)
	g, err := load(t.Context(), spec, Options{Session: FreshSession(t), Slots: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer g.run.close() //nolint:errcheck // of a test
	if g.shares || g.Dependence() != "" {
		t.Errorf("prompts share their beginnings: %t; %s", g.shares, g.Dependence())
	}
	prompt := []int32{5, 6, 7, 8, 9}
	begin := func(slot int) {
		t.Helper()
		if _, err := g.run.prefill(t.Context(), slot, 0, prompt, false); err != nil {
			t.Fatal(err)
		}
	}
	// step runs all slots, of which those without a row are idle: a run of one size has one arithmetic.
	step := func(of map[int]row) ([]scored, error) {
		rows := make([]row, g.o.Slots)
		for slot := range rows {
			if rows[slot] = (row{used: 6, id: 40, idle: true}); of[slot] != (row{}) {
				rows[slot] = of[slot]
			}
		}
		return g.run.decode(t.Context(), 0, rows)
	}
	logits := func(slot int, r row) []float32 {
		t.Helper()
		next, err := step(map[int]row{slot: r})
		if err != nil {
			t.Fatal(err)
		}
		return slices.Clone(next[slot].logits)
	}
	text, further := row{used: len(prompt), id: 11}, row{used: len(prompt) + 1, id: 12}
	begin(0)
	logits(0, text)
	want := logits(0, further)

	begin(0) // the slot holds another's states, which count for nothing
	begin(1)
	none := row{used: 5, id: int32(spec.Decoder.VocabSize)} // a token that the model does not have
	if _, err := step(map[int]row{0: text, 1: none}); err == nil {
		t.Fatal("the run did not fail")
	}
	logits(1, row{used: 5, id: 3})
	logits(0, text)
	if err := g.run.move(3, 0, further.used); err != nil {
		t.Fatal(err)
	}
	for _, slot := range []int{0, 3} {
		if got := logits(slot, further); !slices.Equal(got, want) {
			t.Errorf("in slot %d the text goes on in another way", slot)
		}
	}
}
