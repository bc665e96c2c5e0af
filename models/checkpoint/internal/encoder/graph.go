package encoder

import (
	"fmt"

	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// builder holds the values that every layer uses.
type builder struct {
	*weights.Graph
	m      *Model
	mask   string // [batch, sequence], int32
	real   string // where in batch × sequence the real tokens are
	slot   string // for each of batch × sequence, which real token it is; padding takes any
	threeD string // shape [batch, sequence, −1]
}

// Graph makes the graph. All layers but attention work on the real tokens only, one row each: padding costs nothing there,
// whichever side it is on.
func (m *Model) Graph(a weights.Arithmetic) *onnxgraph.Graph {
	b := &builder{Graph: weights.NewGraph("encoder", a), m: m}
	ids := b.Input("input_ids", onnxgraph.Int64, "batch", "sequence")
	mask := b.Input("attention_mask", onnxgraph.Int64, "batch", "sequence")
	b.Output("last_hidden_state", onnxgraph.Float32, "batch", "sequence", m.HiddenSize)

	b.threeD = b.Node(onnxgraph.ONNX("Concat"), []string{b.Node(onnxgraph.ONNX("Shape"), []string{ids}), b.Ints("minus_one", -1)}, onnxgraph.Int("axis", 0))
	b.mask = b.Node(onnxgraph.ONNX("Cast"), []string{mask}, onnxgraph.Int("to", int(onnxgraph.Int32)))
	flat := b.Reshape(mask, -1)
	b.real = b.Reshape(b.Node(onnxgraph.ONNX("NonZero"), []string{flat}), -1)
	b.slot = b.ordinals(flat, 0, 0)

	x := b.embed(ids, mask)
	for i := range m.layers {
		x = b.layer(&m.layers[i], x)
	}
	x = b.Node(onnxgraph.ONNX("Reshape"), []string{b.gather(x, b.slot), b.threeD})
	b.NodeTo([]string{"last_hidden_state"}, onnxgraph.ONNX("Identity"), []string{x})
	return b.Graph.Graph
}

// ordinals numbers the ones of a mask along axis, from first on; zeros get some number in the same range.
func (b *builder) ordinals(mask string, axis, first int) string {
	n := b.Node(onnxgraph.ONNX("CumSum"), []string{mask, b.Ints(fmt.Sprint("axis_", axis), int64(axis))})
	n = b.Node(onnxgraph.ONNX("Max"), []string{n, b.Ints("one", 1)})
	return b.Node(onnxgraph.ONNX("Add"), []string{n, b.Ints(fmt.Sprint("shift_", first), int64(first-1))})
}

func (b *builder) gather(x, rows string) string {
	return b.Node(onnxgraph.ONNX("Gather"), []string{x, rows})
}

func (b *builder) embed(ids, mask string) string {
	m := b.m
	real := func(v string) string { return b.gather(b.Reshape(v, -1), b.real) }
	word := b.Rows(real(ids), m.Embedding)
	place := b.Rows(real(b.ordinals(mask, 1, m.positionOffset)), m.position)
	if m.kind != nil {
		kinds := b.Input("token_type_ids", onnxgraph.Int64, "batch", "sequence")
		place = b.Node(onnxgraph.ONNX("Add"), []string{place, b.Rows(real(kinds), m.kind)})
	}
	return b.norm(word, place, "", [2]onnxgraph.Stored{m.normWeight, m.normBias})
}

// norm normalizes x + added + bias, where bias may be "".
func (b *builder) norm(x, added, bias string, norm [2]onnxgraph.Stored) string {
	inputs := []string{x, added, b.Tensor(norm[0]), b.Tensor(norm[1])}
	if bias != "" {
		inputs = append(inputs, bias)
	}
	return b.Node(onnxgraph.Contrib("SkipLayerNormalization"), inputs, onnxgraph.Float("epsilon", b.m.Epsilon))
}

func (b *builder) layer(l *layer, x string) string {
	padded := func(l linear) string {
		v := b.gather(b.Linear(x, l.Matrix, b.Tensor(l.bias)), b.slot)
		return b.Node(onnxgraph.ONNX("Reshape"), []string{v, b.threeD})
	}
	a := b.Node(onnxgraph.Contrib("MultiHeadAttention"), []string{padded(l.q), padded(l.k), padded(l.v), "", b.mask}, onnxgraph.Int("num_heads", b.m.Heads))
	a = b.gather(b.Reshape(a, -1, b.m.HiddenSize), b.real)
	x = b.norm(b.Linear(a, l.o.Matrix, ""), x, b.Tensor(l.o.bias), l.attentionNorm)
	up := b.Node(onnxgraph.Contrib(activations[b.m.Activation]), []string{b.Linear(x, l.up.Matrix, ""), b.Tensor(l.up.bias)})
	return b.norm(b.Linear(up, l.down.Matrix, ""), x, b.Tensor(l.down.bias), l.lastNorm)
}
