package decoder

import (
	"slices"

	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// Names of what a graph for a card has beside the inputs and outputs above.
const (
	Token       = "token"
	Temperature = "temperature"
	TopLogits   = "top_logits"
	TopIDs      = "top_ids"
	LogSum      = "log_sum"
	LogSumAt    = "log_sum_at"
)

// A Card says what a graph for a card computes with.
type Card struct {
	// Elem is the type of weights, activations and caches. CUDA's attention takes Float16 and BFloat16; with Float32 the
	// graph runs on processors only.
	Elem onnxgraph.Elem
	// Wide keeps the stream between layers and its norms in fp32, for models whose stream overflows Elem.
	Wide bool
	// MLPs tells of which layers the MLP computes with fp32, for those whose values overflow Elem. The stream is wide
	// then.
	MLPs []bool
	// Rounded computes in fp32 and rounds weights and values to Elem, for processors, which have no kernels for BFloat16.
	// Keys are rounded before they are rotated, not after.
	Rounded bool
}

// CardGraph makes the graph for a card, which see package checkpoint: the processor's, with fp32 logits of a head that
// computes with Elem, and with the choice of the likeliest token. Its weights are those that Store stored.
func (m *Model) CardGraph(c Card) *onnxgraph.Graph {
	b := &builder{Graph: weights.NewGraph("decoder", weights.Floats), m: m, mlps: c.MLPs}
	b.wide = c.Wide || slices.Contains(c.MLPs, true)
	b.Values = c.Elem
	if c.Rounded {
		b.Values, b.Rounded = onnxgraph.Float32, c.Elem
	}
	b.Output(Logits, onnxgraph.Float32, "logits", m.VocabSize)
	b.Output(Token, onnxgraph.Int64, "logits")
	hidden := b.hidden()
	scores := b.logits(hidden)
	b.NodeTo([]string{Logits}, onnxgraph.ONNX("Cast"), []string{scores}, onnxgraph.Int("to", int(onnxgraph.Float32)))
	b.choose(b.Cast(hidden, onnxgraph.Float32))
	return b.Graph.Graph
}

// choose gives the lowest of the likeliest tokens of each row. Operators that give an index promise nothing of equals
// on a card, and equals are common among numbers of 16 bits: so the least of their ids is sought, as an fp32, which
// holds every id exactly. Where the hidden row or the greatest logit is no number, VocabSize is the token.
func (b *builder) choose(hidden string) {
	vocab := b.m.VocabSize
	last, keep := b.Ints("axis_1", 1), onnxgraph.Int("keepdims", 1)
	none := b.Floats("no_token", float32(vocab))
	top := b.Node(onnxgraph.ONNX("ReduceMax"), []string{Logits, last}, keep)
	best := b.Node(onnxgraph.ONNX("Equal"), []string{Logits, top})
	all := b.Node(onnxgraph.ONNX("Range"), []string{b.Scalar("first_token", 0), b.Scalar("tokens", int64(vocab)),
		b.Scalar("next_token", 1)}) // made once, when the graph is loaded
	ids := b.Node(onnxgraph.ONNX("Where"), []string{best, b.Cast(all, onnxgraph.Float32), none})
	id := b.Node(onnxgraph.ONNX("ReduceMin"), []string{ids, last}, keep)
	// What is no number is not even itself, nor is infinity less itself.
	sum := b.Node(onnxgraph.ONNX("ReduceSum"), []string{hidden, last}, keep)
	sum = b.Node(onnxgraph.ONNX("Add"), []string{sum, top})
	zero := b.Node(onnxgraph.ONNX("Sub"), []string{sum, sum})
	sound := b.Node(onnxgraph.ONNX("Equal"), []string{zero, zero})
	id = b.Node(onnxgraph.ONNX("Where"), []string{sound, id, none})
	b.NodeTo([]string{Token}, onnxgraph.ONNX("Cast"), []string{b.Reshape(id, -1)},
		onnxgraph.Int("to", int(onnxgraph.Int64)))
}

// ChoiceGraph makes the graph that takes from the logits of a card's graph, which stay on the card, what drawing a
// token needs: the k greatest and the logarithms of the sums of all, as they are and divided by a temperature. It is a
// graph of its own so that runs in which every text takes its likeliest token do not pay for it.
func ChoiceGraph(vocab, k int) *onnxgraph.Graph {
	b := weights.NewGraph("choice", weights.Floats)
	logits := b.Input(Logits, onnxgraph.Float32, "rows", vocab)
	temperature := b.Input(Temperature, onnxgraph.Float32, "rows")
	last, keep := b.Ints("axis_1", 1), onnxgraph.Int("keepdims", 1)
	ids := "top_ids_64"
	b.NodeTo([]string{TopLogits, ids}, onnxgraph.ONNX("TopK"), []string{logits, b.Ints("k", int64(k))})
	b.Output(TopLogits, onnxgraph.Float32, "rows", k)
	b.NodeTo([]string{TopIDs}, onnxgraph.ONNX("Cast"), []string{ids}, onnxgraph.Int("to", int(onnxgraph.Int32)))
	b.Output(TopIDs, onnxgraph.Int32, "rows", k)
	top := b.Node(onnxgraph.ONNX("ReduceMax"), []string{TopLogits, last}, keep)
	below := b.Node(onnxgraph.ONNX("Sub"), []string{logits, top})
	sum := func(name, below, top string) {
		s := b.Node(onnxgraph.ONNX("ReduceSum"), []string{b.Node(onnxgraph.ONNX("Exp"), []string{below}), last}, keep)
		s = b.Node(onnxgraph.ONNX("Add"), []string{b.Node(onnxgraph.ONNX("Log"), []string{s}), top})
		b.NodeTo([]string{name}, onnxgraph.ONNX("Reshape"), []string{s, b.Ints("flat", -1)})
		b.Output(name, onnxgraph.Float32, "rows")
	}
	sum(LogSum, below, top)
	t := b.Reshape(temperature, -1, 1)
	sum(LogSumAt, b.Node(onnxgraph.ONNX("Div"), []string{below, t}), b.Node(onnxgraph.ONNX("Div"), []string{top, t}))
	return b.Graph
}
