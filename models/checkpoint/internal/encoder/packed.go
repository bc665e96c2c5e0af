package encoder

import (
	"textmill/models"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// packed is the layout of cards: the tokens of all texts one behind the other, and no padding. Vectors are pooled in
// the graph, so that nothing else leaves the card.
type packed struct {
	*builder
	places string // the place of each token in its text
}

// A Card says what a graph for a card computes with.
type Card struct {
	// Elem is the type of weights and activations, Float16 or Float32: PackedMultiHeadAttention takes no other.
	Elem onnxgraph.Elem
	// Wide tells of which layers compute with fp32 all the same; those that it does not reach do not.
	Wide []bool
}

// CardGraph makes the graph for a card; see package models for what goes in and comes out.
func (m *Model) CardGraph(a weights.Arithmetic, c Card) *onnxgraph.Graph {
	b := m.builder("packed", a)
	b.take(c)
	b.layout = newPacked(b)
	b.finish(b.layers())
	return b.Graph.Graph
}

// PaddedCardGraph makes the graph for processors in the numbers of the one for a card, whose attention they lack: what
// those numbers cost can be measured there.
func (m *Model) PaddedCardGraph(a weights.Arithmetic, c Card) *onnxgraph.Graph {
	b := m.builder("padded", a)
	b.take(c)
	b.layout = newPadded(b)
	b.finish(b.layers())
	return b.Graph.Graph
}

// take has the layers compute with what a card says.
func (b *builder) take(c Card) {
	for i := range b.numbers {
		if i >= len(c.Wide) || !c.Wide[i] {
			b.numbers[i] = c.Elem
		}
	}
	b.Values = b.numbers[0]
}

func newPacked(b *builder) *packed {
	p := &packed{builder: b}
	b.Input(models.PackedIDs, onnxgraph.Int32, "tokens")
	p.places = b.Cast(b.Input(models.PackedPositions, onnxgraph.Int32, "tokens"), onnxgraph.Int64)
	b.Input(models.PackedOffsets, onnxgraph.Int32, "texts", "sequence")
	b.Input(models.PackedLengths, onnxgraph.Int32, "lengths")
	return p
}

func (p *packed) ids() string   { return models.PackedIDs }
func (p *packed) kinds() string { return p.Input(models.PackedTypes, onnxgraph.Int32, "tokens") }

func (p *packed) positions() string {
	return p.Node(onnxgraph.ONNX("Add"), []string{p.places, p.Ints("first_row", int64(p.m.positionOffset))})
}

func (p *packed) spread(rows string) string { return rows }
func (p *packed) axis() int                 { return 1 }

// rotate takes each token for a text of its own: the operator refuses a sequence longer than its table, and the tokens
// of all texts may be more.
func (p *packed) rotate(kind int, x string) string {
	x = p.turned(kind, p.Reshape(x, -1, 1, p.m.HiddenSize), p.Reshape(p.places, -1, 1))
	return p.Reshape(x, -1, p.m.HiddenSize)
}

// ruler looks each token's text up, which is what token_offset divided by its sequence counts.
func (p *packed) ruler() (places, lengths string) {
	before := p.Cast(models.PackedLengths, onnxgraph.Int64)
	of := p.Node(onnxgraph.ONNX("Sub"), []string{
		p.Node(onnxgraph.ONNX("Slice"), []string{before, p.Ints("one", 1), p.Ints("end", 1<<40)}),
		p.Node(onnxgraph.ONNX("Slice"), []string{before, p.Ints("zero", 0), p.Ints("minus_one", -1)})})
	sequence := p.Node(onnxgraph.ONNX("Shape"), []string{p.grid()}, onnxgraph.Int("start", 1), onnxgraph.Int("end", 2))
	tokens := p.Node(onnxgraph.ONNX("Shape"), []string{p.places})
	at := p.Reshape(p.Cast(p.grid(), onnxgraph.Int64), -1)
	at = p.Node(onnxgraph.ONNX("Slice"), []string{at, p.Ints("zero", 0), tokens})
	of = p.gather(of, p.Node(onnxgraph.ONNX("Div"), []string{at, sequence}))
	return p.Reshape(p.Cast(p.places, onnxgraph.Float32), -1, 1, 1), p.Reshape(p.Cast(of, onnxgraph.Float32), -1, 1, 1)
}

func (p *packed) grid() string { return models.PackedOffsets }

// attend knows no window, but what is added to the scores: layers that have it leave flash attention for CUTLASS'.
func (p *packed) attend(layer int, q, k, v string) string {
	inputs := []string{q, k, v, "", models.PackedOffsets, models.PackedLengths}
	if added := p.added(layer); added != "" {
		inputs = append(inputs, added)
	}
	return p.Node(onnxgraph.Contrib("PackedMultiHeadAttention"), inputs, onnxgraph.Int("num_heads", p.m.Heads))
}

func (p *packed) finish(rows string) {
	h := p.m.HiddenSize
	if p.Values != onnxgraph.Float32 {
		rows = p.Cast(rows, onnxgraph.Float32)
	}
	p.Output(models.PackedVectors, onnxgraph.Float32, "rows", h)
	p.NodeTo([]string{models.PackedVectors}, onnxgraph.ONNX("Mul"),
		[]string{p.sums(rows), p.Input(models.PackedShares, onnxgraph.Float32, "rows", 1)})

	p.Output(models.PackedGreatest, onnxgraph.Float32, "compared rows", h)
	compared := p.Input(models.PackedCompared, onnxgraph.Int32, "compared rows", "compared")
	p.NodeTo([]string{models.PackedGreatest}, onnxgraph.ONNX("ReduceMax"),
		[]string{p.gather(rows, compared), p.Ints("axis_1", 1)}, onnxgraph.Int("keepdims", 0))

	p.Output(models.PackedEach, onnxgraph.Float32, "kept", h)
	kept := p.Input(models.PackedKept, onnxgraph.Int32, "kept")
	p.NodeTo([]string{models.PackedEach}, onnxgraph.ONNX("Gather"), []string{rows, kept})
}

// sums adds lists of tokens' vectors in an order that goes by the list alone, however many stand for none behind it:
// steps of a list by halves, and the steps one after the other. Sums by matrices or by the library's reductions would
// come to other bits in other company.
func (p *packed) sums(rows string) string {
	h := p.m.HiddenSize
	none := p.Reshape(p.Floats("none", make([]float32, h)...), 1, h)
	lists := p.Input(models.PackedSummed, onnxgraph.Int32, "rows", "summed")
	x := p.gather(p.Node(onnxgraph.ONNX("Concat"), []string{rows, none}, onnxgraph.Int("axis", 0)), lists)
	x = p.Reshape(x, 0, -1, models.PackedStep, h)
	for n := models.PackedStep; n > 1; n /= 2 {
		x = p.Node(onnxgraph.ONNX("Add"), p.split(x, 2, 2))
	}
	x = p.Node(onnxgraph.ONNX("CumSum"), []string{p.Reshape(x, 0, -1, h), p.Scalar("steps_axis", 1)})
	return p.Node(onnxgraph.ONNX("Gather"), []string{x, p.Scalar("last", -1)}, onnxgraph.Int("axis", 1))
}
