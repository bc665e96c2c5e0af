package encoder

import (
	"fmt"
	"slices"
	"strings"

	"textmill/models/checkpoint/internal/alone"
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
	// ruler is [texts or 1, sequence, 1] and [texts, 1, 1], as spread rows are rotated: the places of tokens in their
	// texts, and how many tokens these have.
	ruler() (places, lengths string)
	// grid is a value of [texts, sequence], as attention lays tokens out.
	grid() string
	// attend gives a row a token again, as a layer attends.
	attend(layer int, q, k, v string) string
	// finish makes the graph's outputs of the last layer's rows.
	finish(rows string)
}

// builder holds the values that every layer uses.
type builder struct {
	*weights.Graph
	layout
	m       *Model
	numbers []onnxgraph.Elem  // that the layers compute with
	long    *alone.Text       // nil for graphs that make no difference
	made    map[string]string // by once
	angles  string            // of a stretched rotation, "" for not made yet
	watched [][]string        // values of each layer whose greatest magnitudes are asked for; nil for none
	at      int               // the layer that is built
}

func (m *Model) builder(name string, a weights.Arithmetic) *builder {
	return &builder{Graph: weights.NewGraph(name, a), m: m, made: map[string]string{},
		numbers: slices.Repeat([]onnxgraph.Elem{onnxgraph.Float32}, len(m.layers))}
}

// Graph makes the graph for processors.
func (m *Model) Graph(a weights.Arithmetic) *onnxgraph.Graph {
	b := m.builder("encoder", a)
	p := newPadded(b)
	b.long = alone.In(b.Graph, p.input, p.asked, m.longest())
	b.layout = p
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
	x, added := b.Rows(b.ids(), m.Embedding), []string(nil)
	if m.position != nil {
		added = append(added, b.Rows(b.positions(), m.position))
	}
	if m.kind != nil {
		added = append(added, b.Rows(b.kinds(), m.kind))
	}
	if len(added) == 2 {
		added = []string{b.Node(onnxgraph.ONNX("Add"), added)}
	}
	x = b.norm(x, strings.Join(added, ""), nil, m.embeddingNorm)
	if m.project != nil {
		x = b.linear(x, *m.project)
	}
	return x
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
	return b.attend(i, q, k, v)
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

// turned is RotaryEmbedding of [texts, sequence, hidden].
func (b *builder) turned(kind int, x, positions string) string {
	cos, sin := "", ""
	if b.m.rotation.stretch.on() {
		positions, cos, sin = b.stretched()
	} else {
		cos, sin = b.Weight(b.m.cos[kind]), b.Weight(b.m.sin[kind])
	}
	return b.Node(onnxgraph.Contrib("RotaryEmbedding"), []string{x, positions, cos, sin},
		onnxgraph.Int("num_heads", b.m.Heads))
}

// once gives what make gives, which is made once for each type of numbers.
func (b *builder) once(name string, make func() string) string {
	key := fmt.Sprint(b.Values, " ", name)
	if _, ok := b.made[key]; !ok {
		b.made[key] = make()
	}
	return b.made[key]
}

func (b *builder) mlp(l *layer, x string) string {
	does, gate := activations[b.m.Activation], b.m.family.gate
	if gate == noGate {
		return b.Node(onnxgraph.Contrib(does.biased), []string{b.times(x, l.up), b.Weight(*l.up.bias)})
	}
	halves := b.split(b.linear(x, l.up), 1, 2)
	if gate == secondHalf {
		slices.Reverse(halves)
	}
	active := b.Node(onnxgraph.Contrib(does.op), halves[:1], does.attrs...)
	return b.watch(b.Node(onnxgraph.ONNX("Mul"), []string{active, halves[1]}))
}
