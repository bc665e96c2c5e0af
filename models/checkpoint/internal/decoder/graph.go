package decoder

import (
	"fmt"

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

// builder holds the values that every layer uses.
type builder struct {
	*weights.Graph
	m       *Model
	threeD  string // shape [batch, sequence, −1]
	cos     string
	sin     string
	lengths string
	total   string
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

// Graph makes the graph. All layers but attention work on rows of tokens, [batch × sequence, hidden].
func (m *Model) Graph(a weights.Arithmetic) *onnxgraph.Graph {
	b := &builder{Graph: weights.NewGraph("decoder", a), m: m}
	b.Output(Logits, onnxgraph.Float32, "logits", m.VocabSize)
	last := b.hidden()
	b.NodeTo([]string{Logits}, onnxgraph.ONNX("Identity"), []string{b.Linear(last, m.head, "")})
	return b.Graph.Graph
}

// hidden gives what the head scores: a normed row of the stream for each of the positions that are asked for.
func (b *builder) hidden() string {
	m := b.m
	ids := b.Input(InputIDs, onnxgraph.Int64, "batch", "sequence")
	b.lengths = b.Input(SeqLens, onnxgraph.Int32, "batch")
	b.total = b.Input(TotalLength, onnxgraph.Int32, 1)
	positions := b.Input(LogitsPositions, onnxgraph.Int64, "logits")
	b.threeD = b.Node(onnxgraph.ONNX("Concat"), []string{b.Node(onnxgraph.ONNX("Shape"), []string{ids}),
		b.Ints("minus_one", -1)}, onnxgraph.Int("axis", 0))
	b.cos, b.sin = b.Weight(m.cos), b.Weight(m.sin)

	x, added := b.stream(b.outer(b.Rows(b.Reshape(ids, -1), m.Embedding))), ""
	for i := range m.layers {
		x, added = b.layer(i, x, added)
		if b.watched != nil {
			b.watched.next()
		}
	}
	rows := func(v string) string { return b.Node(onnxgraph.ONNX("Gather"), []string{v, positions}) }
	_, last := b.norm(rows(x), rows(added), m.norm)
	return last
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
	shaped := func(v string) string { return b.Node(onnxgraph.ONNX("Reshape"), []string{v, b.threeD}) }
	inputs := make([]string, 9)
	for j, part := range l.qkv {
		inputs[j] = b.linear(x, part)
	}
	if l.qNorm != nil {
		inputs[0], inputs[1] = b.headNorm(inputs[0], *l.qNorm), b.headNorm(inputs[1], *l.kNorm)
	}
	for j := range l.qkv {
		inputs[j] = shaped(inputs[j])
	}
	pastKey, pastValue, key, value := fmt.Sprintf(PastKey, i), fmt.Sprintf(PastValue, i), fmt.Sprintf(PresentKey, i),
		fmt.Sprintf(PresentValue, i)
	for _, past := range []string{pastKey, pastValue} {
		b.Input(past, b.Values, "batch", m.KVHeads, "max_length", m.HeadSize)
	}
	for _, present := range []string{key, value} {
		b.Output(present, b.Values, "batch", m.KVHeads, "max_length", m.HeadSize)
	}
	inputs[3], inputs[4], inputs[5], inputs[6] = pastKey, pastValue, b.lengths, b.total
	attrs := []onnxgraph.Attr{onnxgraph.Int("num_heads", m.Heads), onnxgraph.Int("kv_num_heads", m.KVHeads)}
	if m.rotates(i) {
		inputs[7], inputs[8] = b.cos, b.sin
		attrs = append(attrs, onnxgraph.Int("do_rotary", 1))
	} else {
		inputs = inputs[:7]
	}
	if w := m.window(i); w > 0 {
		attrs = append(attrs, onnxgraph.Int("local_window_size", w))
	}
	out := "attention_" + key
	b.NodeTo([]string{out, key, value}, onnxgraph.Contrib("GroupQueryAttention"), inputs, attrs...)
	return b.inner(b.Reshape(out, -1, m.Heads*m.HeadSize))
}

// headNorm normalizes each head of a value of [tokens, heads × HeadSize].
func (b *builder) headNorm(x string, weight onnxgraph.Stored) string {
	heads := b.Reshape(x, -1, b.m.HeadSize)
	return b.inner(b.Node(onnxgraph.ONNX("SimplifiedLayerNormalization"), []string{heads, b.Weight(weight)},
		onnxgraph.Float("epsilon", b.m.Epsilon), onnxgraph.Int("axis", -1)))
}
