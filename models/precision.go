package models

import "textmill/models/internal/graph"

// precisionOf says what a graph for processors computes with.
func precisionOf(g *graph.Graph) string {
	switch {
	case g.Has("MatMulNBits"):
		return "blocks" // of few bits, as MatMulNBits has them
	case quantized(g) || batchDependent(g):
		return "int8"
	case g.Weights[graph.Float16] > g.Weights[graph.Float32]:
		return FP16
	case g.Weights[graph.BFloat16] > g.Weights[graph.Float32]:
		return BF16
	}
	return "fp32"
}

// settlePrecision says what is known better than the graph says it.
func (s *Spec) settlePrecision() {
	switch {
	case s.Card != nil:
		s.Precision = s.Card.Precision
	case s.Decoder != nil && s.Decoder.Precision != "":
		s.Precision = s.Decoder.Precision
	}
}
