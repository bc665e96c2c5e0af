package encoder

import (
	"fmt"

	"textmill/models/checkpoint/internal/alone"
	"textmill/models/checkpoint/onnxgraph"
)

// padded is the layout of processors: texts are rows of [batch, sequence], filled up to the longest. All layers but
// attention work on the real tokens only: padding costs nothing there, whichever side it is on.
type padded struct {
	*builder
	input  string
	asked  string // attention_mask
	mask   string // the same as int32
	real   string // where in batch × sequence the real tokens are
	slot   string // for each of batch × sequence, which real token it is; padding takes any
	threeD string // shape [batch, sequence, −1]
}

func newPadded(b *builder) *padded {
	p := &padded{builder: b}
	p.input = b.Input("input_ids", onnxgraph.Int64, "batch", "sequence")
	p.asked = b.Input("attention_mask", onnxgraph.Int64, "batch", "sequence")
	b.Output("last_hidden_state", onnxgraph.Float32, "batch", "sequence", b.m.HiddenSize)

	p.threeD = b.Node(onnxgraph.ONNX("Concat"), []string{b.Node(onnxgraph.ONNX("Shape"), []string{p.input}),
		b.Ints("minus_one", -1)}, onnxgraph.Int("axis", 0))
	p.mask = b.Cast(p.asked, onnxgraph.Int32)
	flat := b.Reshape(p.asked, -1)
	p.real = b.Reshape(b.Node(onnxgraph.ONNX("NonZero"), []string{flat}), -1)
	p.slot = p.ordinals(flat, 0, 0)
	return p
}

// ordinals numbers the ones of a mask along axis, from first on; zeros get some number in the same range.
func (p *padded) ordinals(mask string, axis, first int) string {
	n := p.Node(onnxgraph.ONNX("CumSum"), []string{mask, p.Ints(fmt.Sprint("axis_", axis), int64(axis))})
	n = p.Node(onnxgraph.ONNX("Max"), []string{n, p.Ints("one", 1)})
	return p.Node(onnxgraph.ONNX("Add"), []string{n, p.Ints(fmt.Sprint("shift_", first), int64(first-1))})
}

func (p *padded) ofReal(v string) string { return p.gather(p.Reshape(v, -1), p.real) }

func (p *padded) ids() string       { return p.ofReal(p.input) }
func (p *padded) positions() string { return p.ofReal(p.ordinals(p.asked, 1, p.m.positionOffset)) }

func (p *padded) kinds() string {
	return p.ofReal(p.Input("token_type_ids", onnxgraph.Int64, "batch", "sequence"))
}

func (p *padded) spread(rows string) string {
	return p.Node(onnxgraph.ONNX("Reshape"), []string{p.gather(rows, p.slot), p.threeD})
}

func (p *padded) axis() int { return 2 }

// rotate goes by the place in the padded row: only the distance of two tokens counts.
func (p *padded) rotate(kind int, x string) string {
	return p.turned(kind, x, p.Ints("first_position", 0))
}

func (p *padded) ruler() (places, lengths string) {
	lengths = p.Node(onnxgraph.ONNX("ReduceSum"), []string{p.asked, p.Ints("axis_1", 1)}, onnxgraph.Int("keepdims", 1))
	places, lengths = p.Cast(p.along(), onnxgraph.Float32), p.Cast(lengths, onnxgraph.Float32)
	return p.Reshape(places, 1, -1, 1), p.Reshape(lengths, -1, 1, 1)
}

func (p *padded) grid() string { return p.input }

func (p *padded) attend(layer int, q, k, v string) string {
	how := alone.Attention{Heads: p.m.Heads, Size: p.m.HiddenSize / p.m.Heads}
	if p.m.rotation.near(layer) {
		how.Reach = p.m.rotation.reach
		p.long.Reaching(how.Reach)
	}
	inputs := []string{q, k, v, "", p.mask}
	if added := p.added(layer); added != "" {
		inputs = append(inputs, added)
	}
	return p.long.Or(p.Values, func() string { return p.long.Attend(q, k, v, how) }, func() string {
		a := p.Node(onnxgraph.Contrib("MultiHeadAttention"), inputs, onnxgraph.Int("num_heads", p.m.Heads))
		return p.gather(p.Reshape(a, -1, p.m.HiddenSize), p.real)
	})
}

func (p *padded) finish(rows string) {
	if rows = p.spread(rows); p.Values != onnxgraph.Float32 {
		rows = p.Cast(rows, onnxgraph.Float32)
	}
	p.NodeTo([]string{"last_hidden_state"}, onnxgraph.ONNX("Identity"), []string{rows})
}
