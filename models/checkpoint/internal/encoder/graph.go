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
	window string // what layers that see a window add to attention's scores; "" until one needs it
}

// Graph makes the graph. All layers but attention work on the real tokens only, one row each: padding costs nothing
// there, whichever side it is on.
func (m *Model) Graph(a weights.Arithmetic) *onnxgraph.Graph {
	b := &builder{Graph: weights.NewGraph("encoder", a), m: m}
	ids := b.Input("input_ids", onnxgraph.Int64, "batch", "sequence")
	mask := b.Input("attention_mask", onnxgraph.Int64, "batch", "sequence")
	b.Output("last_hidden_state", onnxgraph.Float32, "batch", "sequence", m.HiddenSize)

	b.threeD = b.Node(onnxgraph.ONNX("Concat"), []string{b.Node(onnxgraph.ONNX("Shape"), []string{ids}),
		b.Ints("minus_one", -1)}, onnxgraph.Int("axis", 0))
	b.mask = b.Node(onnxgraph.ONNX("Cast"), []string{mask}, onnxgraph.Int("to", int(onnxgraph.Int32)))
	flat := b.Reshape(mask, -1)
	b.real = b.Reshape(b.Node(onnxgraph.ONNX("NonZero"), []string{flat}), -1)
	b.slot = b.ordinals(flat, 0, 0)

	x := b.embed(ids, mask)
	if m.family.finalNorm == "" {
		for i := range m.layers {
			x = b.layer(i, x)
		}
	} else {
		x = b.stream(x)
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
	x, place := b.Rows(real(ids), m.Embedding), ""
	if m.position != nil {
		place = b.Rows(real(b.ordinals(mask, 1, m.positionOffset)), m.position)
	}
	if m.kind != nil {
		kinds := b.Input("token_type_ids", onnxgraph.Int64, "batch", "sequence")
		place = b.Node(onnxgraph.ONNX("Add"), []string{place, b.Rows(real(kinds), m.kind)})
	}
	return b.norm(x, place, nil, m.embeddingNorm)
}

// norm normalizes x + added + bias, where added may be "" and bias nil.
func (b *builder) norm(x, added string, bias *onnxgraph.Stored, n norm) string {
	epsilon := onnxgraph.Float("epsilon", b.m.Epsilon)
	if added == "" {
		inputs := []string{x, b.Tensor(*n.weight)}
		if n.bias != nil {
			inputs = append(inputs, b.Tensor(*n.bias))
		}
		return b.Node(onnxgraph.ONNX("LayerNormalization"), inputs, epsilon, onnxgraph.Int("axis", -1))
	}
	return b.Node(onnxgraph.Contrib("SkipLayerNormalization"), b.normInputs(x, added, bias, n), epsilon)
}

func (b *builder) normInputs(x, added string, bias *onnxgraph.Stored, n norm) []string {
	inputs := []string{x, added, b.Tensor(*n.weight), "", ""}
	if n.bias != nil {
		inputs[3] = b.Tensor(*n.bias)
	}
	if bias != nil {
		inputs[4] = b.Tensor(*bias)
		return inputs
	}
	return inputs[:4]
}

// layer is BERT's: it normalizes what attention and MLP give, added to what they took.
func (b *builder) layer(i int, x string) string {
	l := &b.m.layers[i]
	x = b.norm(b.Linear(b.attention(i, x), l.o.Matrix, ""), x, l.o.bias, l.attentionNorm)
	return b.norm(b.Linear(b.mlp(l, x), l.down.Matrix, ""), x, l.down.bias, l.lastNorm)
}

// stream runs layers that add to x what attention and MLP make of its norm.
func (b *builder) stream(x string) string {
	normed := x
	for i := range b.m.layers {
		l := &b.m.layers[i]
		x, normed = b.add(x, b.linear(b.attention(i, normed), l.o), l.lastNorm)
		next := b.m.finalNorm
		if i+1 < len(b.m.layers) {
			next = b.m.layers[i+1].attentionNorm
		}
		x, normed = b.add(x, b.linear(b.mlp(l, normed), l.down), next)
	}
	return normed
}

// add gives x + added and its norm.
func (b *builder) add(x, added string, n norm) (sum, normed string) {
	sum, normed = "sum_of_"+added, "norm_of_"+added
	b.NodeTo([]string{normed, "", "", sum}, onnxgraph.Contrib("SkipLayerNormalization"), b.normInputs(added, x, nil, n),
		onnxgraph.Float("epsilon", b.m.Epsilon))
	return sum, normed
}

func (b *builder) linear(x string, l linear) string {
	if l.bias == nil {
		return b.Linear(x, l.Matrix, "")
	}
	return b.Linear(x, l.Matrix, b.Tensor(*l.bias))
}

func (b *builder) attention(i int, x string) string {
	m, l := b.m, &b.m.layers[i]
	padded := func(v string) string {
		return b.Node(onnxgraph.ONNX("Reshape"), []string{b.gather(v, b.slot), b.threeD})
	}
	var q, k, v string
	if len(l.qkv) == 1 {
		parts := b.split(padded(b.linear(x, l.qkv[0])), 2, 3)
		q, k, v = parts[0], parts[1], parts[2]
	} else {
		q, k, v = padded(b.linear(x, l.qkv[0])), padded(b.linear(x, l.qkv[1])), padded(b.linear(x, l.qkv[2]))
	}
	inputs := []string{q, k, v, "", b.mask}
	if m.rotation.on {
		inputs[0], inputs[1] = b.rotate(i, q), b.rotate(i, k)
		if m.rotation.sliding[i] {
			inputs = append(inputs, b.windowed())
		}
	}
	a := b.Node(onnxgraph.Contrib("MultiHeadAttention"), inputs, onnxgraph.Int("num_heads", m.Heads))
	return b.gather(b.Reshape(a, -1, m.HiddenSize), b.real)
}

// split cuts a value into n equal parts.
func (b *builder) split(x string, axis, n int) []string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf("part_%d_of_%s", i, x)
	}
	b.NodeTo(parts, onnxgraph.ONNX("Split"), []string{x}, onnxgraph.Int("axis", axis), onnxgraph.Int("num_outputs", n))
	return parts
}

