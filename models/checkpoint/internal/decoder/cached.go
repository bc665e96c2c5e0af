package decoder

import (
	"fmt"

	"textmill/models/checkpoint/onnxgraph"
)

// cached is the layout of graphs that generate: texts are rows of [batch, sequence], whose earlier tokens caches hold.
type cached struct {
	*builder
	input     string
	positions string // which of the tokens are scored
	threeD    string // shape [batch, sequence, −1]
	lengths   string
	total     string

	width, fresh, begins string // see carries
	own                  string // of each token whether it is the text's: 1 or 0; "" until asked for
}

func newCached(b *builder) *cached {
	c := &cached{builder: b}
	b.cached = c
	c.input = b.Input(InputIDs, onnxgraph.Int64, "batch", "sequence")
	c.lengths = b.Input(SeqLens, onnxgraph.Int32, "batch")
	c.total = b.Input(TotalLength, onnxgraph.Int32, 1)
	c.positions = b.Input(LogitsPositions, onnxgraph.Int64, "logits")
	c.threeD = b.Node(onnxgraph.ONNX("Concat"), []string{b.Node(onnxgraph.ONNX("Shape"), []string{c.input}),
		b.Ints("minus_one", -1)}, onnxgraph.Int("axis", 0))
	if len(b.m.States()) > 0 {
		c.carries()
	}
	if b.long {
		b.places = c.placesFrom(b.Input(RotaryStart, onnxgraph.Int64, "batch"))
	}
	return c
}

// placesFrom counts on from what the caches hold, which is nothing where a prompt begins.
func (c *cached) placesFrom(start string) string {
	node := func(op string, inputs ...string) string { return c.Node(onnxgraph.ONNX(op), inputs) }
	width := node("Gather", node("Shape", c.input), c.Scalar("sequence_axis", 1))
	held := node("Sub", node("Add", c.Cast(c.lengths, onnxgraph.Int64), c.Ints("one", 1)), width)
	first := node("Add", node("Max", held, c.Ints("zero", 0)), start)
	return node("Add", c.Reshape(first, -1, 1), node("Range", c.Scalar("from", 0), width, c.Scalar("step", 1)))
}

func (c *cached) tables() (all [][2]string) {
	for _, t := range c.m.turns {
		all = append(all, [2]string{c.Weight(t.cos), c.Weight(t.sin)})
	}
	return all
}

func (c *cached) ids() string { return c.Reshape(c.input, -1) }

func (c *cached) spread(rows string, _ int) string {
	return c.Node(onnxgraph.ONNX("Reshape"), []string{rows, c.threeD})
}

func (c *cached) attend(i int, inputs []string, attrs []onnxgraph.Attr) string {
	m := c.m
	pastKey, pastValue, key, value := fmt.Sprintf(PastKey, i), fmt.Sprintf(PastValue, i), fmt.Sprintf(PresentKey, i),
		fmt.Sprintf(PresentValue, i)
	for _, past := range []string{pastKey, pastValue} {
		c.Input(past, c.Values, "batch", m.KVHeads, "max_length", m.HeadSize)
	}
	for _, present := range []string{key, value} {
		c.Output(present, c.Values, "batch", m.KVHeads, "max_length", m.HeadSize)
	}
	inputs[3], inputs[4], inputs[5], inputs[6] = pastKey, pastValue, c.lengths, c.total
	if w := m.window(i); w > 0 {
		attrs = append(attrs, onnxgraph.Int("local_window_size", w))
	}
	out := "attention_" + key
	c.NodeTo([]string{out, key, value}, onnxgraph.Contrib("GroupQueryAttention"), inputs, attrs...)
	return c.Reshape(out, -1, m.Heads*m.HeadSize)
}
