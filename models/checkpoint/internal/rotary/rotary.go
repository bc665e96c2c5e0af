// Package rotary computes the cosines and sines that positions are rotated by, the same bits on every machine: a
// bundle made of a checkpoint must have the same hash wherever it was made, and Go's own functions differ in their
// last bits between processors.
package rotary

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"math/big"
)

// Frequencies are the angles per position for heads of the given size, rounded to fp32 where the reference rounds.
func Frequencies(theta float64, headSize int) []float32 {
	power := powers(theta)
	f := make([]float32, headSize/2)
	for i := range f {
		f[i] = 1 / float32(power(float32(2*i)/float32(headSize)))
	}
	return f
}

// Power raises base to an exponent from 0 to below 1.
func Power(base float64, exponent float32) float64 { return powers(base)(exponent) }

// A Table holds the cosines and sines of the first positions, [Positions, len(Frequencies)] each, times Magnitude.
type Table struct {
	Frequencies []float32
	Positions   int
	Magnitude   float32
}

// Cosines and Sines write the table's numbers as fp32, little-endian, and need memory for a position at a time.
func (t Table) Cosines(ctx context.Context) func(io.Writer) error {
	return t.write(ctx, func(x float64) float64 { _, c := sincos(x); return c })
}

func (t Table) Sines(ctx context.Context) func(io.Writer) error {
	return t.write(ctx, func(x float64) float64 { s, _ := sincos(x); return s })
}

func (t Table) write(ctx context.Context, of func(angle float64) float64) func(io.Writer) error {
	return func(w io.Writer) error {
		row := make([]byte, 0, 4*len(t.Frequencies))
		for p := range t.Positions {
			if p%1024 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			row = row[:0]
			for _, f := range t.Frequencies {
				v := float32(of(float64(float32(p)*f))) * t.Magnitude
				row = binary.LittleEndian.AppendUint32(row, math.Float32bits(v))
			}
			if _, err := w.Write(row); err != nil {
				return err
			}
		}
		return nil
	}
}

// precision leaves many more bits than a float64 has.
const precision = 128

// powers gives a function that raises base to an exponent from 0 to below 1. An fp32 is a sum of negative powers of
// two, and base to each of those is a root of a root.
func powers(base float64) func(exponent float32) float64 {
	var roots []*big.Float
	return func(exponent float32) float64 {
		product := big.NewFloat(1).SetPrec(precision)
		for k, rest := 0, exponent; rest > 0; k++ {
			if k == len(roots) {
				of := new(big.Float).SetPrec(precision).SetFloat64(base)
				if k > 0 {
					of = roots[k-1]
				}
				roots = append(roots, new(big.Float).SetPrec(precision).Sqrt(of))
			}
			if rest *= 2; rest >= 1 {
				product.Mul(product, roots[k])
				rest--
			}
		}
		f, _ := product.Float64()
		return f
	}
}

// Half of π, in three parts.
const (
	halfPi1 = 0x1.921fb54442d18p+00
	halfPi2 = 0x1.1a62633145c07p-54
	halfPi3 = -0x1.f1976b7ed8fbcp-110
)

// sincos is exact to about 1e-16 for angles up to millions. Every operation in it rounds once, as Go prescribes:
// products and sums that a compiler may or may not fuse are fused here.
func sincos(x float64) (sin, cos float64) {
	n := math.RoundToEven(x * (2 / math.Pi))
	r := math.FMA(-n, halfPi1, x)
	r = math.FMA(-n, halfPi2, r)
	r = math.FMA(-n, halfPi3, r)
	square := r * r
	s, c := 0.0, 0.0
	for i := len(sines) - 1; i >= 0; i-- {
		s, c = math.FMA(s, square, sines[i]), math.FMA(c, square, cosines[i])
	}
	s *= r
	switch int64(n) & 3 {
	case 1:
		return c, -s
	case 2:
		return -s, -c
	case 3:
		return -c, s
	}
	return s, c
}

// The series of sin(r)/r and cos(r) in r².
var (
	sines = [...]float64{1, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800,
		-1.0 / 1307674368000, 1.0 / 355687428096000, -1.0 / 121645100408832000}
	cosines = [...]float64{1, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600,
		-1.0 / 87178291200, 1.0 / 20922789888000, -1.0 / 6402373705728000}
)
