package decoder

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// deltas are what Qwen3.5's config.json says of the layers that have a gated delta rule in the place of attention.
type deltas struct {
	DeltaKernel int `json:"linear_conv_kernel_dim"`
	DeltaKeys   int `json:"linear_num_key_heads"`
	DeltaValues int `json:"linear_num_value_heads"`
	KeySize     int `json:"linear_key_head_dim"`
	ValueSize   int `json:"linear_value_head_dim"`
	FullEvery   int `json:"full_attention_interval"`
}

const (
	qwen3_5 = `{"vocab_size": 248320, "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 32,
"num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 32768,
"partial_rotary_factor": 0.25, "linear_conv_kernel_dim": 4, "linear_num_key_heads": 16, "linear_num_value_heads": 32,
"linear_key_head_dim": 128, "linear_value_head_dim": 128, "full_attention_interval": 4}`

	linearAttention = "linear_attention" // a type of layers
	maxState        = 1 << 24
	normEpsilon     = 1e-6 // of the lengths of queries and keys, whatever rms_norm_eps is
)

// settleDeltas says which layers have the rule where layer_types does not.
func (c *Config) settleDeltas() {
	if !c.family.deltas || len(c.LayerTypes) > 0 || c.FullEvery < 1 || c.Layers < 1 || c.Layers > maxLayers {
		return
	}
	for i := range c.Layers {
		kind := linearAttention
		if (i+1)%c.FullEvery == 0 {
			kind = fullAttention
		}
		c.LayerTypes = append(c.LayerTypes, kind)
	}
}

func (c *Config) checkDeltas() error {
	if !c.family.deltas {
		return nil
	}
	for _, s := range []struct {
		key string
		n   int
	}{
		{"linear_num_key_heads", c.DeltaKeys}, {"linear_num_value_heads", c.DeltaValues},
		{"linear_key_head_dim", c.KeySize}, {"linear_value_head_dim", c.ValueSize},
	} {
		if s.n < 1 || s.n > maxHead {
			return fmt.Errorf("%w: %s is %d", ErrUnsupported, s.key, s.n)
		}
	}
	switch {
	case c.DeltaKernel < 2 || c.DeltaKernel > maxKernel:
		return fmt.Errorf("%w: linear_conv_kernel_dim is %d", ErrUnsupported, c.DeltaKernel)
	case c.DeltaValues%c.DeltaKeys != 0:
		return fmt.Errorf("%w: %d value heads do not share %d key heads evenly", ErrUnsupported, c.DeltaValues, c.DeltaKeys)
	case c.DeltaValues*c.KeySize > maxState/c.ValueSize:
		return fmt.Errorf("%w: the state of a layer is of %d heads of %d × %d", ErrUnsupported, c.DeltaValues, c.KeySize,
			c.ValueSize)
	case len(c.LayerTypes) == 0:
		return fmt.Errorf("%w: full_attention_interval is %d", ErrUnsupported, c.FullEvery)
	case c.activation() != "silu":
		return fmt.Errorf("%w: hidden_act is %q, with linear attention silu is known", ErrUnsupported, c.activation())
	}
	return nil
}

// Deltas tells whether the layer has a gated delta rule in the place of attention.
func (c *Config) Deltas(layer int) bool {
	return len(c.LayerTypes) > 0 && c.LayerTypes[layer] == linearAttention
}

// deltaRows are how many numbers queries and keys each have, and values.
func (c *Config) deltaRows() (keys, values int) {
	return c.DeltaKeys * c.KeySize, c.DeltaValues * c.ValueSize
}

// deltaStates are what a layer with the rule keeps: the last tokens' queries, keys and values before their
// convolution, and of each value head the matrix that keys are looked up in.
func (c *Config) deltaStates(layer int) (mixed, memory State) {
	keys, values := c.deltaRows()
	mixed = State{fmt.Sprintf("%d.conv", layer), []int{c.DeltaKernel - 1, 2*keys + values}}
	return mixed, State{fmt.Sprintf("%d.delta", layer), []int{c.DeltaValues, c.KeySize, c.ValueSize}}
}

// A delta is a layer's rule. Of each token it makes a query, a key and a value, each mixed with those of the tokens
// before; has its memory fade, and put the value in the place of what the memory gives for the key, as far as the
// token's update says; and gives what it then has for the query, normed and gated.
type delta struct {
	qkv, gate    linear
	update, fade linear
	taps         []onnxgraph.Stored
	fading       onnxgraph.Stored // how fast a head's memory does, below 0
	norm         onnxgraph.Stored
}

