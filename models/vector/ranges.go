package vector

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
)

// Ranges are the least and the greatest value of each dimension, as a calibration set has them, which int8 and uint8
// cut into 256 steps of one width. They are sentence-transformers' ranges.
type Ranges struct{ Least, Most []float32 }

// step is the width of a dimension's steps; a range of no width is taken for one of steps of 1.
func (r *Ranges) step(i int) float32 {
	step := float32(r.Most[i]-r.Least[i]) / 255
	if step == 0 {
		return 1
	}
	return step
}

// fit says whether they are ranges of vectors of so many dimensions.
func (r *Ranges) fit(dim int) error {
	if len(r.Least) != dim {
		return fmt.Errorf("ranges: they are of %d dimensions, the vectors have %d", len(r.Least), dim)
	}
	return nil
}

// quantize calls put with the number of each value's step, 0 to 255; what lies beyond the range is in the outermost.
func (r *Ranges) quantize(v []float32, put func(i int, q float64)) {
	for i, x := range v {
		q := math.Floor(float64(float32(float32(x-r.Least[i]) / r.step(i))))
		put(i, min(max(q, 0), 255))
	}
}

// Widen makes of the numbers of steps, those of vectors one behind the other, the values in the middle of them.
func (r *Ranges) Widen(steps []float32) {
	for at := 0; at < len(steps); at += len(r.Least) {
		v := steps[at:][:len(r.Least)]
		for i := range v {
			v[i] = (v[i]+0.5)*r.step(i) + r.Least[i]
		}
	}
}

// String writes ranges without spaces, slashes or colons: what DecodeRanges reads.
func (r *Ranges) String() string {
	var raw []byte
	for _, v := range [][]float32{r.Least, r.Most} {
		for _, x := range v {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(x))
		}
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// DecodeRanges reads ranges of dim dimensions.
func DecodeRanges(s string, dim int) (*Ranges, error) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) != 8*dim {
		return nil, fmt.Errorf("ranges of %d dimensions take %d bytes, these have %d", dim, 8*dim, len(raw))
	}
	r := &Ranges{Least: make([]float32, dim), Most: make([]float32, dim)}
	for i := range dim {
		r.Least[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		r.Most[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(dim+i):]))
	}
	return r, r.Check()
}

// Check finds a dimension whose range is none.
func (r *Ranges) Check() error {
	if len(r.Least) != len(r.Most) || len(r.Least) == 0 {
		return fmt.Errorf("ranges have %d least values and %d greatest ones", len(r.Least), len(r.Most))
	}
	for i, least := range r.Least {
		if width := float64(r.Most[i]) - float64(least); !(width >= 0) || width > math.MaxFloat32 {
			return fmt.Errorf("the range of dimension %d is from %v to %v", i, least, r.Most[i])
		}
	}
	return nil
}
