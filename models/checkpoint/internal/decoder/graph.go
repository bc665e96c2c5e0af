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
	RotaryStart     = "rotary_start" // of models whose long texts rotate in another way
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
	// tables are the cosines and sines of positions, in rows of half of what rotates: of each of the rotations.
	tables() [][2]string
	// attend runs attention over inputs that are spread, and gives rows again. The inputs that say which tokens there
	// are, 3 to 6, and what hides some of them from a layer are the layout's.
	attend(layer int, inputs []string, attrs []onnxgraph.Attr) string
}

// builder holds the values that every layer uses.
type builder struct {
	*weights.Graph
	layout
	cached  *cached // the same, where it is that
	m       *Model
	long    bool        // texts may have more tokens than those that rotate in the first way
	places  string      // which row of turns each token rotates by, [batch, sequence]; "" for its place in the cache
	turns   [][2]string // cosines and sines
	told    string      // to layers, of each token: [tokens, layers, size]
	wide    bool        // the stream between layers and its norms are fp32, whatever the layers compute with
	mlps    []bool      // those that compute with fp32
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
	b := &builder{Graph: weights.NewGraph("decoder", a), m: m, long: m.original > 0}
	b.Output(Logits, onnxgraph.Float32, "logits", m.VocabSize)
	last := b.hidden()
	b.NodeTo([]string{Logits}, onnxgraph.ONNX("Identity"), []string{b.logits(last)})
	return b.Graph.Graph
}

// logits scores what hidden gives.
func (b *builder) logits(hidden string) string {
	x := b.inner(b.Linear(hidden, b.m.head, ""))
	n := b.m.numbers
	if n.logitsCap == 0 && n.logits == 1 {
		return x
	}
	if b.Values != onnxgraph.Float32 {
		x = b.Cast(x, onnxgraph.Float32)
	}
	if n.logits != 1 {
		x = b.Node(onnxgraph.ONNX("Div"), []string{x, b.Floats("logits_scaling", float32(n.logits))})
	}
	if n.logitsCap == 0 {
		return x
	}
	most := b.Floats("logits_cap", float32(n.logitsCap))
	x = b.Node(onnxgraph.ONNX("Tanh"), []string{b.Node(onnxgraph.ONNX("Div"), []string{x, most})})
	return b.Node(onnxgraph.ONNX("Mul"), []string{x, most})
}

// hidden gives what the head scores: a normed row of the stream for each of the positions that are asked for.
func (b *builder) hidden() string {
	c := newCached(b)
	b.layout = c
	x, added := b.layers()
	rows := func(v string) string { return b.Node(onnxgraph.ONNX("Gather"), []string{v, c.positions}) }
	_, last := b.norm(rows(x), rows(added), &b.m.norm)
	return last
}

// layers are all of the model up to the last norm: what it normalizes is the sum of the two.
func (b *builder) layers() (x, added string) {
	m := b.m
	b.turns = b.tables()
	x = b.stream(b.outer(b.Rows(b.ids(), m.Embedding)))
	if m.numbers.embedding != 1 {
		x = b.inStream(func() string { return b.outer(b.times(x, "embedding_multiplier", m.numbers.embedding)) })
	}
	if m.told != nil {
		b.told = b.tell(x)
	}
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
	x, n := b.norm(x, added, l.norms.attention)
	added = b.joining(b.linear(b.attention(i, n), l.o), l.norms.afterAttention)
	values, rounded := b.Values, b.Rounded
	if i < len(b.mlps) && b.mlps[i] {
		b.Values, b.Rounded = onnxgraph.Float32, 0
	}
	if b.watched != nil {
		b.watched.inMLP = true
	}
	x, n = b.norm(x, added, l.norms.mlp)
	gate, up := b.linear(n, l.gate), b.linear(n, l.up)
	gate = b.inner(activations[b.m.activation()](b, gate))
	added = b.joining(b.linear(b.inner(b.Node(onnxgraph.ONNX("Mul"), []string{gate, up})), l.down), l.norms.afterMLP)
	b.Values, b.Rounded = values, rounded
	if l.reminder != nil {
		return b.remind(i, l.reminder, x, added), ""
	}
	return x, added
}

// activations are those of the gates, by their names.
var activations = map[string]func(b *builder, x string) string{
	"silu": silu, "swish": silu, "gelu_pytorch_tanh": geluTanh,
}

func silu(b *builder, x string) string {
	return b.Node(onnxgraph.Contrib("QuickGelu"), []string{x}, onnxgraph.Float("alpha", 1)) // that is SiLU
}

func geluTanh(b *builder, x string) string { return b.Node(onnxgraph.Contrib("FastGelu"), []string{x}) }

// joining is what attention or MLP gave as it is added to the stream, through a norm, multiplied, or as it is.
func (b *builder) joining(x string, after *onnxgraph.Stored) string {
	x = b.stream(x)
	return b.inStream(func() string {
		if after != nil {
			x = b.outer(b.rms(x, *after))
		}
		if factor := b.m.numbers.residual; factor != 1 {
			x = b.outer(b.times(x, "residual_multiplier", factor))
		}
		return x
	})
}

func (b *builder) times(x, name string, factor float64) string {
	return b.Node(onnxgraph.ONNX("Mul"), []string{x, b.Number(name, float32(factor))})
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

// inStream adds nodes that work on the stream, with its type.
func (b *builder) inStream(add func() string) string {
	values, rounded := b.Values, b.Rounded
	if b.wide {
		b.Values, b.Rounded = onnxgraph.Float32, 0
	}
	x := add()
	b.Values, b.Rounded = values, rounded
	return x
}

// norm gives x + added and its RMS norm, which is of the type that layers compute with; without a weight it is no
// norm, but the sum itself.
func (b *builder) norm(x, added string, weight *onnxgraph.Stored) (sum, normed string) {
	sum = x
	normed = b.inStream(func() string {
		switch {
		case weight == nil && added != "":
			sum = b.outer(b.Node(onnxgraph.ONNX("Add"), []string{x, added}))
			return sum
		case weight == nil:
			return x
		case added == "":
			return b.rms(x, *weight)
		}
		normed := "norm_of_" + added
		sum = "sum_of_" + added
		epsilon := onnxgraph.Float("epsilon", b.m.Epsilon)
		b.NodeTo([]string{normed, "", "", sum}, onnxgraph.Contrib("SkipSimplifiedLayerNormalization"),
			[]string{added, x, b.Weight(*weight)}, epsilon)
		sum = b.outer(sum)
		return normed
	})
	if b.wide && b.Values != onnxgraph.Float32 {
		normed = b.Cast(normed, b.Values)
	}
	return sum, b.inner(normed)
}

func (b *builder) rms(x string, weight onnxgraph.Stored) string {
	return b.Node(onnxgraph.ONNX("SimplifiedLayerNormalization"), []string{x, b.Weight(weight)},
		onnxgraph.Float("epsilon", b.m.Epsilon), onnxgraph.Int("axis", -1))
}
