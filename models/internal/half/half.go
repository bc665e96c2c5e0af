// Package half reads float16 values.
package half

import (
	"encoding/binary"
	"math"
)

// Widen turns raw float16 values into float32.
func Widen(dst []float32, src []byte) {
	for i := range dst {
		h := binary.NativeEndian.Uint16(src[2*i:])
		sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
		switch {
		case exponent == 31:
			dst[i] = math.Float32frombits(sign | 0x7f800000 | fraction<<13)
		case exponent == 0:
			f := float32(fraction) / (1 << 24)
			dst[i] = math.Float32frombits(sign | math.Float32bits(f))
		default:
			dst[i] = math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
		}
	}
}
