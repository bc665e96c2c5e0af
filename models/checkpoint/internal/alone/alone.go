// Package alone adds to graphs for processors how attention runs over a long text that is the only one of its run, by
// operators that do not hold the scores of all pairs of its tokens.
package alone

import (
	"fmt"
	"strconv"

	"textmill/models"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// Most is how many tokens a text may have for attention to hold its scores, as it does for several texts in a run.
// A longer one has a way of its own, which needs a run of its own: which of the two ways a text takes goes by its
// length and by nothing else, and so do its bits. Runs of shorter texts are small enough.
const Most = 512

// Unseen is so low that a score it is added to gets no weight.
const Unseen = -1e9

// A Text is what a graph asks of its inputs: whether they are one long text without padding. nil is for graphs that do
// not ask.
type Text struct {
	*weights.Graph
	is     string // that
	length string // its tokens, a scalar
	bands  map[int]string
}

// In has a graph that takes texts of up to longest tokens in inputs of [batch, sequence] say that long ones are to run
// alone, and gives what it asks. It is nil where no text is that long.
func In(g *weights.Graph, ids, mask string, longest int) *Text {
	if longest <= Most {
		return nil
	}
	g.Say(models.AloneKey, strconv.Itoa(Most))
	t := &Text{Graph: g, bands: map[int]string{}}
	node := func(op string, inputs ...string) string { return g.Node(onnxgraph.ONNX(op), inputs) }
	shape := node("Shape", ids)
	t.length = node("Gather", shape, g.Scalar("sequence_axis", 1))
	tokens := g.Node(onnxgraph.ONNX("ReduceSum"), []string{mask}, onnxgraph.Int("keepdims", 0))
	only := node("Equal", node("Gather", shape, g.Scalar("batch_axis", 0)), g.Scalar("one_text", 1))
	whole := node("Equal", tokens, t.length)
	t.is = node("And", node("And", only, whole), node("Greater", t.length, g.Scalar("alone_from", Most)))
	return t
}

// Or goes one way for such a text, and the other way for all else.
func (t *Text) Or(elem onnxgraph.Elem, so, else_ func() string) string {
	if t == nil {
		return else_()
	}
	return t.Branch(t.is, elem, so, else_)
}

// Unless gives what make gives, and nothing for such a text, which does without.
func (t *Text) Unless(elem onnxgraph.Elem, make func() string) string {
	if t == nil {
		return make()
	}
	return t.Or(elem, func() string {
		return t.Cast(t.Ints("nothing", 0), elem)
	}, make)
}

// Attention is how a layer sees both ways.
type Attention struct {
	Heads, Size int     // of a head
	Scale       float64 // 0: the root of the size
	Reach       int     // tokens that are seen on each side; 0: all
}

// Attend gives rows of q, k and v of [1, tokens, heads × size], within a way of Or.
func (t *Text) Attend(q, k, v string, a Attention) string {
	attrs := []onnxgraph.Attr{onnxgraph.Int("num_heads", a.Heads)}
	if a.Scale > 0 {
		attrs = append(attrs, onnxgraph.Float("scale", a.Scale))
	}
	if a.Reach > 0 {
		return t.near(q, k, v, a, attrs)
	}
	// Without a mask and without anything added ONNX Runtime's kernel goes block by block.
	y := t.Node(onnxgraph.Contrib("MultiHeadAttention"), []string{q, k, v}, attrs...)
	return t.Reshape(y, -1, a.Heads*a.Size)
}

// block is how many tokens ask together in layers that see a window.
func block(reach int) int { return (reach + 63) / 64 * 64 }

// near takes blocks of the text for texts: each sees its own tokens and those within reach of them.
func (t *Text) near(q, k, v string, a Attention, attrs []onnxgraph.Attr) string {
	node := func(op string, inputs ...string) string { return t.Node(onnxgraph.ONNX(op), inputs) }
	size := block(a.Reach)
	name := func(s string) string { return fmt.Sprint(s, "_", a.Reach) }
	zero, one, each := t.Scalar("from", 0), t.Scalar("step", 1), t.Scalar(name("block"), int64(size))
	begins := t.Reshape(node("Range", zero, t.length, each), -1, 1)
	last := node("Sub", t.length, one)
	asking := node("Add", begins, node("Range", zero, each, one))
	asking = node("Min", asking, last)
	seen := node("Add", begins, node("Range", t.Scalar(name("first_seen"), int64(-a.Reach)),
		t.Scalar(name("last_seen"), int64(size+a.Reach)), one))
	inside := node("And", node("GreaterOrEqual", seen, zero), node("LessOrEqual", seen, last))
	seen = node("Max", node("Min", seen, last), zero)
	rows := func(x, at string) string {
		return node("Gather", t.Reshape(x, -1, a.Heads*a.Size), at)
	}
	y := t.Node(onnxgraph.Contrib("MultiHeadAttention"), []string{rows(q, asking), rows(k, seen), rows(v, seen), "",
		t.Cast(inside, onnxgraph.Int32), t.bands[a.Reach]}, attrs...)
	return node("Slice", t.Reshape(y, -1, a.Heads*a.Size), t.Ints("row_0", 0), t.Reshape(t.length, 1))
}

// Reaching prepares for layers that see so many tokens on each side, before any of them attends.
func (t *Text) Reaching(reach int) {
	if t == nil || t.bands[reach] != "" {
		return
	}
	node := func(op string, inputs ...string) string { return t.Node(onnxgraph.ONNX(op), inputs) }
	size := block(reach)
	count := func(n int) string {
		return node("Range", t.Scalar("from", 0), t.Scalar(fmt.Sprint("count_", n), int64(n)), t.Scalar("step", 1))
	}
	// Key j of a block lies j − reach tokens behind its first one: query i sees those from i to i + 2 × reach.
	ahead := node("Sub", t.Reshape(count(size+2*reach), 1, -1), t.Reshape(count(size), -1, 1))
	sees := node("And", node("GreaterOrEqual", ahead, t.Scalar("from", 0)),
		node("LessOrEqual", ahead, t.Scalar(fmt.Sprint("both_ways_", reach), int64(2*reach))))
	far := t.Cast(node("Not", sees), onnxgraph.Float32)
	far = node("Mul", far, t.Number("unseen", Unseen))
	t.bands[reach] = t.Reshape(far, 1, 1, size, size+2*reach)
}
