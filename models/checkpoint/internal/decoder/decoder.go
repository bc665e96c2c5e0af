package decoder

import (
	"context"
	"fmt"
	"slices"

	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// A Model is a checkpoint whose weights are stored; graphs can be made of it.
type Model struct {
	*Config
	Embedding *weights.Matrix
	head      *weights.Matrix // nil for one that embeds
	norm      onnxgraph.Stored
	cos, sin  onnxgraph.Stored
	layers    []layer
}

type layer struct {
	attentionNorm, mlpNorm onnxgraph.Stored
	qkv                    []linear // one for all three, or three
	qNorm, kNorm           *onnxgraph.Stored
	o, gate, up, down      linear
}

type linear struct {
	*weights.Matrix
	bias *onnxgraph.Stored
}

// Store copies the weights.
func Store(ctx context.Context, c *Config, s *weights.Store) (*Model, error) {
	m := &Model{Config: c}
	var err error
	untied := c.headless || !c.tied() && (c.Tied != nil || s.Has("lm_head.weight"))
	if m.Embedding, err = s.Table(ctx, "model.embed_tokens.weight", untied, c.VocabSize, c.HiddenSize); err != nil {
		return nil, err
	}
	if m.head = m.Embedding; c.headless {
		m.head = nil
	} else if untied {
		if m.head, err = s.Table(ctx, "lm_head.weight", false, c.VocabSize, c.HiddenSize); err != nil {
			return nil, err
		}
	}
	if m.norm, err = s.StoreVector("model.norm.weight", []string{"model.norm.weight"}, c.HiddenSize); err != nil {
		return nil, err
	}
	for i := range c.Layers {
		l, err := storeLayer(ctx, c, s, fmt.Sprintf("model.layers.%d.", i))
		if err != nil {
			return nil, err
		}
		m.layers = append(m.layers, l)
	}
	table, err := c.rotary()
	if err != nil {
		return nil, err
	}
	shape := []int{c.MaxPositions, c.HeadSize / 2}
	if m.cos, err = s.StoreFloats("cos_cache", shape, table.Cosines(ctx)); err != nil {
		return nil, err
	}
	m.sin, err = s.StoreFloats("sin_cache", shape, table.Sines(ctx))
	return m, err
}

func storeLayer(ctx context.Context, c *Config, s *weights.Store, at string) (l layer, err error) {
	vector := func(name string, n int) (v onnxgraph.Stored) {
		if err == nil {
			v, err = s.StoreVector(at+name, []string{at + name}, n)
		}
		return v
	}
	join := func(name string, bias bool, width int, parts []string, rows ...int) (m linear) {
		var matrices, biases []string
		for _, p := range parts {
			matrices, biases = append(matrices, at+p+".weight"), append(biases, at+p+".bias")
		}
		if err == nil {
			m.Matrix, err = s.Matrix(ctx, at+name+".weight", matrices, width, rows...)
		}
		if err == nil && bias {
			var b onnxgraph.Stored
			b, err = s.StoreVector(at+name+".bias", biases, rows...)
			m.bias = &b
		}
		return m
	}
	one := func(name string, bias bool, rows, width int) linear {
		return join(name, bias, width, []string{name}, rows)
	}

	l.attentionNorm = vector("input_layernorm.weight", c.HiddenSize)
	l.mlpNorm = vector("post_attention_layernorm.weight", c.HiddenSize)
	bias := c.family.qkvBias || c.AttentionBias
	q, k, v := "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"
	queries, keys := c.Heads*c.HeadSize, c.KVHeads*c.HeadSize
	if !c.family.qkNorm && s.Alike(at+q+".weight", at+k+".weight", at+v+".weight") {
		l.qkv = []linear{join("self_attn.qkv_proj", bias, c.HiddenSize, []string{q, k, v}, queries, keys, keys)}
	} else {
		l.qkv = []linear{one(q, bias, queries, c.HiddenSize), one(k, bias, keys, c.HiddenSize),
			one(v, bias, keys, c.HiddenSize)}
	}
	if c.family.qkNorm {
		qn, kn := vector("self_attn.q_norm.weight", c.HeadSize), vector("self_attn.k_norm.weight", c.HeadSize)
		l.qNorm, l.kNorm = &qn, &kn
	}
	l.o = one("self_attn.o_proj", c.AttentionBias, c.HiddenSize, queries)
	l.gate = one("mlp.gate_proj", c.MLPBias, c.Intermediate, c.HiddenSize)
	l.up = one("mlp.up_proj", c.MLPBias, c.Intermediate, c.HiddenSize)
	l.down = one("mlp.down_proj", c.MLPBias, c.HiddenSize, c.Intermediate)
	return l, err
}

// matrices are all that activations are multiplied with.
func (m *Model) matrices() []*weights.Matrix {
	var all []*weights.Matrix
	if m.head != nil {
		all = append(all, m.head)
	}
	for _, l := range m.layers {
		for _, w := range append(l.qkv, l.o, l.gate, l.up, l.down) {
			all = append(all, w.Matrix)
		}
	}
	return all
}

// Quantized tells whether any matrix is stored in blocks, so that graphs with other arithmetic differ.
func (m *Model) Quantized() bool {
	return slices.ContainsFunc(m.matrices(), (*weights.Matrix).Quantized)
}

// MinRows is what decoder.json says of a graph with fp32 activations for earlier versions' sake: see
// models.DecoderGraph.
func (m *Model) MinRows() int {
	if slices.ContainsFunc(m.matrices(), func(w *weights.Matrix) bool { return w.Form.Bits == 4 }) {
		return 2
	}
	return 1
}
