package decoder

import (
	"fmt"
	"math"

	"textmill/models/checkpoint/internal/rotary"
)

// ropeScale is rope_scaling, or rope_parameters of newer checkpoints.
type ropeScale struct {
	Type       string   `json:"rope_type"`
	OldType    string   `json:"type"`
	Theta      float64  `json:"rope_theta"`
	Factor     float64  `json:"factor"`
	Low        float64  `json:"low_freq_factor"`
	High       float64  `json:"high_freq_factor"`
	Original   int      `json:"original_max_position_embeddings"`
	Attention  *float64 `json:"attention_factor"`
	BetaFast   *float64 `json:"beta_fast"`
	BetaSlow   *float64 `json:"beta_slow"`
	Truncate   *bool    `json:"truncate"`
	MScale     *float64 `json:"mscale"`
	MScaleDims *float64 `json:"mscale_all_dim"`
}

func (c *Config) scaling() ropeScale {
	var s ropeScale
	if c.Scaling != nil {
		s = *c.Scaling
	} else if c.Parameters != nil {
		s = *c.Parameters
	}
	if s.Type == "" {
		s.Type = s.OldType
	}
	if s.Type == "" {
		s.Type = "default"
	}
	if s.Original == 0 {
		s.Original = c.MaxPositions
	}
	return s
}

// SetRotaryDivisors has the frequencies divided by factors that the checkpoint holds itself, instead of by
// rope_scaling.
func (c *Config) SetRotaryDivisors(factors []float32) { c.rotaryDivisors = factors }

// divisors are what each frequency is divided by, all above zero.
func (c *Config) divisors() ([]float32, error) {
	d, err := c.scale()
	if err != nil {
		return nil, err
	}
	for i, v := range d {
		if !(v > 0) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("%w: rotary frequency %d is divided by %v", ErrUnsupported, i, v)
		}
	}
	if m := c.scaling().magnitude(); !(m > 0) || math.IsInf(m, 0) {
		return nil, fmt.Errorf("%w: rotated vectors are scaled by %v", ErrUnsupported, m)
	}
	return d, nil
}

func (c *Config) scale() ([]float32, error) {
	if c.rotaryDivisors != nil {
		if len(c.rotaryDivisors) != c.HeadSize/2 {
			return nil, fmt.Errorf("%w: %d rotary factors for heads of %d", ErrUnsupported, len(c.rotaryDivisors), c.HeadSize)
		}
		return c.rotaryDivisors, nil
	}
	s, d := c.scaling(), make([]float32, c.HeadSize/2)
	if s.Type != "default" && !(s.Factor >= 1) {
		return nil, fmt.Errorf("%w: rope_scaling %s has factor %v", ErrUnsupported, s.Type, s.Factor)
	}
	for i, f := range rotary.Frequencies(c.Theta, c.HeadSize) {
		switch s.Type {
		case "default":
			d[i] = 1
		case "linear":
			d[i] = float32(s.Factor)
		case "llama3":
			d[i] = float32(s.llama3(float64(f)))
		case "yarn":
			d[i] = float32(s.yarn(float64(i), c))
		default:
			return nil, fmt.Errorf("%w: rope_scaling of type %q; known are default, linear, llama3 and yarn", ErrUnsupported,
				s.Type)
		}
	}
	return d, nil
}

// llama3 keeps fast frequencies, divides slow ones, and goes smoothly from one to the other between.
func (s ropeScale) llama3(frequency float64) float64 {
	wave := 2 * math.Pi / frequency
	switch {
	case wave > float64(s.Original)/s.Low:
		return s.Factor
	case wave < float64(s.Original)/s.High:
		return 1
	}
	smooth := (float64(s.Original)/wave - s.Low) / (s.High - s.Low)
	return 1 / ((1-smooth)/s.Factor + smooth)
}

// yarn does the same by the number of turns that a dimension makes within the original length.
func (s ropeScale) yarn(i float64, c *Config) float64 {
	dimension := func(turns float64) float64 {
		return float64(c.HeadSize) * math.Log(float64(s.Original)/(turns*2*math.Pi)) / (2 * math.Log(c.Theta))
	}
	low, high := dimension(or(s.BetaFast, 32)), dimension(or(s.BetaSlow, 1))
	if s.Truncate == nil || *s.Truncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(c.HeadSize-1))
	if low == high {
		high += 0.001
	}
	ramp := max(0, min(1, (i-low)/(high-low)))
	return 1 / (ramp/s.Factor + 1 - ramp)
}

// magnitude is what cosines and sines are multiplied with.
func (s ropeScale) magnitude() float64 {
	scale := func(m float64) float64 {
		if s.Factor <= 1 {
			return 1
		}
		return float64(0.1*m*math.Log(s.Factor)) + 1
	}
	switch {
	case s.Type != "yarn":
		return 1
	case s.Attention != nil:
		return *s.Attention
	case s.MScale != nil && s.MScaleDims != nil && *s.MScale > 0 && *s.MScaleDims > 0:
		return scale(*s.MScale) / scale(*s.MScaleDims)
	}
	return scale(1)
}

func or(v *float64, otherwise float64) float64 {
	if v == nil {
		return otherwise
	}
	return *v
}

// rotary is the table that every layer rotates by.
func (c *Config) rotary() (rotary.Table, error) {
	divisors, err := c.divisors()
	if err != nil {
		return rotary.Table{}, err
	}
	frequencies := rotary.Frequencies(c.Theta, c.HeadSize)
	for i := range frequencies {
		frequencies[i] /= divisors[i]
	}
	return rotary.Table{Frequencies: frequencies, Positions: c.MaxPositions, Magnitude: float32(c.scaling().magnitude())},
		nil
}