// rotate turns each head of [batch, sequence, hidden] by its place in the padded row: only the distance of two tokens
// counts.
func (b *builder) rotate(i int, x string) string {
	kind := b.m.rotation.kind(i)
	return b.Node(onnxgraph.Contrib("RotaryEmbedding"), []string{x, b.Ints("first_position", 0), b.Tensor(b.m.cos[kind]),
		b.Tensor(b.m.sin[kind])},
		onnxgraph.Int("num_heads", b.m.Heads))
}

// windowed is [1, 1, sequence, sequence]: zero for tokens within reach of each other, so low for others that they get
// no weight.
func (b *builder) windowed() string {
	if b.window != "" {
		return b.window
	}
	length := b.Node(onnxgraph.ONNX("Gather"), []string{b.Node(onnxgraph.ONNX("Shape"), []string{"input_ids"}),
		b.Scalar("sequence_axis", 1)})
	place := b.Node(onnxgraph.ONNX("Range"), []string{b.Scalar("from", 0), length, b.Scalar("step", 1)})
	apart := b.Node(onnxgraph.ONNX("Sub"), []string{b.Reshape(place, 1, 1, -1, 1), b.Reshape(place, 1, 1, 1, -1)})
	apart = b.Node(onnxgraph.ONNX("Abs"), []string{apart})
	far := b.Node(onnxgraph.ONNX("Greater"), []string{apart, b.Ints("reach", int64(b.m.rotation.reach))})
	far = b.Node(onnxgraph.ONNX("Cast"), []string{far}, onnxgraph.Int("to", int(onnxgraph.Float32)))
	b.window = b.Node(onnxgraph.ONNX("Mul"), []string{far, b.Floats("unseen", -1e9)})
	return b.window
}

func (b *builder) mlp(l *layer, x string) string {
	ops := activations[b.m.Activation]
	if !b.m.family.gated {
		return b.Node(onnxgraph.Contrib(ops[1]), []string{b.Linear(x, l.up.Matrix, ""), b.Tensor(*l.up.bias)})
	}
	halves := b.split(b.linear(x, l.up), 1, 2)
	return b.Node(onnxgraph.ONNX("Mul"), []string{b.Node(onnxgraph.Contrib(ops[0]), halves[:1]), halves[1]})
}
