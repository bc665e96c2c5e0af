package decoder

import (
	"fmt"

	"textmill/models/checkpoint/onnxgraph"
)

func (b *builder) attention(i int, x string) string {
	m, l := b.m, &b.m.layers[i]
	if l.conv != nil {
		return b.convolve(i, l.conv, x)
	}
	if l.delta != nil {
		return b.ruled(i, l.delta, x)
	}
	inputs := make([]string, 7)
	for j, part := range l.qkv {
		inputs[j] = b.linear(x, part)
	}
	gate := ""
	if m.family.gated {
		inputs[0], gate = b.gates(i, inputs[0])
	}
	if l.qNorm != nil {
		inputs[0], inputs[1] = b.spanNorm(i, inputs[0], *l.qNorm), b.spanNorm(i, inputs[1], *l.kNorm)
	}
	if l.vNorm != nil {
		inputs[2] = b.spanNorm(i, inputs[2], *l.vNorm)
	}
	for j, part := range l.qkv {
		width := part.Rows
		if j == 0 && gate != "" {
			width /= 2
		}
		inputs[j] = b.spread(inputs[j], width)
	}
	attrs := []onnxgraph.Attr{onnxgraph.Int("num_heads", m.Heads), onnxgraph.Int("kv_num_heads", m.kvHeads(i))}
	if m.rotates(i) {
		t := b.turns[0]
		if m.slides(i) {
			t = b.turns[len(b.turns)-1]
		}
		inputs, attrs = b.rotate(inputs, attrs, t)
	}
	if s := m.numbers.attention; s > 0 {
		attrs = append(attrs, onnxgraph.Float("scale", s))
	}
	if limit := m.numbers.attentionCap; limit > 0 {
		attrs = append(attrs, onnxgraph.Float("softcap", limit))
	}
	return b.gated(b.inner(b.attend(i, inputs, attrs)), gate)
}

// gates takes each head's query and what gates its result apart, which lie behind each other.
func (b *builder) gates(i int, x string) (query, gate string) {
	n := b.m.headSize(i)
	parts := []string{fmt.Sprintf("query_%d", i), fmt.Sprintf("gate_%d", i)}
	b.NodeTo(parts, onnxgraph.ONNX("Split"), []string{b.Reshape(x, -1, 2*n)}, onnxgraph.Int("axis", 1),
		onnxgraph.Int("num_outputs", 2))
	return parts[0], b.Reshape(parts[1], -1, b.m.Heads*n)
}

func (b *builder) gated(x, gate string) string {
	if gate == "" {
		return x
	}
	return b.inner(b.Node(onnxgraph.ONNX("Mul"), []string{x, b.Node(onnxgraph.ONNX("Sigmoid"), []string{gate})}))
}

// rotate has attention rotate q and k by their places in the cache, or does it before by those that the layout says.
func (b *builder) rotate(inputs []string, attrs []onnxgraph.Attr, t [2]string) ([]string, []onnxgraph.Attr) {
	m := b.m
	if b.places == "" {
		inputs, attrs = append(inputs, t[0], t[1]), append(attrs, onnxgraph.Int("do_rotary", 1))
		if m.family.neighbours {
			attrs = append(attrs, onnxgraph.Int("rotary_interleaved", 1))
		}
		return inputs, attrs
	}
	for i, heads := range []int{m.Heads, m.KVHeads} {
		inputs[i] = b.Node(onnxgraph.Contrib("RotaryEmbedding"), []string{inputs[i], b.places, t[0], t[1]},
			onnxgraph.Int("num_heads", heads), onnxgraph.Int("rotary_embedding_dim", m.rotation(false).dims))
	}
	return inputs, attrs
}

// spanNorm normalizes each head of a value of [tokens, heads × head size], or all together, as the family has it.
func (b *builder) spanNorm(i int, x string, weight onnxgraph.Stored) string {
	if b.m.family.qkNorm == rowNorm {
		return b.inner(b.rms(x, weight))
	}
	return b.inner(b.rms(b.Reshape(x, -1, b.m.headSize(i)), weight))
}
