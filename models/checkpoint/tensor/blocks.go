package tensor

import "encoding/binary"

// Blocks of 32 values keep value i and value i+16 in the low and the high half of byte i.

func decodeQ4_0(q []int8, scale, low []float32, b []byte) {
	scale[0], low[0] = half(b), 0
	nibbles(q, b[2:18])
	for i := range q {
		q[i] -= 8
	}
}

func decodeQ4_1(q []int8, scale, low []float32, b []byte) {
	scale[0], low[0] = half(b), half(b[2:])
	nibbles(q, b[4:20])
}

func decodeQ5_0(q []int8, scale, low []float32, b []byte) {
	scale[0], low[0] = half(b), 0
	nibbles(q, b[6:22])
	fifthBits(q, binary.LittleEndian.Uint32(b[2:]))
	for i := range q {
		q[i] -= 16
	}
}

func decodeQ5_1(q []int8, scale, low []float32, b []byte) {
	scale[0], low[0] = half(b), half(b[2:])
	nibbles(q, b[8:24])
	fifthBits(q, binary.LittleEndian.Uint32(b[4:]))
}

func decodeQ8_0(q []int8, scale, low []float32, b []byte) {
	scale[0], low[0] = half(b), 0
	for i := range q {
		q[i] = int8(b[2+i])
	}
}

func nibbles(q []int8, b []byte) {
	for i, v := range b {
		q[i], q[i+len(b)] = int8(v&15), int8(v>>4)
	}
}

func fifthBits(q []int8, bits uint32) {
	for i := range q {
		q[i] |= int8(bits>>i&1) << 4
	}
}

// The K types keep 256 values with scales of 6 or 8 bits that are themselves scaled by two halves.

func decodeQ4_K(q []int8, scale, low []float32, b []byte) {
	sixBitScales(scale, low, b)
	for i := range 4 { // 32 bytes hold two blocks of 32
		nibbles(q[64*i:64*i+64], b[16+32*i:48+32*i])
	}
}

func decodeQ5_K(q []int8, scale, low []float32, b []byte) {
	sixBitScales(scale, low, b)
	high := b[16:48] // bit k of byte j is the fifth bit of value j in block k
	for i := range 4 {
		nibbles(q[64*i:64*i+64], b[48+32*i:80+32*i])
	}
	for i := range q {
		q[i] |= int8(high[i%32]>>(i/32)&1) << 4
	}
}

// sixBitScales unpacks 8 scales and 8 minima of 6 bits from 12 bytes: the first four of each lie whole in the low bits
// of bytes 0-3 and 4-7, of the others four bits lie in bytes 8-11 and two in the high bits of the first eight.
func sixBitScales(scale, low []float32, b []byte) {
	d, dmin, s := half(b), half(b[2:]), b[4:16]
	for i := range 4 {
		scale[i], low[i] = d*float32(s[i]&63), -(dmin * float32(s[i+4]&63))
		scale[i+4] = d * float32(s[i+8]&15|s[i]>>6<<4)
		low[i+4] = -(dmin * float32(s[i+8]>>4|s[i+4]>>6<<4))
	}
}

func decodeQ6_K(q []int8, scale, low []float32, b []byte) {
	lows, highs, scales, d := b[:128], b[128:192], b[192:208], half(b[208:])
	for i := range scale {
		scale[i], low[i] = d*float32(int8(scales[i])), 0
	}
	for i := range q { // each half of 128 values: four runs of 32
		part, run, j := i/128, i%128/32, i%32
		v := lows[64*part+32*(run%2)+j] >> (4 * (run / 2)) & 15
		v |= highs[32*part+j] >> (2 * run) & 3 << 4
		q[i] = int8(v) - 32
	}
}
