package generate_test

import (
	"fmt"
	"testing"

	"textmill/models/checkpoint"
	"textmill/models/generate"
)

// BenchmarkGenerate makes 56 texts of up to 128 tokens and reports new tokens a second, prompts' work counted.
func BenchmarkGenerate(b *testing.B) {
	goldens := readGolden(b)
	for _, c := range []struct{ precision, graph string }{{checkpoint.FP32, ""}, {checkpoint.AsIs, "model.onnx"}, {checkpoint.AsIs, "model_int8.onnx"}} {
		for _, slots := range []int{2, 8, 16, 32, 64} {
			b.Run(fmt.Sprintf("%s/%s/slots=%d", c.precision, c.graph, slots), func(b *testing.B) {
				g := open(b, smolLM2(b, c.precision, c.graph), generate.Options{Slots: slots})
				var requests []generate.Request
				for _, one := range append(goldens, goldens...) {
					requests = append(requests, generate.Request{Prompt: one.PromptIDs, Params: generate.Params{MaxNewTokens: 128}})
				}
				tokens := 0
				for b.Loop() {
					for _, r := range all(b, g, requests) {
						tokens += len(r.IDs)
					}
				}
				b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
	}
}