func (p *part) delta() *delta {
	c := p.c
	keys, values := c.deltaRows()
	at := func(name string) string { return p.at + "linear_attn." + name }
	d := &delta{qkv: p.one("linear_attn.in_proj_qkv", false, 2*keys+values, c.HiddenSize),
		gate: p.one("linear_attn.in_proj_z", false, values, c.HiddenSize)}
	own := *p.s
	own.Precision = weights.FP32 // what is little off here is off at every token, and they are small
	small := *p
	small.s = &own
	d.update = small.one("linear_attn.in_proj_b", false, c.DeltaValues, c.HiddenSize)
	d.fade = small.one("linear_attn.in_proj_a", false, c.DeltaValues, c.HiddenSize)
	p.err = small.err
	vector := func(name string, n int) (v onnxgraph.Stored) {
		if p.err == nil {
			v, p.err = p.s.StoreVector(at(name), []string{at(name)}, n)
		}
		return v
	}
	bias := vector("dt_bias", c.DeltaValues)
	d.fade.bias = &bias
	d.norm = vector("norm.weight", c.ValueSize)
	d.taps = p.taps("linear_attn.conv1d", 2*keys+values, c.DeltaKernel)
	if p.err == nil {
		d.fading, p.err = p.s.StoreFloats(at("fading"), []int{c.DeltaValues}, func(w io.Writer) error {
			v, err := p.s.Vector(at("A_log"), c.DeltaValues)
			if err != nil {
				return err
			}
			for i := range v {
				if !c.baked.Deltas {
					v[i] = float32(-math.Exp(float64(v[i])))
				}
			}
			return binary.Write(w, binary.LittleEndian, v)
		})
	}
	return d
}

// ruled gives rows of what a layer's delta rule makes of rows.
func (b *builder) ruled(i int, d *delta, x string) string {
	c, run := b.m.Config, b.cached
	node := func(op string, inputs ...string) string { return b.Node(onnxgraph.ONNX(op), inputs) }
	mixed, memory := c.deltaStates(i)
	keys, values := c.deltaRows()
	parts := []string{fmt.Sprintf("delta_q_%d", i), fmt.Sprintf("delta_k_%d", i), fmt.Sprintf("delta_v_%d", i)}
	b.NodeTo(parts, onnxgraph.ONNX("Split"), []string{silu(b, b.mix(mixed, d.taps, b.linear(x, d.qkv))),
		b.Ints("delta_sizes", int64(keys), int64(keys), int64(values))}, onnxgraph.Int("axis", 1))
	update := node("Sigmoid", b.linear(x, d.update))
	fade := node("Mul", node("Softplus", b.linear(x, d.fade)), b.Weight(d.fading))
	q, k, heads := b.ofLengthOne(parts[0]), b.ofLengthOne(parts[1]), c.DeltaKeys
	if c.baked.Deltas {
		q, k, heads = b.byTurns(q), b.byTurns(k), c.DeltaValues
	}
	before, after := run.carry(memory)
	out := "rule_of_" + after
	b.NodeTo([]string{out, after}, onnxgraph.Contrib("LinearAttention"), []string{
		run.spread(q, heads*c.KeySize), run.spread(k, heads*c.KeySize), run.spread(parts[2], values), before,
		run.owned(fade, c.DeltaValues), run.owned(update, c.DeltaValues)},
		onnxgraph.Int("q_num_heads", heads), onnxgraph.Int("kv_num_heads", c.DeltaValues),
		onnxgraph.Text("update_rule", "gated_delta"))
	return b.inner(b.Node(onnxgraph.Contrib("GatedRMSNorm"), []string{b.Reshape(out, -1, values), b.Weight(d.norm),
		b.linear(x, d.gate)}, onnxgraph.Text("activation", "silu"), onnxgraph.Float("epsilon", c.Epsilon)))
}

// ofLengthOne divides each head of queries or keys by its length: that is an RMS norm whose weight is one by the root
// of a head's size.
func (b *builder) ofLengthOne(x string) string {
	n := b.m.KeySize
	weight := make([]float32, n)
	for i := range weight {
		weight[i] = float32(1 / math.Sqrt(float64(n)))
	}
	return b.Node(onnxgraph.ONNX("SimplifiedLayerNormalization"), []string{b.Reshape(x, -1, n),
		b.Floats("length_one", weight...)}, onnxgraph.Float("epsilon", normEpsilon/float64(n)), onnxgraph.Int("axis", -1))
}

// byTurns gives each head of values the query or key that it takes, where they take them by turns.
func (b *builder) byTurns(x string) string {
	keys, _ := b.m.deltaRows()
	all := make([]string, b.m.DeltaValues/b.m.DeltaKeys)
	for i := range all {
		all[i] = b.Reshape(x, -1, keys)
	}
	return b.Node(onnxgraph.ONNX("Concat"), all, onnxgraph.Int("axis", 1))
}
