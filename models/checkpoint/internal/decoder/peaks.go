package decoder

import (
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// The outputs of Peaks: the greatest magnitude among the values of the stream, and of those within layers, of each
// layer and of what follows the last one, [layers + 1].
const (
	StreamPeaks = "stream_peaks"
	InnerPeaks  = "inner_peaks"
)

// watched are the values whose magnitudes are sought.
type watched struct{ stream, inner byLayer }

func (w *watched) next() { w.stream, w.inner = append(w.stream, nil), append(w.inner, nil) }

// byLayer are names of values, those of each layer together.
type byLayer [][]string

func (b byLayer) add(value string) { b[len(b)-1] = append(b[len(b)-1], value) }

// Peaks makes the graph for processors with outputs that tell how large the values inside of it become.
func (m *Model) Peaks() *onnxgraph.Graph {
	b := &builder{Graph: weights.NewGraph("peaks", weights.Floats), m: m, watched: &watched{}}
	b.watched.next()
	hidden := b.hidden()
	b.inner(b.Linear(hidden, m.head, ""))
	b.peaks(StreamPeaks, b.watched.stream)
	b.peaks(InnerPeaks, b.watched.inner)
	return b.Graph.Graph
}

func (b *builder) peaks(name string, layers byLayer) {
	var all []string
	for _, values := range layers {
		var greatest []string
		for _, v := range values {
			v = b.Node(onnxgraph.ONNX("Abs"), []string{b.Reshape(v, -1)})
			greatest = append(greatest, b.Node(onnxgraph.ONNX("ReduceMax"), []string{v}))
		}
		all = append(all, b.Node(onnxgraph.ONNX("Max"), greatest))
	}
	b.Output(name, onnxgraph.Float32, len(layers))
	b.NodeTo([]string{name}, onnxgraph.ONNX("Concat"), all, onnxgraph.Int("axis", 0))
}
