package checkpoint_test

import (
	"errors"
	"math"
	"testing"

	"textmill/models/checkpoint"
	"textmill/models/checkpoint/internal/decoder"
	"textmill/models/checkpoint/onnxgraph"
)

// decoders have all that graphs for cards are made of; what other families differ in, fp32 shows.
var decoders = []string{"llama", "llama3", "mistral", "qwen2", "qwen3", "smollm3", "gemma2", "gemma3", "granite", "olmo3", "glm4"}

// A decoder's graph for a card, on the processor: in fp32 it computes what the processor's does. In 16 bits a logit is
// off by what rounding a value to 11 or 8 bits is apart at a few dozen places one behind the other, which grows as the root of
// their number, so of that of the layers; and where the two
// likeliest tokens are no closer than that, the same one is found. The token is the likeliest one of its own logits.
func TestCardsDecodersComputeWhatTheProcessorsDoes(t *testing.T) {
	for _, c := range []struct {
		file string
		card decoder.Card
		off  float64 // parts of the greatest logit, with two layers
	}{
		{"onnx/fp32.onnx", decoder.Card{Elem: onnxgraph.Float32}, 1e-6},
		{"onnx/fp32wide.onnx", decoder.Card{Elem: onnxgraph.Float32, Wide: true}, 1e-6},
		{"onnx/fp16.onnx", decoder.Card{Elem: onnxgraph.Float16}, 16 / 2048.0},
		{"onnx/fp16wide.onnx", decoder.Card{Elem: onnxgraph.Float16, Wide: true}, 16 / 2048.0},
		{"onnx/fp16islands.onnx", decoder.Card{Elem: onnxgraph.Float16, MLPs: []bool{false, true}}, 16 / 2048.0},
		{"onnx/rounded.onnx", decoder.Card{Elem: onnxgraph.Float16, Rounded: true}, 16 / 2048.0},
		{"onnx/bf16.onnx", decoder.Card{Elem: onnxgraph.BFloat16, Rounded: true}, 16 / 256.0},
		{"onnx/bf16wide.onnx", decoder.Card{Elem: onnxgraph.BFloat16, Rounded: true, Wide: true}, 16 / 256.0},
	} {
		names := decoders
		if c.card.Elem == onnxgraph.Float32 {
			names = provedBy("logits")
		}
		for _, name := range names {
			t.Run(c.file+"/"+name, func(t *testing.T) {
				dir := importTiny(t, name, checkpoint.FP32).Dir
				err := checkpoint.WriteDecoderCard(t.Context(), dir, c.file, c.card)
				if len(openBundle(t, dir).Decoder.States) > 0 {
					if !errors.Is(err, checkpoint.ErrNoCard) {
						t.Errorf("a decoder with states: %v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				rows := readReference(t, name)
				plain, card := openSlots(t, dir, 0, len(rows), 32), openSlotsOf(t, dir, c.file, 0, len(rows), 32)
				apart, off := false, c.off*math.Sqrt(float64(plain.d.Layers)/2)
				check := func(first int, ids [][]int64) {
					t.Helper()
					want, got := plain.run(first, ids, true), card.run(first, ids, true)
					for i := range want {
						most := 0.0
						for _, v := range want[i] {
							most = max(most, math.Abs(float64(v)))
						}
						d := far(got[i], want[i])
						if apart = apart || d > 0; !(d <= off*most) {
							t.Errorf("row %d: logits of up to %g are off by %g", i, most, d)
						}
						best := argmax(want[i])
						if card.tokens[i] != argmax(got[i]) {
							t.Errorf("row %d: token %d, the logits say %d", i, card.tokens[i], argmax(got[i]))
						}
						if lead := want[i][best] - want[i][card.tokens[i]]; float64(lead) > 2*d {
							t.Errorf("row %d: token %d, though %d leads it by %g", i, card.tokens[i], best, lead)
						}
					}
				}
				var prompts [][]int64
				for _, r := range rows {
					prompts = append(prompts, r.IDs)
				}
				check(0, prompts)
				clear(plain.used)
				clear(card.used)
				first := rows[0].IDs
				check(1, [][]int64{first[:3]})
				check(1, [][]int64{first[3:6]})
				check(0, [][]int64{rows[1].IDs[:1]})
				for i := 6; i < len(first); i++ {
					check(0, [][]int64{rows[1].IDs[1:2], first[i : i+1]})
				}
				if c.off > 1e-3 && !apart {
					t.Error("nothing was rounded")
				}
			})
		}
	}
}
