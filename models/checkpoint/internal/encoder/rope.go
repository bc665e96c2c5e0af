package encoder

import (
	"encoding/json"
	"fmt"
	"math"

	"textmill/models/checkpoint/internal/rotary"
	"textmill/models/checkpoint/onnxgraph"
)

// ropeParameters are a rotation in transformers' words, those of older checkpoints too.
type ropeParameters struct {
	Type    string   `json:"rope_type"`
	OldType string   `json:"type"`
	Theta   *float64 `json:"rope_theta"`
	Factor  float64  `json:"factor"`
	Mixed   *float64 `json:"mixed_b"`
	Partial *float64 `json:"partial_rotary_factor"`
}

// readRope has all layers see everything and rotate whole heads, by what config.json says.
func readRope(c *Config, data []byte, theta float64) error {
	var n struct {
		Theta      *float64        `json:"rope_theta"`
		Parameters *ropeParameters `json:"rope_parameters"`
		Scaling    *ropeParameters `json:"rope_scaling"`
	}
	if err := json.Unmarshal(data, &n); err != nil {
		return fmt.Errorf("read config.json: %w", err)
	}
	r := rotation{on: true, sliding: make([]bool, min(max(c.Layers, 0), maxLayers))}
	r.theta[global] = theta
	if n.Theta != nil {
		r.theta[global] = *n.Theta
	}
	c.rotation = r
	for _, p := range []*ropeParameters{n.Scaling, n.Parameters} {
		if p == nil {
			continue
		}
		if err := c.scale(*p); err != nil {
			return err
		}
	}
	return nil
}

// scale takes one set of parameters over.
func (c *Config) scale(p ropeParameters) error {
	r := &c.rotation
	if p.Theta != nil {
		r.theta[global] = *p.Theta
	}
	kind := p.Type
	if kind == "" {
		kind = p.OldType
	}
	switch {
	case p.Partial != nil && *p.Partial != 1:
		return fmt.Errorf("%w: partial_rotary_factor is %v, 1 is known", ErrUnsupported, *p.Partial)
	case kind == "" || kind == "default":
		return nil
	case !(p.Factor >= 1) || math.IsInf(p.Factor, 0):
		return fmt.Errorf("%w: rope_type is %q with factor %v", ErrUnsupported, kind, p.Factor)
	case kind == "linear":
		r.divisor = p.Factor
	case kind == "dynamic":
		r.stretch = stretch{factor: p.Factor, from: c.MaxPositions}
	case kind == "ntk" && !(c.Heads > 0 && c.HiddenSize >= 2*c.Heads):
		return fmt.Errorf("%w: num_attention_heads is %d, hidden_size %d", ErrUnsupported, c.Heads, c.HiddenSize)
	case kind == "ntk" && p.Mixed == nil:
		r.theta[global] *= p.Factor
		r.divisor = rotary.Power(p.Factor, 2/float32(c.HiddenSize/c.Heads))
	default:
		return fmt.Errorf("%w: rope_type is %q; known are default, linear, dynamic, and ntk without mixed_b", ErrUnsupported, kind)
	}
	return nil
}

func (r rotation) frequencies(kind, size int) []float32 {
	f := rotary.Frequencies(r.theta[kind], size)
	for i := range f {
		if r.divisor != 0 {
			f[i] /= float32(r.divisor)
		}
	}
	return f
}

// A stretch is a rotation whose base grows with the text's length where that is greater than from (dynamic NTK). The
// zero value is none.
type stretch struct {
	factor float64
	from   int
}

func (s stretch) on() bool { return s.from > 0 }

// stretched gives cosines and sines of every token, and their rows as positions.
func (b *builder) stretched() (positions, cos, sin string) {
	angles := b.angles
	if angles == "" {
		angles = b.stretchedAngles()
		b.angles = angles
	}
	of := func(op string) string {
		return b.once(op, func() string {
			x := b.Node(onnxgraph.ONNX(op), []string{b.Reshape(angles, -1, b.m.HiddenSize/b.m.Heads/2)})
			if b.Values != onnxgraph.Float32 {
				x = b.Cast(x, b.Values)
			}
			return x
		})
	}
	cos, sin = of("Cos"), of("Sin")
	positions = b.once("rows", func() string {
		shape := b.Node(onnxgraph.ONNX("Shape"), []string{angles}, onnxgraph.Int("end", -1))
		n := b.Node(onnxgraph.ONNX("ReduceProd"), []string{shape}, onnxgraph.Int("keepdims", 0))
		all := b.Node(onnxgraph.ONNX("Range"), []string{b.Scalar("from", 0), n, b.Scalar("step", 1)})
		return b.Node(onnxgraph.ONNX("Reshape"), []string{all, shape})
	})
	return positions, cos, sin
}

// stretchedAngles is [texts, sequence, half a head]: a frequency is a power of the base, times one of what the base
// grows by.
func (b *builder) stretchedAngles() string {
	s, size := b.m.rotation.stretch, b.m.HiddenSize/b.m.Heads
	exponents := make([]float32, size/2)
	for i := range exponents {
		exponents[i] = -float32(2*i) / float32(size-2)
	}
	places, lengths := b.ruler()
	grown := b.Floats("stretch", float32(s.factor/float64(s.from)))
	grown = b.Node(onnxgraph.ONNX("Mul"), []string{lengths, grown})
	grown = b.Node(onnxgraph.ONNX("Sub"), []string{grown, b.Floats("unstretched", float32(s.factor-1))})
	grown = b.Node(onnxgraph.ONNX("Max"), []string{grown, b.Floats("least", 1)})
	grown = b.Node(onnxgraph.ONNX("Log"), []string{grown})
	grown = b.Node(onnxgraph.ONNX("Mul"), []string{grown, b.Floats("exponents", exponents...)})
	frequencies := b.Floats("frequencies", b.m.rotation.frequencies(global, size)...)
	grown = b.Node(onnxgraph.ONNX("Mul"), []string{b.Node(onnxgraph.ONNX("Exp"), []string{grown}), frequencies})
	return b.Node(onnxgraph.ONNX("Mul"), []string{places, grown})
}
