package tensor

import (
	"encoding/binary"
	"math"
)

// A Type is how a tensor's values are kept.
type Type uint8

// The types that can be read. The quantized ones are GGUF's.
const (
	Unknown Type = iota
	F32
	F16
	BF16
	Q4_0
	Q4_1
	Q5_0
	Q5_1
	Q8_0
	Q4_K
	Q5_K
	Q6_K
	F64
	I8
	I32
	I64
)

// A Form says what the blocks of a quantized type are made of.
type Form struct {
	// Size is how many values share a scale.
	Size int
	// Bits is the width of the integers: 4, or 8 also for those of 5 and 6.
	Bits int
	// Signed tells that the integers lie around zero; others count up from a block's lowest value.
	Signed bool
}

type layout struct {
	name          string
	values, bytes int // of a block in the file
	form          Form
	decode        func(q []int8, scale, low []float32, block []byte)
}

var layouts = [...]layout{
	Unknown: {name: "unknown", values: 1},
	F32:     {name: "F32", values: 1, bytes: 4},
	F16:     {name: "F16", values: 1, bytes: 2},
	BF16:    {name: "BF16", values: 1, bytes: 2},
	Q4_0:    {"Q4_0", 32, 18, Form{32, 4, true}, decodeQ4_0},
	Q4_1:    {"Q4_1", 32, 20, Form{32, 4, false}, decodeQ4_1},
	Q5_0:    {"Q5_0", 32, 22, Form{32, 8, true}, decodeQ5_0},
	Q5_1:    {"Q5_1", 32, 24, Form{32, 8, false}, decodeQ5_1},
	Q8_0:    {"Q8_0", 32, 34, Form{32, 8, true}, decodeQ8_0},
	Q4_K:    {"Q4_K", 256, 144, Form{32, 4, false}, decodeQ4_K},
	Q5_K:    {"Q5_K", 256, 176, Form{32, 8, false}, decodeQ5_K},
	Q6_K:    {"Q6_K", 256, 210, Form{16, 8, true}, decodeQ6_K},
	F64:     {name: "F64", values: 1, bytes: 8},
	I8:      {name: "I8", values: 1, bytes: 1},
	I32:     {name: "I32", values: 1, bytes: 4},
	I64:     {name: "I64", values: 1, bytes: 8},
}

func (t Type) layout() *layout {
	if int(t) < len(layouts) {
		return &layouts[t]
	}
	return &layouts[Unknown]
}

func (t Type) String() string { return t.layout().name }

// Quantized tells whether values are kept as integers with scales.
func (t Type) Quantized() bool { return t.layout().decode != nil }

// Form is that of a quantized type.
func (t Type) Form() Form { return t.layout().form }

func (t Type) known() bool      { return t.layout().bytes > 0 }
func (t Type) blockValues() int { return t.layout().values }
func (t Type) blockBytes() int  { return t.layout().bytes }

// decodeRow decodes all blocks of a row.
func (t Type) decodeRow(q []int8, scale, low []float32, raw []byte) {
	l := t.layout()
	scales := l.values / l.form.Size
	for len(raw) >= l.bytes {
		l.decode(q[:l.values], scale[:scales], low[:scales], raw[:l.bytes])
		raw, q, scale, low = raw[l.bytes:], q[l.values:], scale[scales:], low[scales:]
	}
}

func (t Type) decodeFloats(dst []float32, raw []byte) {
	switch t {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
	case F16:
		for i := range dst {
			dst[i] = half(raw[2*i:])
		}
	case BF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(raw[2*i:])) << 16)
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:])))
		}
	case I8:
		for i := range dst {
			dst[i] = float32(int8(raw[i]))
		}
	case I32:
		for i := range dst {
			dst[i] = float32(int32(binary.LittleEndian.Uint32(raw[4*i:])))
		}
	case I64:
		for i := range dst {
			dst[i] = float32(int64(binary.LittleEndian.Uint64(raw[8*i:])))
		}
	}
}

// half reads an IEEE 754 half-precision number.
func half(b []byte) float32 {
	h := uint32(binary.LittleEndian.Uint16(b))
	sign, exponent, fraction := h>>15<<31, h>>10&31, h&1023
	switch {
	case exponent == 31: // infinity and NaN
		return math.Float32frombits(sign | 255<<23 | fraction<<13)
	case exponent > 0:
		return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
	}
	v := float32(fraction) * (1.0 / (1 << 24)) // subnormal
	return math.Float32frombits(sign | math.Float32bits(v))
}
