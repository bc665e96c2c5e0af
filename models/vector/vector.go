// Package vector brings vectors to the form in which they are kept.
package vector

import (
	"fmt"
	"math"
)

// Precisions that a vector can be stored in.
const (
	Float32 = "float32"
	Int8    = "int8"    // q = round(v / max|v| · 127): the scale is the vector's own, so that no batch-mate matters
	Uint8   = "uint8"   // int8's q + 128
	Binary  = "binary"  // sign bits, packed as numpy.packbits does, minus 128
	Ubinary = "ubinary" // sign bits, packed as numpy.packbits does
)

// Params say what is done to a vector after pooling.
type Params struct {
	Dimensions int     // 0 keeps all; a smaller number keeps the first ones (Matryoshka)
	Normalize  bool    // to length 1
	Precision  string  // "" is float32
	Ranges     *Ranges // of int8 and uint8; nil: each vector has a scale of its own
}

// Finished holds the values as they are stored: exactly one of F, I8 and U8 is set.
type Finished struct {
	F  []float32
	I8 []int8  // int8, binary
	U8 []uint8 // uint8, ubinary
	// Norm is the length after the cut and before normalization; Dim is the number of dimensions that the values stand
	// for.
	Norm float64
	Dim  int
}

// Finish cuts v, measures it, normalizes it and brings it to the precision asked for. It uses v's memory.
// A vector of length 0 stays as it is.
func Finish(v []float32, p Params) (Finished, error) {
	if p.Dimensions < 0 || p.Dimensions > len(v) {
		return Finished{}, fmt.Errorf("dimensions %d: the vector has %d", p.Dimensions, len(v))
	}
	if p.Dimensions > 0 {
		v = v[:p.Dimensions]
	}
	f := Finished{Norm: length(v), Dim: len(v)}
	if p.Normalize && f.Norm > 0 {
		scale := float32(1 / f.Norm)
		for i := range v {
			v[i] *= scale
		}
	}
	if p.Ranges != nil {
		if err := p.Ranges.fit(len(v)); err != nil {
			return Finished{}, err
		}
	}
	switch p.Precision {
	case "", Float32:
		f.F = v
	case Int8:
		f.I8 = make([]int8, len(v))
		if p.Ranges != nil {
			p.Ranges.quantize(v, func(i int, q float64) { f.I8[i] = int8(q - 128) })
			break
		}
		quantize(v, func(i int, q float64) { f.I8[i] = int8(q) })
	case Uint8:
		f.U8 = make([]uint8, len(v))
		if p.Ranges != nil {
			p.Ranges.quantize(v, func(i int, q float64) { f.U8[i] = uint8(q) })
			break
		}
		quantize(v, func(i int, q float64) { f.U8[i] = uint8(q + 128) })
	case Binary:
		bits := packSigns(v)
		f.I8 = make([]int8, len(bits))
		for i, b := range bits {
			f.I8[i] = int8(int(b) - 128)
		}
	case Ubinary:
		f.U8 = packSigns(v)
	default:
		return Finished{}, fmt.Errorf("precision %q is none of float32, int8, uint8, binary, ubinary", p.Precision)
	}
	return f, nil
}

func length(v []float32) float64 {
	var a, b float64
	for len(v) >= 2 {
		x, y := float64(v[0]), float64(v[1])
		a += x * x
		b += y * y
		v = v[2:]
	}
	if len(v) > 0 {
		a += float64(v[0]) * float64(v[0])
	}
	return math.Sqrt(a + b)
}

func quantize(v []float32, put func(i int, q float64)) {
	var top float64
	for _, x := range v {
		top = max(top, math.Abs(float64(x)))
	}
	if top == 0 {
		top = 1
	}
	for i, x := range v {
		put(i, math.Round(float64(x)/top*127))
	}
}

// packSigns packs v > 0 into bytes, the first value into the highest bit; the last byte is filled with zeros.
func packSigns(v []float32) []uint8 {
	bits := make([]uint8, (len(v)+7)/8)
	for i, x := range v {
		if x > 0 {
			bits[i/8] |= 0x80 >> (i % 8)
		}
	}
	return bits
}
