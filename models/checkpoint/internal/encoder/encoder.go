package encoder

import (
	"context"
	"fmt"

	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// A Model is a checkpoint whose weights are stored; graphs can be made of it.
type Model struct {
	*Config
	Embedding            *weights.Matrix
	position, kind       *weights.Matrix
	normWeight, normBias onnxgraph.Stored
	layers               []layer
}

type layer struct {
	q, k, v, o, up, down    linear
	attentionNorm, lastNorm [2]onnxgraph.Stored // weight and bias
}

type linear struct {
	*weights.Matrix
	bias onnxgraph.Stored
}

// keeper stores tensors until the first error.
type keeper struct {
	ctx    context.Context
	store  *weights.Store
	prefix string
	err    error
}

// Store copies the weights.
func Store(ctx context.Context, c *Config, s *weights.Store) (*Model, error) {
	k := &keeper{ctx: ctx, store: s}
	for _, p := range prefixes {
		if s.Has(p + c.family.word + ".weight") {
			k.prefix = p
			break
		}
	}
	m, f, h := &Model{Config: c}, c.family, c.HiddenSize
	m.Embedding = k.table(f.word, c.VocabSize, h)
	m.position = k.table(f.position, c.MaxPositions, h)
	if c.Kinds > 0 {
		m.kind = k.table(f.kind, c.Kinds, h)
	}
	norm := k.norm(f.embeddingNorm, h)
	m.normWeight, m.normBias = norm[0], norm[1]
	for i := range c.Layers {
		at := fmt.Sprintf(f.layer, i)
		m.layers = append(m.layers, layer{
			q: k.linear(at+f.query, h, h), k: k.linear(at+f.key, h, h), v: k.linear(at+f.value, h, h),
			o: k.linear(at+f.output, h, h), attentionNorm: k.norm(at+f.attentionNorm, h),
			up: k.linear(at+f.up, c.Intermediate, h), down: k.linear(at+f.down, h, c.Intermediate), lastNorm: k.norm(at+f.outputNorm, h),
		})
		if k.err != nil {
			break
		}
	}
	return m, k.err
}

func (k *keeper) table(name string, rows, width int) (m *weights.Matrix) {
	if k.err == nil {
		m, k.err = k.store.Table(k.ctx, k.prefix+name+".weight", true, rows, width)
	}
	return m
}

func (k *keeper) linear(name string, rows, width int) (l linear) {
	if k.err == nil {
		l.Matrix, k.err = k.store.Matrix(k.ctx, k.prefix+name+".weight", []string{k.prefix + name + ".weight"}, width, rows)
	}
	l.bias = k.vector(name+".bias", rows)
	return l
}

// norm stores a layer norm, which old checkpoints name in TensorFlow's way.
func (k *keeper) norm(name string, n int) [2]onnxgraph.Stored {
	if k.store.Has(k.prefix + name + ".gamma") {
		return [2]onnxgraph.Stored{k.vector(name+".gamma", n), k.vector(name+".beta", n)}
	}
	return [2]onnxgraph.Stored{k.vector(name+".weight", n), k.vector(name+".bias", n)}
}

func (k *keeper) vector(name string, n int) (v onnxgraph.Stored) {
	if k.err == nil {
		v, k.err = k.store.StoreVector(k.prefix+name, []string{k.prefix + name}, n)
	}
	return v
}
