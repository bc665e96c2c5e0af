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
}

// Graph makes the graph. All layers but attention work on rows of tokens, [batch × sequence, hidden].
func (m *Model) Graph(a weights.Arithmetic) *onnxgraph.Graph {
	b := &builder{Graph: weights.NewGraph("decoder", a), m: m}
	ids := b.Input(InputIDs, onnxgraph.Int64, "batch", "sequence")
	b.lengths = b.Input(SeqLens, onnxgraph.Int32, "batch")
	b.total = b.Input(TotalLength, onnxgraph.Int32, 1)
	positions := b.Input(LogitsPositions, onnxgraph.Int64, "logits")
	b.threeD = b.Node(onnxgraph.ONNX("Concat"), []string{b.Node(onnxgraph.ONNX("Shape"), []string{ids}),
		b.Ints("minus_one", -1)}, onnxgraph.Int("axis", 0))
	b.cos, b.sin = b.Tensor(m.cos), b.Tensor(m.sin)
	b.Output(Logits, onnxgraph.Float32, "logits", m.VocabSize)

	x := b.Rows(b.Reshape(ids, -1), m.Embedding)
	added := ""
	for i := range m.layers {
		x, added = b.layer(i, x, added)
	}
	rows := func(v string) string { return b.Node(onnxgraph.ONNX("Gather"), []string{v, positions}) }
	_, last := b.norm(rows(x), rows(added), m.norm)
	logits := b.Linear(last, m.head, "")
	b.NodeTo([]string{Logits}, onnxgraph.ONNX("Identity"), []string{logits})
	return b.Graph.Graph
}

// layer continues the stream x + added, where added is "" before the first layer, and gives it on in the same way.
func (b *builder) layer(i int, x, added string) (string, string) {
	l := &b.m.layers[i]
	x, n := b.norm(x, added, l.attentionNorm)
	x, n = b.norm(x, b.linear(b.attention(i, n), l.o), l.mlpNorm)
	gate, up := b.linear(n, l.gate), b.linear(n, l.up)
	gate = b.Node(onnxgraph.Contrib("QuickGelu"), []string{gate}, onnxgraph.Float("alpha", 1)) // that is SiLU
	return x, b.linear(b.Node(onnxgraph.ONNX("Mul"), []string{gate, up}), l.down)
}

func (b *builder) linear(x string, l linear) string {
	if l.bias == nil {
		return b.Linear(x, l.Matrix, "")
	}
	return b.Linear(x, l.Matrix, b.Tensor(*l.bias))
}

// norm gives x + added and its RMS norm.
func (b *builder) norm(x, added string, weight onnxgraph.Stored) (sum, normed string) {
	epsilon := onnxgraph.Float("epsilon", b.m.Epsilon)
	if added == "" {
		return x, b.Node(onnxgraph.ONNX("SimplifiedLayerNormalization"), []string{x, b.Tensor(weight)}, epsilon,
			onnxgraph.Int("axis", -1))
	}
	normed = "norm_of_" + added
	sum = "sum_of_" + added
	b.NodeTo([]string{normed, "", "", sum}, onnxgraph.Contrib("SkipSimplifiedLayerNormalization"),
		[]string{added, x, b.Tensor(weight)}, epsilon)
	return sum, normed
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
		b.Input(past, onnxgraph.Float32, "batch", m.KVHeads, "max_length", m.HeadSize)
	}
	for _, present := range []string{key, value} {
		b.Output(present, onnxgraph.Float32, "batch", m.KVHeads, "max_length", m.HeadSize)
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
	return b.Reshape(out, -1, m.Heads*m.HeadSize)
}

// headNorm normalizes each head of a value of [tokens, heads × HeadSize].
func (b *builder) headNorm(x string, weight onnxgraph.Stored) string {
	heads := b.Reshape(x, -1, b.m.HeadSize)
	return b.Node(onnxgraph.ONNX("SimplifiedLayerNormalization"), []string{heads, b.Tensor(weight)},
		onnxgraph.Float("epsilon", b.m.Epsilon), onnxgraph.Int("axis", -1))
}
