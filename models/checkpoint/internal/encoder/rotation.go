package encoder

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// A rotation is how a model without a table of positions tells them apart. The zero value is for models with one.
type rotation struct {
	on bool
	// theta is the base of the frequencies: in layers that see everything, and in those that see a window.
	theta [2]float64
	// divisor, unless 0, is what all frequencies are divided by.
	divisor float64
	stretch stretch
	// sliding tells for each layer whether it sees only the tokens that are at most reach away.
	sliding []bool
	reach   int
}

// Indices into what a rotation has for the two kinds of layers.
const (
	global = iota
	local
)

func (r rotation) kind(layer int) int {
	if r.sliding[layer] {
		return local
	}
	return global
}

// near tells whether a layer sees a window only.
func (r rotation) near(layer int) bool { return r.on && r.sliding[layer] }

// longest is how many tokens a text may have that runs alone, 0 where none does.
func (c *Config) longest() int {
	if !c.rotation.on || c.rotation.reach == 0 && slices.Contains(c.rotation.sliding, true) {
		return 0
	}
	return c.MaxPositions
}

// modernNames are ModernBERT's words, those of older checkpoints too.
type modernNames struct {
	Epsilon       *float64                   `json:"norm_eps"`
	Activation    string                     `json:"hidden_activation"`
	AttentionBias bool                       `json:"attention_bias"`
	MLPBias       bool                       `json:"mlp_bias"`
	NormBias      bool                       `json:"norm_bias"`
	GlobalEvery   int                        `json:"global_attn_every_n_layers"`
	Local         int                        `json:"local_attention"`
	GlobalTheta   *float64                   `json:"global_rope_theta"`
	LocalTheta    *float64                   `json:"local_rope_theta"`
	LayerTypes    []string                   `json:"layer_types"`
	Parameters    map[string]*ropeParameters `json:"rope_parameters"`
	Scaling       *ropeParameters            `json:"rope_scaling"`
}

const fullAttention, slidingAttention = "full_attention", "sliding_attention"

func readModern(c *Config, data []byte) error {
	m := modernNames{Activation: "gelu", GlobalEvery: 3, Local: 128}
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("read config.json: %w", err)
	}
	c.Activation, c.attentionBias, c.normBias, c.Epsilon = m.Activation, m.AttentionBias, m.NormBias, 1e-5
	c.upBias, c.downBias = m.MLPBias, m.MLPBias
	if m.Epsilon != nil {
		c.Epsilon = *m.Epsilon
	}
	r := rotation{on: true, reach: m.Local / 2}
	for kind, k := range [...]struct {
		name  string
		old   *float64
		theta float64
	}{global: {fullAttention, m.GlobalTheta, 160000}, local: {slidingAttention, m.LocalTheta, 10000}} {
		r.theta[kind] = k.theta
		if k.old != nil {
			r.theta[kind] = *k.old
		}
		for _, p := range []*ropeParameters{m.Scaling, m.Parameters[k.name]} {
			if p != nil && p.Type != "" && p.Type != "default" {
				return fmt.Errorf("%w: rope_type is %q for %s, default is known", ErrUnsupported, p.Type, k.name)
			}
			if p != nil && p.Theta != nil {
				r.theta[kind] = *p.Theta
			}
		}
	}
	if len(m.LayerTypes) == 0 && m.GlobalEvery > 0 && c.Layers <= maxLayers {
		for i := range c.Layers {
			r.sliding = append(r.sliding, i%m.GlobalEvery != 0)
		}
	}
	for _, t := range m.LayerTypes {
		if t != fullAttention && t != slidingAttention {
			return fmt.Errorf("%w: layer type %q", ErrUnsupported, t)
		}
		r.sliding = append(r.sliding, t == slidingAttention)
	}
	c.rotation = r
	return nil
}

// maxTable bounds a table of rotations, in numbers.
const maxTable = 1 << 29

func (r rotation) check(c *Config) error {
	if !r.on {
		return nil
	}
	switch size := c.HiddenSize / c.Heads; {
	case len(r.sliding) != c.Layers:
		return fmt.Errorf("%w: layer_types or global_attn_every_n_layers speaks of %d layers, num_hidden_layers is %d",
			ErrUnsupported, len(r.sliding), c.Layers)
	case r.reach < 0:
		return fmt.Errorf("%w: local_attention is negative", ErrUnsupported)
	case size%8 != 0 || size > maxTable/c.MaxPositions:
		return fmt.Errorf("%w: heads of %d with max_position_embeddings %d (ONNX Runtime rotates multiples of 8)",
			ErrUnsupported, size, c.MaxPositions)
	}
	for i, t := range r.theta {
		if !(t > 0) && (i == global || slices.Contains(r.sliding, true)) || math.IsInf(t, 0) {
			return fmt.Errorf("%w: rope_theta is %v", ErrUnsupported, t)
		}
	}
	return nil
}
