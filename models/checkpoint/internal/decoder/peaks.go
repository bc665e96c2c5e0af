package decoder

import (
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// The outputs of Peaks: the greatest magnitude among the values of the stream, of those of MLPs and of all others, of
// each layer and of what follows the last one, [layers + 1].
const (
	StreamPeaks = "stream_peaks"
	MLPPeaks    = "mlp_peaks"
	OtherPeaks  = "other_peaks"
)

// watched are the values whose magnitudes are sought.
type watched struct {
	stream, mlp, other byLayer
	inMLP              bool
}

func (w *watched) next() {
	w.stream, w.mlp, w.other, w.inMLP = append(w.stream, nil), append(w.mlp, nil), append(w.other, nil), false
}

func (w *watched) inner() byLayer {
	if w.inMLP {
		return w.mlp
	}
	return w.other
}

// byLayer are names of values, those of each layer together.
type byLayer [][]string

func (b byLayer) add(value string) { b[len(b)-1] = append(b[len(b)-1], value) }

// Peaks makes the graph for processors with outputs that tell how large the values inside of it become.
func (m *Model) Peaks() *onnxgraph.Graph {
	b := &builder{Graph: weights.NewGraph("peaks", weights.Floats), m: m, watched: &watched{}}
	b.watched.next()
	hidden := b.hidden()
	b.logits(hidden)
	b.peaks(StreamPeaks, b.watched.stream)
	b.peaks(MLPPeaks, b.watched.mlp)
	b.peaks(OtherPeaks, b.watched.other)
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
		if len(greatest) == 0 { // no MLP follows the last layer
			all = append(all, b.Floats("no_peak", 0))
			continue
		}
		all = append(all, b.Reshape(b.Node(onnxgraph.ONNX("Max"), greatest), 1))
	}
	b.Output(name, onnxgraph.Float32, len(layers))
	b.NodeTo([]string{name}, onnxgraph.ONNX("Concat"), all, onnxgraph.Int("axis", 0))
}
