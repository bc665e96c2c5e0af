package encoder

import (
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// PeaksOutput is the output of Peaks: the greatest magnitude among the values of each layer, [layers].
const PeaksOutput = "peaks"

// Peaks makes the graph for processors with an output that tells how large the values inside of it become.
func (m *Model) Peaks(a weights.Arithmetic) *onnxgraph.Graph {
	b := m.builder("peaks", a)
	b.watched = make([][]string, len(m.layers))
	b.layout = newPadded(b)
	b.finish(b.layers())
	var layers []string
	for _, values := range b.watched {
		var greatest []string
		for _, v := range values {
			v = b.Node(onnxgraph.ONNX("Abs"), []string{b.Reshape(v, -1)})
			greatest = append(greatest, b.Node(onnxgraph.ONNX("ReduceMax"), []string{v}))
		}
		layers = append(layers, b.Node(onnxgraph.ONNX("Max"), greatest))
	}
	b.Output(PeaksOutput, onnxgraph.Float32, len(m.layers))
	b.NodeTo([]string{PeaksOutput}, onnxgraph.ONNX("Concat"), layers, onnxgraph.Int("axis", 0))
	return b.Graph.Graph
}
