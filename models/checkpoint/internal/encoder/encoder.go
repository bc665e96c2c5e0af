package encoder

import (
	"context"
	"fmt"
	"slices"

	"textmill/models/checkpoint/internal/rotary"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// A Model is a checkpoint whose weights are stored; graphs can be made of it.
type Model struct {
	*Config
	Embedding      *weights.Matrix
	position, kind *weights.Matrix // nil for models without
	embeddingNorm  norm
	project        *linear // nil for models without
	layers         []layer
	finalNorm      norm
	cos, sin       [2]onnxgraph.Stored // by kind of layer, for models that rotate
	distances      *onnxgraph.Stored   // nil for models without
}

type layer struct {
	qkv                     []linear // one for all three, or three
	o, up, down             linear
	attentionNorm, lastNorm norm
}

type linear struct {
	*weights.Matrix
	bias *onnxgraph.Stored // nil for none
}

// A norm is a layer norm; the zero value is none at all.
type norm struct{ weight, bias *onnxgraph.Stored }

// keeper stores tensors until the first error.
type keeper struct {
	store  *weights.Store
	prefix string
	err    error
}

// Store copies the weights.
func Store(ctx context.Context, c *Config, s *weights.Store) (*Model, error) {
	k := &keeper{store: s}
	for _, p := range prefixes {
		if s.Has(p + c.family.word + ".weight") {
			k.prefix = p
			break
		}
	}
	m, f, h := &Model{Config: c}, c.family, c.embeddingSize
	m.Embedding = k.table(ctx, f.word, c.VocabSize, h)
	if f.position != "" {
		m.position = k.table(ctx, f.position, c.MaxPositions, h)
	}
	if c.Kinds > 0 {
		m.kind = k.table(ctx, f.kind, c.Kinds, h)
	}
	m.embeddingNorm = k.norm(f.embeddingNorm, c.normBias, h)
	if f.project != "" && k.store.Has(k.prefix+f.project+".weight") {
		l := k.linear(ctx, true, c.HiddenSize, h, f.project)
		m.project = &l
	} else if k.err == nil && h != c.HiddenSize {
		k.err = fmt.Errorf("%w: %s.weight", weights.ErrMissing, k.prefix+f.project)
	}
	m.layers = k.layers(ctx, c)
	if f.finalNorm != "" {
		m.finalNorm = k.norm(f.finalNorm, c.normBias, c.HiddenSize)
	}
	k.rotations(ctx, m)
	k.distances(m)
	return m, k.err
}

// layers stores each group's and repeats it.
func (k *keeper) layers(ctx context.Context, c *Config) (all []layer) {
	for group := 0; group < c.groups && k.err == nil; group++ {
		all = append(all, slices.Repeat([]layer{k.layer(ctx, c, group)}, c.Layers/c.groups)...)
	}
	return all
}

func (k *keeper) layer(ctx context.Context, c *Config, i int) (l layer) {
	f, h, at := c.family, c.HiddenSize, fmt.Sprintf(c.family.layer, i)
	if f.qkv != "" {
		l.qkv = []linear{k.linear(ctx, c.attentionBias, 3*h, h, at+f.qkv)}
	} else {
		for _, name := range []string{f.query, f.key, f.value} {
			l.qkv = append(l.qkv, k.linear(ctx, c.attentionBias, h, h, at+name))
		}
	}
	l.o = k.linear(ctx, c.attentionBias, h, h, at+f.output)
	if i > 0 || f.finalNorm == "" {
		l.attentionNorm = k.norm(at+f.attentionNorm, c.normBias, h)
	}
	up, names := c.Intermediate, []string(nil)
	if f.gate != noGate {
		up *= 2
	}
	for _, name := range f.up {
		names = append(names, at+name)
	}
	l.up, l.down = k.linear(ctx, c.upBias, up, h, names...), k.linear(ctx, c.downBias, h, c.Intermediate, at+f.down)
	l.lastNorm = k.norm(at+f.outputNorm, c.normBias, h)
	return l
}

// rotations stores the tables of the kinds of layers that there are.
func (k *keeper) rotations(ctx context.Context, m *Model) {
	r, size := m.rotation, m.HiddenSize/m.Heads
	for kind, name := range [...]string{global: "global", local: "local"} {
		if k.err != nil || !r.on || r.stretch.on() || !slices.Contains(r.sliding, kind == local) {
			continue
		}
		table := rotary.Table{Frequencies: r.frequencies(kind, size), Positions: m.MaxPositions, Magnitude: 1}
		shape := []int{m.MaxPositions, size / 2}
		if m.cos[kind], k.err = k.store.StoreFloats(name+"_cos", shape, table.Cosines(ctx)); k.err == nil {
			m.sin[kind], k.err = k.store.StoreFloats(name+"_sin", shape, table.Sines(ctx))
		}
	}
}

func (k *keeper) table(ctx context.Context, name string, rows, width int) (m *weights.Matrix) {
	if k.err == nil {
		m, k.err = k.store.Table(ctx, k.prefix+name+".weight", true, rows, width)
	}
	return m
}

// linear stores a layer of that many rows, of equal parts one below the other; it has the first one's name.
func (k *keeper) linear(ctx context.Context, bias bool, rows, width int, parts ...string) (l linear) {
	var matrices, biases []string
	for _, p := range parts {
		matrices, biases = append(matrices, k.prefix+p+".weight"), append(biases, k.prefix+p+".bias")
	}
	each := slices.Repeat([]int{rows / len(parts)}, len(parts))
	if k.err == nil {
		l.Matrix, k.err = k.store.Matrix(ctx, matrices[0], matrices, width, each...)
	}
	if bias && k.err == nil {
		var v onnxgraph.Stored
		v, k.err = k.store.StoreVector(biases[0], biases, each...)
		l.bias = &v
	}
	return l
}

// norm stores a layer norm, which old checkpoints name in TensorFlow's way.
func (k *keeper) norm(name string, bias bool, n int) (v norm) {
	weight, shift := ".weight", ".bias"
	if k.store.Has(k.prefix + name + ".gamma") {
		weight, shift = ".gamma", ".beta"
	}
	v.weight = k.vector(name+weight, n)
	if bias {
		v.bias = k.vector(name+shift, n)
	}
	return v
}

func (k *keeper) vector(name string, n int) *onnxgraph.Stored {
	if k.err != nil {
		return nil
	}
	v, err := k.store.StoreVector(k.prefix+name, []string{k.prefix + name}, n)
	k.err = err
	return &v
}
