package decoder

import (
	"fmt"
	"math"

	"textmill/models/checkpoint/internal/rotary"
)

// ropeScale is rope_scaling, or rope_parameters of newer checkpoints.
type ropeScale struct {
	Type       string    `json:"rope_type"`
	OldType    string    `json:"type"`
	Theta      float64   `json:"rope_theta"`
	Factor     float64   `json:"factor"`
	Low        float64   `json:"low_freq_factor"`
	High       float64   `json:"high_freq_factor"`
	Original   int       `json:"original_max_position_embeddings"`
	Attention  *float64  `json:"attention_factor"`
	BetaFast   *float64  `json:"beta_fast"`
	BetaSlow   *float64  `json:"beta_slow"`
	Truncate   *bool     `json:"truncate"`
	MScale     *float64  `json:"mscale"`
	MScaleDims *float64  `json:"mscale_all_dim"`
	Partial    float64   `json:"partial_rotary_factor"`
	Short      []float32 `json:"short_factor"`
	Long       []float32 `json:"long_factor"`
}

// longrope has a set of divisors for texts of up to original_max_position_embeddings tokens, and another one for all
// tokens of longer ones. What a cache holds was rotated by the first: a text that becomes longer is computed anew.
// Models whose reference does not do that are built for texts up to there.
const longrope = "longrope"

// proportional rotates the first of a head's pairs by what they would rotate by if all of them did.
const proportional = "proportional"

// part is how much of a head a proportional rotation rotates.
func (s ropeScale) part() float64 {
	if s.Partial == 0 {
		return 1
	}
	return s.Partial
}

// ropeParameters are those of all layers, or of two kinds of layers.
type ropeParameters struct {
	ropeScale
	Full    *ropeScale `json:"full_attention"`
	Sliding *ropeScale `json:"sliding_attention"`
}

// A rotation is how a layer rotates its queries and keys.
type rotation struct {
	ropeScale
	theta float64
	dims  int // of a head that rotate
	baked []float32
}

// Baked tells what a checkpoint's tensors have in them that config.json says of others.
type Baked struct {
	// Divisors are what the rotation's frequencies are divided by, instead of by rope_scaling; nil for nothing.
	Divisors []float32
	// PlusOne: norms that multiply with 1 + weight have the sum as their weight.
	PlusOne bool
	// Deltas: of delta rules, how fast memories fade is there in the place of its logarithm, and the heads of values take
	// those of keys by turns, not each some that follow each other.
	Deltas bool
}

// SetBaked is called before Store.
func (c *Config) SetBaked(b Baked) { c.baked = b }

// rotation is that of layers that see everything, or of those that slide where they have one of their own.
func (c *Config) rotation(sliding bool) rotation {
	own := sliding && c.family.ownRotation
	head := c.HeadSize
	if !own {
		head = c.fullHead()
	}
	r := rotation{theta: c.Theta, dims: int(float64(head) * c.PartialRotary), baked: c.baked.Divisors}
	switch p := c.Parameters; {
	case own && p != nil && p.Sliding != nil:
		r.ropeScale = *p.Sliding
	case own:
		if r.baked = nil; c.LocalTheta != 0 {
			r.theta = c.LocalTheta
		}
	case c.Scaling != nil:
		r.ropeScale = *c.Scaling
	case p != nil && p.Full != nil:
		r.ropeScale = *p.Full
	case p != nil:
		r.ropeScale = p.ropeScale
	}
	if r.Theta != 0 {
		r.theta = r.Theta
	}
	if r.Type == "" {
		r.Type = r.OldType
	}
	if r.Type == "" {
		r.Type = "default"
	}
	if r.Type == "su" {
		r.Type = longrope
	}
	if c.Original > 0 && r.Type == longrope {
		r.Original = c.Original
	}
	if r.Original == 0 {
		r.Original = c.MaxPositions
	}
	if r.Type == proportional && r.Factor == 0 {
		r.Factor = 1
	}
	if r.Type == longrope && r.Factor == 0 {
		r.Factor = max(1, float64(max(c.span, c.MaxPositions))/float64(r.Original))
	}
	return r
}

// divisors are what each frequency is divided by, all above zero.
func (r rotation) divisors() ([]float32, error) {
	if !(r.theta > 0) {
		return nil, fmt.Errorf("%w: rope_theta is %v", ErrUnsupported, r.theta)
	}
	d, err := r.scale()
	if err != nil {
		return nil, err
	}
	for i, v := range d {
		if !(v > 0) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("%w: rotary frequency %d is divided by %v", ErrUnsupported, i, v)
		}
	}
	if m := r.magnitude(); !(m > 0) || math.IsInf(m, 0) {
		return nil, fmt.Errorf("%w: rotated vectors are scaled by %v", ErrUnsupported, m)
	}
	return d, nil
}

