package generate

import (
	"fmt"
	"path/filepath"
	"testing"

	"textmill/models"
	"textmill/models/internal/onnx"
	"textmill/models/session"
)

// BenchmarkRun measures single runs of the graphs: a decode of so many rows, a part of a prompt of so many tokens.
func BenchmarkRun(b *testing.B) {
	o, err := session.Options{}.WithDefaults()
	if err != nil {
		b.Fatal(err)
	}
	if err := onnx.Load(o.Library); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct{ name, graph string }{{"fp32", ""}, {"as-is", "model.onnx"}, {"as-is", "model_int8.onnx"}} {
		spec, err := models.OpenGraph(SmolLM2(b, c.name), c.graph)
		if err != nil {
			b.Fatal(err)
		}
		run, err := openSlotted(spec, Options{Session: o})
		if err != nil {
			b.Fatal(err)
		}
		if err := run.reserve(64, 512); err != nil {
			b.Fatal(err)
		}
		name := c.name + filepath.Base(spec.Graph)
		for _, rows := range []int{2, 4, 8, 16, 24, 32, 48, 64} {
			b.Run(fmt.Sprintf("%s/decode=%d", name, rows), func(b *testing.B) {
				line := make([]row, rows)
				for i := range line {
					line[i] = row{used: 100, id: int32(1000 + i)}
				}
				for b.Loop() {
					if _, err := run.decode(b.Context(), 0, line); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
		for _, width := range []int{4, 8, 16, 32, 64, 128, 256} {
			b.Run(fmt.Sprintf("%s/prefill=%d", name, width), func(b *testing.B) {
				ids := make([]int32, width)
				for i := range ids {
					ids[i] = int32(1000 + i)
				}
				for b.Loop() {
					if _, err := run.prefill(b.Context(), 0, 0, ids, false); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(width*b.N)/b.Elapsed().Seconds(), "tokens/s")
			})
		}
		if err := run.close(); err != nil {
			b.Fatal(err)
		}
	}
}
