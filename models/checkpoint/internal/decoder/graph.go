package decoder

import (
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// Names of the graph's inputs and outputs; the caches' take a layer's number.
const (
	InputIDs        = "input_ids"
	SeqLens         = "seqlens_k"
	TotalLength     = "total_sequence_length"
	LogitsPositions = "logits_positions"
	Logits          = "logits"
	PastKey         = "past_key_values.%d.key"
	PastValue       = "past_key_values.%d.value"
	PresentKey      = "present.%d.key"
	PresentValue    = "present.%d.value"
)

// A layout is how the tokens of a run lie: all layers but attention work on rows of them, [tokens, hidden], and
// attention finds those of a text, and what a cache holds of it, by the layout.
type layout interface {
	// ids is a vector over all tokens.
	ids() string
	// spread lays rows of a width, or the same values in another shape, out as attention takes them: [batch, sequence,
	// width].
	spread(rows string, width int) string
	// attend runs attention over inputs that are spread, and gives rows again. The inputs that say which tokens there
	// are, 3 to 6, and what hides some of them from a layer are the layout's.
	attend(layer int, inputs []string, attrs []onnxgraph.Attr) string
}

// builder holds the values that every layer uses.
type builder struct {
	*weights.Graph
	layout
	m       *Model
	cos     string
	sin     string
	wide    bool   // the stream between layers and its norms are fp32, whatever the layers compute with
	mlps    []bool // those that compute with fp32
	watched *watched
}

// inner is a value within a layer, outer one of the stream between them: as the graph's type has it.
func (b *builder) inner(x string) string {
	if b.watched != nil {
		b.watched.inner().add(x)
	}
	return b.Round(x)
}

func (b *builder) outer(x string) string {
	if b.watched != nil {
		b.watched.stream.add(x)
	}
	return b.Round(x)
}

// Graph makes the graph that generates.
func (m *Model) Graph(a weights.Arithmetic) *onnxgraph.Graph {
	b := &builder{Graph: weights.NewGraph("decoder", a), m: m}
	b.Output(Logits, onnxgraph.Float32, "logits", m.VocabSize)
	last := b.hidden()
	b.NodeTo([]string{Logits}, onnxgraph.ONNX("Identity"), []string{b.Linear(last, m.head, "")})
	return b.Graph.Graph
}

// hidden gives what the head scores: a normed row of the stream for each of the positions that are asked for.
func (b *builder) hidden() string {
	c := newCached(b)
	b.layout = c
	x, added := b.layers()
	rows := func(v string) string { return b.Node(onnxgraph.ONNX("Gather"), []string{v, c.positions}) }
	_, last := b.norm(rows(x), rows(added), b.m.norm)
	return last
}

// layers are all of the model up to the last norm: what it normalizes is the sum of the two.
func (b *builder) layers() (x, added string) {
	m := b.m
	b.cos, b.sin = b.Weight(m.cos), b.Weight(m.sin)
	x = b.stream(b.outer(b.Rows(b.ids(), m.Embedding)))
	for i := range m.layers {
		x, added = b.layer(i, x, added)
		if b.watched != nil {
			b.watched.next()
		}
	}
	return x, added
}

// layer continues the stream x + added, where added is "" before the first layer, and gives it on in the same way.
func (b *builder) layer(i int, x, added string) (string, string) {
	l := &b.m.layers[i]
	x, n := b.norm(x, added, l.attentionNorm)
	added = b.stream(b.linear(b.attention(i, n), l.o))
	values, rounded := b.Values, b.Rounded
	if i < len(b.mlps) && b.mlps[i] {
		b.Values, b.Rounded = onnxgraph.Float32, 0
	}
	if b.watched != nil {
		b.watched.inMLP = true
	}
	x, n = b.norm(x, added, l.mlpNorm)
	gate, up := b.linear(n, l.gate), b.linear(n, l.up)
	gate = b.inner(b.Node(onnxgraph.Contrib("QuickGelu"), []string{gate}, onnxgraph.Float("alpha", 1))) // that is SiLU
	added = b.stream(b.linear(b.inner(b.Node(onnxgraph.ONNX("Mul"), []string{gate, up})), l.down))
	b.Values, b.Rounded = values, rounded
	return x, added
}

func (b *builder) linear(x string, l linear) string {
	bias := ""
	if l.bias != nil {
		bias = b.Weight(*l.bias)
	}
	return b.inner(b.Linear(x, l.Matrix, bias))
}

// stream gives what is added to the stream as the stream's type.
func (b *builder) stream(x string) string {
	if !b.wide || b.Values == onnxgraph.Float32 {
		return x
	}
	return b.Cast(x, onnxgraph.Float32)
}

// norm gives x + added and its RMS norm, which is of the type that layers compute with.
func (b *builder) norm(x, added string, weight onnxgraph.Stored) (sum, normed string) {
	values, rounded := b.Values, b.Rounded
	if b.wide {
		b.Values, b.Rounded = onnxgraph.Float32, 0
	}
	epsilon, scale := onnxgraph.Float("epsilon", b.m.Epsilon), b.Weight(weight)
	if added == "" {
		sum, normed = x, b.Node(onnxgraph.ONNX("SimplifiedLayerNormalization"), []string{x, scale}, epsilon,
			onnxgraph.Int("axis", -1))
	} else {
		normed = "norm_of_" + added
		sum = "sum_of_" + added
		b.NodeTo([]string{normed, "", "", sum}, onnxgraph.Contrib("SkipSimplifiedLayerNormalization"),
			[]string{added, x, scale}, epsilon)
		sum = b.outer(sum)
	}
	if b.wide && values != onnxgraph.Float32 {
		normed = b.Cast(normed, values)
	}
	b.Values, b.Rounded = values, rounded
	return sum, b.inner(normed)
}

func (b *builder) attention(i int, x string) string {
	m, l := b.m, &b.m.layers[i]
	inputs := make([]string, 7)
	for j, part := range l.qkv {
		inputs[j] = b.linear(x, part)
	}
	if l.qNorm != nil {
		inputs[0], inputs[1] = b.headNorm(inputs[0], *l.qNorm), b.headNorm(inputs[1], *l.kNorm)
	}
	for j, part := range l.qkv {
		inputs[j] = b.spread(inputs[j], part.Rows)
	}
	attrs := []onnxgraph.Attr{onnxgraph.Int("num_heads", m.Heads), onnxgraph.Int("kv_num_heads", m.KVHeads)}
	if m.rotates(i) {
		inputs = append(inputs, b.cos, b.sin)
		attrs = append(attrs, onnxgraph.Int("do_rotary", 1))
	}
	return b.inner(b.attend(i, inputs, attrs))
}

// headNorm normalizes each head of a value of [tokens, heads × HeadSize].
func (b *builder) headNorm(x string, weight onnxgraph.Stored) string {
	heads := b.Reshape(x, -1, b.m.HeadSize)
	return b.inner(b.Node(onnxgraph.ONNX("SimplifiedLayerNormalization"), []string{heads, b.Weight(weight)},
		onnxgraph.Float("epsilon", b.m.Epsilon), onnxgraph.Int("axis", -1)))
}
