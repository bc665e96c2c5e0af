package decoder

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"textmill/models/checkpoint/internal/rotary"
	"textmill/models/checkpoint/internal/weights"
	"textmill/models/checkpoint/onnxgraph"
)

// A Model is a checkpoint whose weights are stored; graphs can be made of it.
type Model struct {
	*Config
	Embedding *weights.Matrix
	head      *weights.Matrix // nil for one that embeds
	norm      onnxgraph.Stored
	turns     []turn         // of layers that see everything, then of those that slide if they differ
	tables    []rotary.Table // in the place of turns, of one that embeds
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
	conv              *convolution // in the place of q, k and v
	delta             *delta       // the same
}

type linear struct {
	*weights.Matrix
	bias *onnxgraph.Stored
}

// Store copies the weights.
func Store(ctx context.Context, c *Config, s *weights.Store) (*Model, error) {
	m := &Model{Config: c}
	if s.Existing == nil {
		source, err := c.source(s.Source)
		if err != nil {
			return nil, err
		}
		own := *s
		own.Source = source
		s = &own
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
	for i, r := range c.rotations() {
		if c.headless {
			t, err := r.table(c.MaxPositions)
			if err != nil {
				return nil, err
			}
			m.tables = append(m.tables, t)
			continue
		}
		t, err := c.storeTurn(ctx, s, r, [...]string{"", ".sliding"}[i])
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
	p := &part{ctx: ctx, c: c, s: s, at: fmt.Sprintf("model.layers.%d.", i)}
	n := c.family.norms
	l.norms.attention, l.norms.afterAttention = p.norm(n.attention, c.HiddenSize), p.norm(n.afterAttention, c.HiddenSize)
	l.norms.mlp, l.norms.afterMLP = p.norm(n.mlp, c.HiddenSize), p.norm(n.afterMLP, c.HiddenSize)
	switch {
	case c.Convolves(i):
		l.conv = p.convolution()
		l.o = p.one("conv.out_proj", c.ConvBias, c.HiddenSize, c.HiddenSize)
	case c.Deltas(i):
		_, values := c.deltaRows()
		l.delta = p.delta()
		l.o = p.one("linear_attn.out_proj", false, c.HiddenSize, values)
	default:
		p.attention(i, &l)
	}
	l.gate = p.one("mlp.gate_proj", c.MLPBias, c.Intermediate, c.HiddenSize)
	l.up = p.one("mlp.up_proj", c.MLPBias, c.Intermediate, c.HiddenSize)
	l.down = p.one("mlp.down_proj", c.MLPBias, c.HiddenSize, c.Intermediate)
	if c.family.reminders && p.err == nil {
		l.reminder, p.err = c.storeReminder(ctx, s, p.at)
	}
	return l, p.err
}

// A part is a layer whose weights are being stored: nothing is once there is an error.
type part struct {
	ctx context.Context //nolint:containedctx // it lives as long as a call
	c   *Config
	s   *weights.Store
	at  string
	err error
}

func (p *part) norm(name string, n int) *onnxgraph.Stored {
	if p.err != nil || name == "" {
		return nil
	}
	var v onnxgraph.Stored
	v, p.err = p.c.storeNorm(p.s, p.at+name+".weight", n)
	return &v
}

// join stores matrices one below the other.
func (p *part) join(name string, bias bool, width int, parts []string, rows ...int) (m linear) {
	var matrices, biases []string
	for _, part := range parts {
		matrices, biases = append(matrices, p.at+part+".weight"), append(biases, p.at+part+".bias")
	}
	if p.err == nil {
		m.Matrix, p.err = p.s.Matrix(p.ctx, p.at+name+".weight", matrices, width, rows...)
	}
	if p.err == nil && bias {
		var b onnxgraph.Stored
		b, p.err = p.s.StoreVector(p.at+name+".bias", biases, rows...)
		m.bias = &b
	}
	return m
}

func (p *part) one(name string, bias bool, rows, width int) linear {
	return p.join(name, bias, width, []string{name}, rows)
}

func (p *part) attention(i int, l *layer) {
	c, head := p.c, p.c.headSize(i)
	bias := c.family.qkvBias || c.AttentionBias
	q, k, v := "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"
	queries, keys := c.Heads*head, c.kvHeads(i)*head
	if c.family.qkNorm == noNorm && c.original == 0 && p.s.Alike(p.at+q+".weight", p.at+k+".weight", p.at+v+".weight") {
		l.qkv = []linear{p.join("self_attn.qkv_proj", bias, c.HiddenSize, []string{q, k, v}, queries, keys, keys)}
	} else {
		rows := queries
		if c.family.gated {
			rows *= 2
		}
		l.qkv = []linear{p.one(q, bias, rows, c.HiddenSize), p.one(k, bias, keys, c.HiddenSize),
			p.one(v, bias, keys, c.HiddenSize)}
	}
	switch c.family.qkNorm {
	case headNorm:
		l.qNorm, l.kNorm = p.norm("self_attn.q_norm", head), p.norm("self_attn.k_norm", head)
	case rowNorm:
		l.qNorm, l.kNorm = p.norm("self_attn.q_norm", queries), p.norm("self_attn.k_norm", keys)
	}
	if c.family.vNorm && p.err == nil {
		l.vNorm, p.err = storeOnes(p.s, p.at+"self_attn.v_norm.ones", head)
	}
	l.o = p.one("self_attn.o_proj", c.AttentionBias && !c.family.plainO, c.HiddenSize, queries)
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
		if l.conv != nil {
			all = append(all, l.conv.in.Matrix)
		}
		if d := l.delta; d != nil {
			all = append(all, d.qkv.Matrix, d.gate.Matrix, d.update.Matrix, d.fade.Matrix)
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
