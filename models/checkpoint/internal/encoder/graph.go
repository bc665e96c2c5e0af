package encoder

import (
	"fmt"
	"slices"

	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// A layout is how the tokens of a batch lie: what of them goes into the layers, one row a token, and how attention
// finds the tokens of one text.
type layout interface {
	// ids, positions and kinds are vectors over all tokens; positions are rows of the model's table of them.
	ids() string
	positions() string
	kinds() string
	// spread lays rows out as attention takes them; what a token has lies along axis there.
	spread(rows string) string
	axis() int
	// rotate turns the heads of spread rows by their places in their texts, for layers of that kind.
	rotate(kind int, x string) string
	// attend gives a row a token again. near layers see a window.
	attend(q, k, v string, near bool) string
	// finish makes the graph's outputs of the last layer's rows.
	finish(rows string)
}

// builder holds the values that every layer uses.
type builder struct {
	*weights.Graph
	layout
	m       *Model
	numbers []onnxgraph.Elem // that the layers compute with
	bands   map[onnxgraph.Elem]string
	watched [][]string // values of each layer whose greatest magnitudes are asked for; nil for none
	at      int        // the layer that is built
}

func (m *Model) builder(name string, a weights.Arithmetic) *builder {
	return &builder{Graph: weights.NewGraph(name, a), m: m, bands: map[onnxgraph.Elem]string{},
		numbers: slices.Repeat([]onnxgraph.Elem{onnxgraph.Float32}, len(m.layers))}
}

// Graph makes the graph for processors.
func (m *Model) Graph(a weights.Arithmetic) *onnxgraph.Graph {
	b := m.builder("encoder", a)
	b.layout = newPadded(b)
	b.finish(b.layers())
	return b.Graph.Graph
}

// layers are all of the model but what is made of the last one's rows.
func (b *builder) layers() string {
	x := b.embed()
	if b.m.family.finalNorm != "" {
		return b.stream(x)
	}
	for i := range b.m.layers {
		x = b.layer(i, x)
	}
	return x
}

// enter has what goes into a layer in the numbers that it computes with.
func (b *builder) enter(i int, values ...*string) {
	for _, v := range values {
		if b.numbers[i] != b.Values {
			*v = b.Cast(*v, b.numbers[i])
		}
	}
	b.Values, b.at = b.numbers[i], i
	for _, v := range values {
		b.watch(*v)
	}
}

// watch has a value be one of those whose greatest magnitude is asked for.
func (b *builder) watch(x string) string {
	if b.watched != nil {
		b.watched[b.at] = append(b.watched[b.at], x)
	}
	return x
}

func (b *builder) gather(x, rows string) string {
	return b.Node(onnxgraph.ONNX("Gather"), []string{x, rows})
}

func (b *builder) embed() string {
	m := b.m
	x, place := b.Rows(b.ids(), m.Embedding), ""
	if m.position != nil {
		place = b.Rows(b.positions(), m.position)
	}
	if m.kind != nil {
		place = b.Node(onnxgraph.ONNX("Add"), []string{place, b.Rows(b.kinds(), m.kind)})
	}
	return b.norm(x, place, nil, m.embeddingNorm)
}

// norm normalizes x + added + bias, where added may be "" and bias nil.
func (b *builder) norm(x, added string, bias *onnxgraph.Stored, n norm) string {
	epsilon := onnxgraph.Float("epsilon", b.m.Epsilon)
	if added == "" {
		inputs := []string{x, b.Weight(*n.weight)}
		if n.bias != nil {
			inputs = append(inputs, b.Weight(*n.bias))
		}
		return b.Node(onnxgraph.ONNX("LayerNormalization"), inputs, epsilon, onnxgraph.Int("axis", -1))
	}
	return b.Node(onnxgraph.Contrib("SkipLayerNormalization"), b.normInputs(x, added, bias, n), epsilon)
}

func (b *builder) normInputs(x, added string, bias *onnxgraph.Stored, n norm) []string {
	inputs := []string{x, added, b.Weight(*n.weight), "", ""}
	if n.bias != nil {
		inputs[3] = b.Weight(*n.bias)
	}
	if bias != nil {
		inputs[4] = b.Weight(*bias)
		return inputs
	}
	return inputs[:4]
}

// layer is BERT's: it normalizes what attention and MLP give, added to what they took.
func (b *builder) layer(i int, x string) string {
	l := &b.m.layers[i]
	b.enter(i, &x)
	x = b.norm(b.times(b.attention(i, x), l.o), x, l.o.bias, l.attentionNorm)
	return b.norm(b.times(b.mlp(l, x), l.down), x, l.down.bias, l.lastNorm)
}

// stream runs layers that add to x what attention and MLP make of its norm.
func (b *builder) stream(x string) string {
	normed := x
	for i := range b.m.layers {
		l := &b.m.layers[i]
		b.enter(i, &x, &normed)
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
	return b.watch(sum), normed
}

func (b *builder) linear(x string, l linear) string {
	if l.bias == nil {
		return b.times(x, l)
	}
	return b.watch(b.Linear(x, l.Matrix, b.Weight(*l.bias)))
}

// times is linear without the bias.
func (b *builder) times(x string, l linear) string { return b.watch(b.Linear(x, l.Matrix, "")) }

func (b *builder) attention(i int, x string) string {
	m, l := b.m, &b.m.layers[i]
	var q, k, v string
	if len(l.qkv) == 1 {
		parts := b.split(b.spread(b.linear(x, l.qkv[0])), b.axis(), 3)
		q, k, v = parts[0], parts[1], parts[2]
	} else {
		q = b.spread(b.linear(x, l.qkv[0]))
		k = b.spread(b.linear(x, l.qkv[1]))
		v = b.spread(b.linear(x, l.qkv[2]))
	}
	if m.rotation.on {
		kind := m.rotation.kind(i)
		q, k = b.rotate(kind, q), b.rotate(kind, k)
	}
	return b.attend(q, k, v, m.rotation.near(i))
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

// turned is RotaryEmbedding of [batch, sequence, hidden].
func (b *builder) turned(kind int, x, positions string) string {
	return b.Node(onnxgraph.Contrib("RotaryEmbedding"), []string{x, positions, b.Weight(b.m.cos[kind]),
		b.Weight(b.m.sin[kind])},
		onnxgraph.Int("num_heads", b.m.Heads))
}

// unseen is what attention's scores get added for what is out of sight: so low that it gets no weight.
var unseen = map[onnxgraph.Elem]float32{onnxgraph.Float32: -1e9, onnxgraph.Float16: -65504}

// band is [1, 1, sequence, sequence], where sequence is the second dimension of a value: zero for tokens within reach
// of each other, unseen for others.
func (b *builder) band(of string) string {
	if x, ok := b.bands[b.Values]; ok {
		return x
	}
	length := b.Node(onnxgraph.ONNX("Gather"), []string{b.Node(onnxgraph.ONNX("Shape"), []string{of}),
		b.Scalar("sequence_axis", 1)})
	place := b.Node(onnxgraph.ONNX("Range"), []string{b.Scalar("from", 0), length, b.Scalar("step", 1)})
	apart := b.Node(onnxgraph.ONNX("Sub"), []string{b.Reshape(place, 1, 1, -1, 1), b.Reshape(place, 1, 1, 1, -1)})
	apart = b.Node(onnxgraph.ONNX("Abs"), []string{apart})
	far := b.Node(onnxgraph.ONNX("Greater"), []string{apart, b.Ints("reach", int64(b.m.rotation.reach))})
	far = b.Cast(far, b.Values)
	b.bands[b.Values] = b.Node(onnxgraph.ONNX("Mul"), []string{far, b.Number("unseen", unseen[b.Values])})
	return b.bands[b.Values]
}

func (b *builder) mlp(l *layer, x string) string {
	ops := activations[b.m.Activation]
	if !b.m.family.gated {
		return b.Node(onnxgraph.Contrib(ops[1]), []string{b.times(x, l.up), b.Weight(*l.up.bias)})
	}
	halves := b.split(b.linear(x, l.up), 1, 2)
	gated := b.Node(onnxgraph.ONNX("Mul"), []string{b.Node(onnxgraph.Contrib(ops[0]), halves[:1]), halves[1]})
	return b.watch(gated)
}
