package decoder

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
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
	turns     []turn // of layers that see everything, then of those that slide if they differ
	layers    []layer

	told       *told           // what each layer is told anew; nil for nothing
	projection *weights.Matrix // of what embeds, behind the last norm; nil for none
}

// A turn is the cosines and sines that a layer rotates by.
type turn struct{ cos, sin onnxgraph.Stored }

type layer struct {
	norms             struct{ attention, afterAttention, mlp, afterMLP *onnxgraph.Stored } // nil where there is none
	qkv               []linear                                                             // one for all three, or three
	qNorm, kNorm      *onnxgraph.Stored
	vNorm             *onnxgraph.Stored
	o, gate, up, down linear
	reminder          *reminder
}

type linear struct {
	*weights.Matrix
	bias *onnxgraph.Stored
}

// Store copies the weights.
func Store(ctx context.Context, c *Config, s *weights.Store) (*Model, error) {
	m := &Model{Config: c}
	if len(c.family.packs) > 0 && s.Existing == nil {
		source, split := packed{s.Source, c}, *s
		if err := source.check(); err != nil {
			return nil, err
		}
		split.Source = source
		s = &split
	}
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
	if m.norm, err = c.storeNorm(s, "model.norm.weight", c.HiddenSize); err != nil {
		return nil, err
	}
	if err := m.storeReminders(ctx, s); err != nil {
		return nil, err
	}
	for i := range c.Layers {
		l, err := storeLayer(ctx, c, s, i)
		if err != nil {
			return nil, err
		}
		m.layers = append(m.layers, l)
	}
	for i, name := range []string{"", ".sliding"} {
		if i > 0 && !c.family.ownRotation {
			break
		}
		t, err := c.storeTurn(ctx, s, c.rotation(i > 0), name)
		if err != nil {
			return nil, err
		}
		m.turns = append(m.turns, t)
	}
	return m, nil
}

func (c *Config) storeTurn(ctx context.Context, s *weights.Store, r rotation, name string) (t turn, err error) {
	tables, err := c.tables(r)
	if err != nil {
		return t, err
	}
	positions := 0
	var cosines, sines []func(io.Writer) error
	for _, table := range tables {
		positions += table.Positions
		cosines, sines = append(cosines, table.Cosines(ctx)), append(sines, table.Sines(ctx))
	}
	shape := []int{positions, r.dims / 2}
	if t.cos, err = s.StoreFloats("cos_cache"+name, shape, inTurn(cosines)); err != nil {
		return t, err
	}
	t.sin, err = s.StoreFloats("sin_cache"+name, shape, inTurn(sines))
	return t, err
}

// inTurn writes what all write, one after the other.
func inTurn(all []func(io.Writer) error) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, write := range all {
			if err := write(w); err != nil {
				return err
			}
		}
		return nil
	}
}

// storeNorm stores what a norm multiplies with.
func (c *Config) storeNorm(s *weights.Store, name string, n int) (onnxgraph.Stored, error) {
	if !c.family.plusOne || c.baked.PlusOne {
		return s.StoreVector(name, []string{name}, n)
	}
	return s.StoreFloats(name, []int{n}, func(w io.Writer) error {
		v, err := s.Vector(name, n)
		if err != nil {
			return err
		}
		for i := range v {
			v[i]++
		}
		return binary.Write(w, binary.LittleEndian, v)
	})
}

func storeLayer(ctx context.Context, c *Config, s *weights.Store, i int) (l layer, err error) {
	at := fmt.Sprintf("model.layers.%d.", i)
	head := c.headSize(i)
	norm := func(name string, n int) *onnxgraph.Stored {
		if err != nil || name == "" {
			return nil
		}
		var v onnxgraph.Stored
		v, err = c.storeNorm(s, at+name+".weight", n)
		return &v
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

	l.norms.attention, l.norms.afterAttention = norm(c.family.norms.attention, c.HiddenSize),
		norm(c.family.norms.afterAttention, c.HiddenSize)
	l.norms.mlp, l.norms.afterMLP = norm(c.family.norms.mlp, c.HiddenSize), norm(c.family.norms.afterMLP, c.HiddenSize)
	bias := c.family.qkvBias || c.AttentionBias
	q, k, v := "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"
	queries, keys := c.Heads*head, c.kvHeads(i)*head
	if c.family.qkNorm == noNorm && c.original == 0 && s.Alike(at+q+".weight", at+k+".weight", at+v+".weight") {
		l.qkv = []linear{join("self_attn.qkv_proj", bias, c.HiddenSize, []string{q, k, v}, queries, keys, keys)}
	} else {
		l.qkv = []linear{one(q, bias, queries, c.HiddenSize), one(k, bias, keys, c.HiddenSize),
			one(v, bias, keys, c.HiddenSize)}
	}
	switch c.family.qkNorm {
	case headNorm:
		l.qNorm, l.kNorm = norm("self_attn.q_norm", head), norm("self_attn.k_norm", head)
	case rowNorm:
		l.qNorm, l.kNorm = norm("self_attn.q_norm", queries), norm("self_attn.k_norm", keys)
	}
	if c.family.vNorm && err == nil {
		l.vNorm, err = storeOnes(s, at+"self_attn.v_norm.ones", head)
	}
	l.o = one("self_attn.o_proj", c.AttentionBias && !c.family.plainO, c.HiddenSize, queries)
	l.gate = one("mlp.gate_proj", c.MLPBias, c.Intermediate, c.HiddenSize)
	l.up = one("mlp.up_proj", c.MLPBias, c.Intermediate, c.HiddenSize)
	l.down = one("mlp.down_proj", c.MLPBias, c.HiddenSize, c.Intermediate)
	if c.family.reminders && err == nil {
		l.reminder, err = c.storeReminder(ctx, s, at)
	}
	return l, err
}

// matrices are all that activations are multiplied with.
func (m *Model) matrices() []*weights.Matrix {
	var all []*weights.Matrix
	if m.head != nil {
		all = append(all, m.head)
	}
	if m.told != nil {
		all = append(all, m.told.matrix, m.projection)
	}
	for _, l := range m.layers {
		for _, w := range append(l.qkv, l.o, l.gate, l.up, l.down) {
			all = append(all, w.Matrix)
		}
		if l.reminder != nil {
			all = append(all, l.reminder.gate, l.reminder.back)
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