func (r rotation) scale() ([]float32, error) {
	if r.baked != nil {
		if len(r.baked) != r.dims/2 {
			return nil, fmt.Errorf("%w: %d rotary factors for %d rotated dimensions", ErrUnsupported, len(r.baked), r.dims)
		}
		return r.baked, nil
	}
	d := make([]float32, r.dims/2)
	if err := r.check(); err != nil {
		return nil, err
	}
	if p := r.part(); r.Type == proportional && !(p > 0 && p <= 1) {
		return nil, fmt.Errorf("%w: partial_rotary_factor is %v", ErrUnsupported, p)
	}
	if r.Type == longrope {
		if len(r.Short) != len(d) {
			return nil, fmt.Errorf("%w: short_factor has %d numbers for %d rotated dimensions", ErrUnsupported, len(r.Short),
				r.dims)
		}
		return r.Short, nil
	}
	for i, f := range rotary.Frequencies(r.theta, r.dims) {
		switch r.Type {
		case "default":
			d[i] = 1
		case "linear", proportional:
			d[i] = float32(r.Factor)
		case "llama3":
			d[i] = float32(r.llama3(float64(f)))
		case "yarn":
			d[i] = float32(r.yarn(float64(i)))
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
func (r rotation) yarn(i float64) float64 {
	dimension := func(turns float64) float64 {
		return float64(r.dims) * math.Log(float64(r.Original)/(turns*2*math.Pi)) / (2 * math.Log(r.theta))
	}
	low, high := dimension(or(r.BetaFast, 32)), dimension(or(r.BetaSlow, 1))
	if r.Truncate == nil || *r.Truncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(r.dims-1))
	if low == high {
		high += 0.001
	}
	ramp := max(0, min(1, (i-low)/(high-low)))
	return 1 / (ramp/r.Factor + 1 - ramp)
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
	case s.Type != "yarn" && s.Type != longrope:
		return 1
	case s.Attention != nil:
		return *s.Attention
	case s.Type == longrope && s.Factor <= 1:
		return 1
	case s.Type == longrope:
		return math.Sqrt(1 + math.Log(s.Factor)/math.Log(float64(s.Original)))
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

// settleLong takes how many tokens texts may have that are rotated by longrope's short divisors.
func (c *Config) settleLong(original int) {
	switch c.span = c.MaxPositions; {
	case c.family.longTexts && original < c.MaxPositions:
		c.original = original
	default:
		c.MaxPositions = min(c.MaxPositions, original)
	}
}

// rotations are that of layers that see everything, and that of those that slide where they have one of their own.
func (c *Config) rotations() []rotation {
	if !c.family.ownRotation {
		return []rotation{c.rotation(false)}
	}
	return []rotation{c.rotation(false), c.rotation(true)}
}

// ShortPositions is how many tokens a text may have to be rotated from the first row of the table on, 0 for all.
func (c *Config) ShortPositions() int { return c.original }

// tables are what layers look positions up in: where there are two, the second is that of texts of more tokens than
// the first has positions.
func (c *Config) tables(r rotation) ([]rotary.Table, error) {
	if r.Type != longrope || c.original == 0 {
		t, err := r.table(c.MaxPositions)
		return []rotary.Table{t}, err
	}
	short, err := r.table(c.original)
	if err != nil {
		return nil, err
	}
	r.Short = r.Long
	long, err := r.table(c.MaxPositions)
	if err != nil {
		return nil, fmt.Errorf("of long_factor: %w", err)
	}
	return []rotary.Table{short, long}, nil
}

// table is what a layer with that rotation looks positions up in.
func (r rotation) table(positions int) (rotary.Table, error) {
	divisors, err := r.divisors()
	if err != nil {
		return rotary.Table{}, err
	}
	frequencies := rotary.Frequencies(r.theta, r.dims)
	for i := range frequencies {
		if frequencies[i] /= divisors[i]; r.Type == proportional && i >= int(r.part()*float64(r.dims)/2) {
			frequencies[i] = 0
		}
	}
	return rotary.Table{Frequencies: frequencies, Positions: positions, Magnitude: float32(r.magnitude())}, nil
}
