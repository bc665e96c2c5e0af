package decoder

import (
	"encoding/binary"
	"fmt"
	"io"

	"textmill/models/checkpoint/onnxgraph"
)

// A State is what a layer keeps of a text beside keys and values, of one size however long the text is.
type State struct {
	Name string
	Dims []int
}

// The names of a state's input and output take its own.
const (
	PastState    = "past_state."
	PresentState = "present_state."
)

// States are those of all layers.
func (c *Config) States() (all []State) {
	for i := range c.Layers {
		switch {
		case c.Convolves(i):
			all = append(all, c.stateOf(i))
		case c.Deltas(i):
			mixed, memory := c.deltaStates(i)
			all = append(all, mixed, memory)
		}
	}
	return all
}

// Attends tells whether the layer has attention, and so keys and values.
func (c *Config) Attends(layer int) bool { return !c.Convolves(layer) && !c.Deltas(layer) }

// checkAttention has a layer know how long the text is.
func (c *Config) checkAttention() error {
	for i := range c.Layers {
		if c.Attends(i) {
			return nil
		}
	}
	return fmt.Errorf("%w: no layer has attention", ErrUnsupported)
}

// taps are what each of the last tokens is multiplied with in a convolution over single dimensions, the oldest first.
func (p *part) taps(name string, width, kernel int) (all []onnxgraph.Stored) {
	name = p.at + name
	var values []float32
	if p.err == nil {
		values, p.err = p.s.Values(name+".weight", width, kernel)
	}
	for j := range kernel {
		if p.err != nil {
			return nil
		}
		var tap onnxgraph.Stored
		tap, p.err = p.s.StoreFloats(fmt.Sprintf("%s.%d", name, j), []int{width}, func(w io.Writer) error {
			row := make([]float32, width)
			for i := range row {
				row[i] = values[i*kernel+j]
			}
			return binary.Write(w, binary.LittleEndian, row)
		})
		all = append(all, tap)
	}
	return all
}

// mix adds to each row those of the tokens before, each times its tap, where the state holds what came before the run.
func (b *builder) mix(s State, taps []onnxgraph.Stored, rows string) (sum string) {
	node := func(op string, inputs ...string) string { return b.Node(onnxgraph.ONNX(op), inputs) }
	all := b.cached.behind(s, rows)
	for j, tap := range taps {
		from := b.Ints(fmt.Sprintf("from_%d", j), int64(j))
		y := node("Mul", node("Slice", all, from, node("Add", from, b.cached.width), b.Ints("axis_1", 1)), b.Weight(tap))
		if sum == "" {
			sum = y
			continue
		}
		sum = node("Add", sum, y)
	}
	return b.Reshape(sum, -1, s.Dims[1])
}

// carry gives what the state holds of the tokens before, and the name of what it is to hold afterwards. Where a text
// begins, what it holds counts for nothing.
func (c *cached) carry(s State) (before, after string) {
	dims, every := []any{"batch"}, []int{-1}
	for _, n := range s.Dims {
		dims, every = append(dims, n), append(every, 1)
	}
	past, after := c.Input(PastState+s.Name, c.Values, dims...), PresentState+s.Name
	c.Output(after, c.Values, dims...)
	return c.Node(onnxgraph.ONNX("Where"), []string{c.Reshape(c.begins, every...), c.Number("nothing", 0), past}), after
}

// behind gives the values of a run's tokens, laid out as attention takes them, behind those that the state holds of
// tokens before. What it holds afterwards are the last ones of each text, whatever fills its row up.
func (c *cached) behind(s State, rows string) string {
	n, width := s.Dims[0], s.Dims[1]
	before, after := c.carry(s)
	all := c.Node(onnxgraph.ONNX("Concat"), []string{before, c.spread(rows, width)}, onnxgraph.Int("axis", 1))
	places := make([]int64, n)
	for i := range places {
		places[i] = int64(i)
	}
	last := c.Node(onnxgraph.ONNX("Add"), []string{c.Reshape(c.fresh, -1, 1), c.Ints(fmt.Sprintf("places_%d", n),
		places...)})
	c.NodeTo([]string{after}, onnxgraph.ONNX("GatherND"), []string{all, c.Reshape(last, -1, n, 1)},
		onnxgraph.Int("batch_dims", 1))
	return all
}

// owned lays rows out as attention takes them, with zeros for what fills a row up.
func (c *cached) owned(rows string, width int) string {
	node := func(op string, inputs ...string) string { return c.Node(onnxgraph.ONNX(op), inputs) }
	if c.own == "" {
		place := node("Range", c.Scalar("from", 0), c.Reshape(c.width), c.Scalar("step", 1))
		c.own = c.Cast(node("Less", c.Reshape(place, 1, -1, 1), c.Reshape(c.fresh, -1, 1, 1)), c.Values)
	}
	return node("Mul", c.spread(rows, width), c.own)
}

// carries prepares what states ask for: how many tokens of each row are its own, and which texts begin.
func (c *cached) carries() {
	node := func(op string, inputs ...string) string { return c.Node(onnxgraph.ONNX(op), inputs) }
	c.width = c.Reshape(node("Gather", node("Shape", c.input), c.Scalar("sequence_axis", 1)), 1)
	ends := node("Add", c.Cast(c.lengths, onnxgraph.Int64), c.Ints("one", 1))
	c.fresh = node("Min", ends, c.width)
	c.begins = node("Equal", ends, c.fresh)
}
