package decoder

import (
	"fmt"

	"textmill/models/checkpoint/onnxgraph"
)

// convolutions are what LFM2's config.json says of them, and in words of its own.
type convolutions struct {
	Kernel     int      `json:"conv_L_cache"`
	ConvBias   bool     `json:"conv_bias"`
	NormEps    *float64 `json:"norm_eps"`
	FullLayers *[]int   `json:"full_attn_idxs"`
	OwnTied    *bool    `json:"tie_embedding"`
	OwnSize    int      `json:"block_ff_dim"`
	Adjusts    bool     `json:"block_auto_adjust_ff_dim"`
	Multiplier *float64 `json:"block_ffn_dim_multiplier"`
	MultipleOf int      `json:"block_multiple_of"`
}

const (
	lfm2 = `{"norm_eps": 1e-5, "rope_theta": 1000000, "vocab_size": 65536, "tie_word_embeddings": true,
"max_position_embeddings": 128000, "conv_L_cache": 3, "block_auto_adjust_ff_dim": true, "block_ffn_dim_multiplier": 1,
"block_multiple_of": 256}`

	conv      = "conv" // a type of layers
	maxKernel = 64
)

var lfm2Names = map[string]string{
	"model.norm": "model.embedding_norm", "input_layernorm": "operator_norm", "post_attention_layernorm": "ffn_norm",
	"self_attn.q_norm": "self_attn.q_layernorm", "self_attn.k_norm": "self_attn.k_layernorm",
	"self_attn.o_proj": "self_attn.out_proj", "mlp.gate_proj": "feed_forward.w1", "mlp.up_proj": "feed_forward.w3",
	"mlp.down_proj": "feed_forward.w2",
}

// settleConvolutions says in the others' words what LFM2 says in its own.
func (c *Config) settleConvolutions() {
	if !c.family.convolves {
		return
	}
	if c.NormEps != nil {
		c.Epsilon = *c.NormEps
	}
	if c.OwnTied != nil {
		c.Tied = c.OwnTied
	}
	if c.OwnSize > 0 {
		c.Intermediate = c.OwnSize
	}
	if c.Adjusts {
		c.Intermediate = int(2 * float64(c.Intermediate) / 3)
		if c.Multiplier != nil && c.MultipleOf > 0 {
			c.Intermediate = int(*c.Multiplier * float64(c.Intermediate))
			c.Intermediate = (c.Intermediate + c.MultipleOf - 1) / c.MultipleOf * c.MultipleOf
		}
	}
	if len(c.LayerTypes) > 0 || c.FullLayers == nil || c.Layers < 1 || c.Layers > maxLayers {
		return
	}
	c.LayerTypes = make([]string, c.Layers)
	for i := range c.LayerTypes {
		c.LayerTypes[i] = conv
	}
	for _, i := range *c.FullLayers {
		if i >= 0 && i < c.Layers {
			c.LayerTypes[i] = fullAttention
		}
	}
}

func (c *Config) checkConvolutions() error {
	switch {
	case !c.family.convolves:
	case c.Kernel < 2 || c.Kernel > maxKernel:
		return fmt.Errorf("%w: conv_L_cache is %d", ErrUnsupported, c.Kernel)
	}
	return nil
}

// Convolves tells whether the layer has a convolution in the place of attention.
func (c *Config) Convolves(layer int) bool {
	return len(c.LayerTypes) > 0 && c.LayerTypes[layer] == conv
}

// A convolution gates what goes in, adds up the last Kernel tokens of each dimension, and gates what comes out.
type convolution struct {
	in   linear
	taps []onnxgraph.Stored
	bias *onnxgraph.Stored
}

func (p *part) convolution() *convolution {
	c, n := p.c, p.c.HiddenSize
	v := &convolution{in: p.one("conv.in_proj", c.ConvBias, 3*n, n)}
	if c.ConvBias && p.err == nil {
		name := p.at + "conv.conv.bias"
		var b onnxgraph.Stored
		b, p.err = p.s.StoreVector(name, []string{name}, n)
		v.bias = &b
	}
	v.taps = p.taps("conv.conv", n, c.Kernel)
	return v
}

// convolve gives rows of what a layer's convolution makes of rows.
func (b *builder) convolve(i int, v *convolution, x string) string {
	parts := []string{fmt.Sprintf("conv_in_%d", i), fmt.Sprintf("conv_out_%d", i), fmt.Sprintf("conv_x_%d", i)}
	b.NodeTo(parts, onnxgraph.ONNX("Split"), []string{b.linear(x, v.in)}, onnxgraph.Int("axis", 1),
		onnxgraph.Int("num_outputs", 3))
	node := func(op string, inputs ...string) string { return b.Node(onnxgraph.ONNX(op), inputs) }
	sum := b.mix(b.m.stateOf(i), v.taps, node("Mul", parts[0], parts[2]))
	if v.bias != nil {
		sum = node("Add", sum, b.Weight(*v.bias))
	}
	return node("Mul", sum, parts[1])
}

// stateOf is the state of a layer's convolution.
func (c *Config) stateOf(layer int) State {
	return State{fmt.Sprintf("%d.conv", layer), []int{c.Kernel - 1, c.HiddenSize}}
}
