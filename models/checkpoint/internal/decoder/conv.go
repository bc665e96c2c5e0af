package decoder

import (
	"encoding/binary"
	"fmt"
	"io"

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
			c.LayerTypes[i] = "full_attention"
		}
	}
}

func (c *Config) checkConvolutions() error {
	switch {
	case !c.family.convolves:
	case c.Kernel < 2 || c.Kernel > maxKernel:
		return fmt.Errorf("%w: conv_L_cache is %d", ErrUnsupported, c.Kernel)
	case len(c.States()) == c.Layers:
		return fmt.Errorf("%w: no layer has attention", ErrUnsupported)
	}
	return nil
}

// Convolves tells whether the layer has a convolution in the place of attention.
func (c *Config) Convolves(layer int) bool {
	return len(c.LayerTypes) > 0 && c.LayerTypes[layer] == conv
}

// A State is what a layer keeps of a text beside keys and values, of one size however long the text is.
type State struct {
	Name string
	Dims []int
}

// The names of a state's input and output take its own.
const (
	PastState    = "past_state."
	PresentState = "present_state."
)

// States are those of all layers.
func (c *Config) States() (all []State) {
	for i := range c.Layers {
		if c.Convolves(i) {
			all = append(all, c.stateOf(i))
		}
	}
	return all
}

// A convolution gates what goes in, adds up the last Kernel tokens of each dimension, and gates what comes out.
type convolution struct {
	in   linear
	taps []onnxgraph.Stored // what each of the last tokens is multiplied with, the oldest first
	bias *onnxgraph.Stored
}

func (p *part) convolution() *convolution {
	c, kernel, n := p.c, p.at+"conv.conv", p.c.HiddenSize
	v := &convolution{in: p.one("conv.in_proj", c.ConvBias, 3*n, n)}
	if c.ConvBias && p.err == nil {
		var b onnxgraph.Stored
		b, p.err = p.s.StoreVector(kernel+".bias", []string{kernel + ".bias"}, n)
		v.bias = &b
	}
	var values []float32
	if p.err == nil {
		values, p.err = p.s.Values(kernel+".weight", n, c.Kernel)
	}
	for j := range c.Kernel {
		if p.err != nil {
			return nil
		}
		var tap onnxgraph.Stored
		tap, p.err = p.s.StoreFloats(fmt.Sprintf("%s.%d", kernel, j), []int{n}, func(w io.Writer) error {
			row := make([]float32, n)
			for i := range row {
				row[i] = values[i*c.Kernel+j]
			}
			return binary.Write(w, binary.LittleEndian, row)
		})
		v.taps = append(v.taps, tap)
	}
	return v
}

// convolve gives rows of what a layer's convolution makes of rows.
func (b *builder) convolve(i int, v *convolution, x string) string {
	n := b.m.HiddenSize
	parts := []string{fmt.Sprintf("conv_in_%d", i), fmt.Sprintf("conv_out_%d", i), fmt.Sprintf("conv_x_%d", i)}
	b.NodeTo(parts, onnxgraph.ONNX("Split"), []string{b.linear(x, v.in)}, onnxgraph.Int("axis", 1),
		onnxgraph.Int("num_outputs", 3))
	node := func(op string, inputs ...string) string { return b.Node(onnxgraph.ONNX(op), inputs) }
	name := b.m.stateOf(i)
	all := b.cached.behind(name, node("Mul", parts[0], parts[2]))
	sum := ""
	for j, tap := range v.taps {
		from := b.Ints(fmt.Sprintf("from_%d", j), int64(j))
		y := node("Mul", node("Slice", all, from, node("Add", from, b.cached.width), b.Ints("axis_1", 1)), b.Weight(tap))
		if sum == "" {
			sum = y
			continue
		}
		sum = node("Add", sum, y)
	}
	if v.bias != nil {
		sum = node("Add", sum, b.Weight(*v.bias))
	}
	return node("Mul", b.Reshape(sum, -1, n), parts[1])
}

// stateOf is the state of a layer's convolution.
func (c *Config) stateOf(layer int) State {
	return State{fmt.Sprintf("%d.conv", layer), []int{c.Kernel - 1, c.HiddenSize}}
}

// behind gives the values of a run's tokens, laid out as attention takes them, behind those that the state holds of
// tokens before. What it holds afterwards are the last ones of each text, whatever fills its row up. Where a text
// begins, what it holds counts for nothing.
func (c *cached) behind(s State, rows string) string {
	n, width := s.Dims[0], s.Dims[1]
	past := c.Input(PastState+s.Name, c.Values, "batch", n, width)
	c.Output(PresentState+s.Name, c.Values, "batch", n, width)
	node := func(op string, inputs ...string) string { return c.Node(onnxgraph.ONNX(op), inputs) }
	before := node("Where", c.begins, c.Number("nothing", 0), past)
	all := c.Node(onnxgraph.ONNX("Concat"), []string{before, c.spread(rows, width)}, onnxgraph.Int("axis", 1))
	places := make([]int64, n)
	for i := range places {
		places[i] = int64(i)
	}
	last := node("Add", c.Reshape(c.fresh, -1, 1), c.Ints(fmt.Sprintf("places_%d", n), places...))
	c.NodeTo([]string{PresentState + s.Name}, onnxgraph.ONNX("GatherND"), []string{all, c.Reshape(last, -1, n, 1)},
		onnxgraph.Int("batch_dims", 1))
	return all
}

// carries prepares what states ask for: how many tokens of each row are its own, and which texts begin.
func (c *cached) carries() {
	node := func(op string, inputs ...string) string { return c.Node(onnxgraph.ONNX(op), inputs) }
	c.width = c.Reshape(node("Gather", node("Shape", c.input), c.Scalar("sequence_axis", 1)), 1)
	ends := node("Add", c.Cast(c.lengths, onnxgraph.Int64), c.Ints("one", 1))
	c.fresh = node("Min", ends, c.width)
	c.begins = c.Reshape(node("Equal", ends, c.fresh), -1, 1, 1)
}
