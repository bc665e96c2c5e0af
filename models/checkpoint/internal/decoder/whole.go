package decoder

import (
	"fmt"

	"textmill/models/checkpoint/internal/alone"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// The graph that embeds has one further input, of int64 as InputIDs is, and gives the normed stream of each token.
const (
	Mask       = "attention_mask"
	LastHidden = "last_hidden_state"
)

// EmbeddingGraph makes the graph that embeds: whole texts without caches, and no head.
func (m *Model) EmbeddingGraph(a weights.Arithmetic) *onnxgraph.Graph {
	b := &builder{Graph: weights.NewGraph("embedder", a), m: m}
	w := newWhole(b)
	b.layout = w
	x, added := b.layers()
	_, last := b.norm(x, added, &m.norm)
	width := m.HiddenSize
	if m.projection != nil {
		last, width = b.inner(b.Linear(last, m.projection, "")), m.projection.Rows
	}
	b.Output(LastHidden, onnxgraph.Float32, "batch", "sequence", width)
	b.NodeTo([]string{LastHidden}, onnxgraph.ONNX("Reshape"), []string{w.gather(last, w.asked), w.threeD})
	return b.Graph.Graph
}

// whole is the layout of graphs that embed: rows are whole texts, padded on whichever side the mask says. Layers work
// on the real tokens only, and attention, which takes texts from their first token on, gets them padded on the right.
type whole struct {
	*builder
	input  string
	mask   string
	threeD string // shape [batch, sequence, −1]

	real  string // of each token: where in batch × sequence it was asked for
	asked string // of each of batch × sequence: which token it is; padding takes any
	slots string // the same where texts begin at the left
	found string // of each token: where in batch × sequence it is then

	width          string // sequence
	lengths, total string
	band           string // what scores get added in layers that see a window on both sides; "" until asked for
	long           *alone.Text
}

func newWhole(b *builder) *whole {
	w := &whole{builder: b}
	w.input = b.Input(InputIDs, onnxgraph.Int64, "batch", "sequence")
	w.mask = b.Input(Mask, onnxgraph.Int64, "batch", "sequence")
	w.long = alone.In(b.Graph, w.input, w.mask, b.m.longest())
	node := func(op string, inputs ...string) string { return b.Node(onnxgraph.ONNX(op), inputs) }
	one, shape := b.Ints("one", 1), node("Shape", w.input)
	dim := func(axis string, i int64) string { return node("Gather", shape, b.Scalar(axis, i)) }
	count := func(n string) string { return node("Range", b.Scalar("from", 0), n, b.Scalar("step", 1)) }
	w.threeD = b.Node(onnxgraph.ONNX("Concat"), []string{shape, b.Ints("minus_one", -1)}, onnxgraph.Int("axis", 0))

	flat := b.Reshape(w.mask, -1)
	w.real = b.Reshape(node("NonZero", flat), -1)
	ordinal := func(mask, axis string) string { return node("Sub", node("CumSum", mask, axis), one) }
	w.asked = node("Max", ordinal(flat, b.Scalar("axis_0", 0)), b.Ints("zero", 0))

	length := node("ReduceSum", w.mask, b.Ints("over_sequence", 1)) // [batch, 1]
	last := node("Sub", length, one)
	w.lengths = b.Cast(b.Reshape(last, -1), onnxgraph.Int32)
	w.width = dim("sequence_axis", 1)
	w.total = b.Cast(b.Reshape(w.width, 1), onnxgraph.Int32)
	starts := node("Sub", node("CumSum", length, b.Scalar("axis_0", 0)), length)
	w.slots = node("Add", starts, node("Min", count(w.width), last)) // padding takes the last token of its text
	rows := node("Mul", b.Reshape(count(dim("batch_axis", 0)), -1, 1), w.width)
	place := node("Add", rows, ordinal(w.mask, b.Scalar("axis_1_alone", 1)))
	w.found = w.gather(b.Reshape(place, -1), w.real)
	return w
}

// longest is how many tokens a text may have that runs alone, 0 where none does: operators that do not hold all scores
// cannot cap them.
func (c *Config) longest() int {
	if c.numbers.attentionCap > 0 {
		return 0
	}
	return c.MaxPositions
}

func (w *whole) gather(x, rows string) string {
	return w.Node(onnxgraph.ONNX("Gather"), []string{x, rows})
}

func (w *whole) ids() string { return w.gather(w.Reshape(w.input, -1), w.real) }

func (w *whole) spread(rows string, width int) string {
	return w.gather(w.Reshape(rows, -1, width), w.slots)
}

// tables are computed, of as many positions as the longest text has: those of a model that takes 262,144 would be
// larger than all else of it. An angle is rounded to fp32, as the reference's is; of that, cosine and sine are exact.
func (w *whole) tables() (all [][2]string) {
	node := func(op string, inputs ...string) string { return w.Node(onnxgraph.ONNX(op), inputs) }
	places := w.Cast(node("Range", w.Scalar("from", 0), w.width, w.Scalar("step", 1)), onnxgraph.Float32)
	places = w.Reshape(places, -1, 1)
	for i, t := range w.m.tables {
		frequencies := w.Floats(fmt.Sprint("frequencies_", i), t.Frequencies...)
		angles := w.Cast(node("Mul", places, frequencies), onnxgraph.Float64)
		of := func(op string) string {
			x := w.Cast(node(op, angles), onnxgraph.Float32)
			if t.Magnitude != 1 {
				x = node("Mul", x, w.Floats(fmt.Sprint("magnitude_", i), t.Magnitude))
			}
			return x
		}
		all = append(all, [2]string{of("Cos"), of("Sin")})
	}
	return all
}

func (w *whole) attend(i int, inputs []string, attrs []onnxgraph.Attr) string {
	m, op := w.m, onnxgraph.Contrib("GroupQueryAttention")
	inputs[5], inputs[6] = w.lengths, w.total
	so := func() string { return w.bothWays(i, inputs) }
	switch reach := m.window(i); {
	case !m.family.bidirectional:
		if reach > 0 {
			attrs = append(attrs, onnxgraph.Int("local_window_size", reach))
		}
		so = func() string { // a kernel that is to make a cache goes block by block
			y := fmt.Sprint("attention_alone_", i)
			w.NodeTo([]string{y, y + "_key", y + "_value"}, op, inputs, attrs...)
			return w.Reshape(y, -1, m.Heads*m.headSize(i))
		}
	default:
		attrs = append(attrs, onnxgraph.Int("causal", 0))
		if reach > 0 { // the operator knows windows of causal attention only
			w.long.Reaching(reach)
			inputs = append(inputs, make([]string, 11-len(inputs))...)
			inputs[10] = w.near(reach)
		}
	}
	return w.long.Or(w.Values, so, func() string {
		return w.gather(w.Reshape(w.Node(op, inputs, attrs...), -1, m.Heads*m.headSize(i)), w.found)
	})
}

// bothWays is attention of a layer both ways for a text that runs alone.
func (w *whole) bothWays(i int, inputs []string) string {
	m, size, keyHeads := w.m, w.m.headSize(i), w.m.kvHeads(i)
	q, k, v := inputs[0], inputs[1], inputs[2]
	if k == "" {
		parts := []string{"q_of_" + q, "k_of_" + q, "v_of_" + q}
		queries, keys := int64(m.Heads*size), int64(keyHeads*size)
		w.NodeTo(parts, onnxgraph.ONNX("Split"), []string{q, w.Ints(fmt.Sprint("qkv_sizes_", size), queries, keys, keys)},
			onnxgraph.Int("axis", 2))
		q, k, v = parts[0], parts[1], parts[2]
	}
	if m.rotates(i) {
		turned := func(x string, heads int) string {
			attrs := []onnxgraph.Attr{onnxgraph.Int("num_heads", heads)}
			if dims := m.rotation(m.slides(i)).dims; dims < size {
				attrs = append(attrs, onnxgraph.Int("rotary_embedding_dim", dims))
			}
			if m.family.neighbours {
				attrs = append(attrs, onnxgraph.Int("interleaved", 1))
			}
			return w.Node(onnxgraph.Contrib("RotaryEmbedding"), []string{x, w.Ints("first_position", 0), inputs[7],
				inputs[8]}, attrs...)
		}
		q, k = turned(q, m.Heads), turned(k, keyHeads)
	}
	if each := m.Heads / keyHeads; each > 1 {
		repeated := func(x string) string {
			x = w.Reshape(x, 1, -1, keyHeads, 1, size)
			times := w.Ints(fmt.Sprint("queries_of_a_key_", each), 1, 1, 1, int64(each), 1)
			x = w.Node(onnxgraph.ONNX("Expand"), []string{x, times})
			return w.Reshape(x, 1, -1, m.Heads*size)
		}
		k, v = repeated(k), repeated(v)
	}
	return w.long.Attend(q, k, v, alone.Attention{Heads: m.Heads, Size: size, Scale: m.numbers.attention,
		Reach: m.window(i)})
}

// near is [1, 1, sequence, sequence]: zero for tokens that are at most reach away from each other, unseen for others.
// All layers have one reach.
func (w *whole) near(reach int) string {
	if w.band == "" {
		w.band = w.long.Unless(w.Values, func() string { return w.bandOf(reach) })
	}
	return w.band
}

func (w *whole) bandOf(reach int) string {
	node := func(op string, inputs ...string) string { return w.Node(onnxgraph.ONNX(op), inputs) }
	place := node("Range", w.Scalar("from", 0), w.width, w.Scalar("step", 1))
	apart := node("Abs", node("Sub", w.Reshape(place, 1, 1, -1, 1), w.Reshape(place, 1, 1, 1, -1)))
	far := w.Cast(node("Greater", apart, w.Ints("reach", int64(reach))), w.Values)
	return node("Mul", far, w.Number("unseen", alone.Unseen))
}
