package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// GGUF's numbers of value types.
const (
	kindU8 = iota
	kindI8
	kindU16
	kindI16
	kindU32
	kindI32
	kindF32
	kindBool
	kindText
	kindArray
	kindU64
	kindI64
	kindF64
)

var kindBytes = [...]int64{kindU8: 1, kindI8: 1, kindU16: 2, kindI16: 2, kindU32: 4, kindI32: 4, kindF32: 4,
	kindBool: 1,
	kindText: 8, kindU64: 8, kindI64: 8, kindF64: 8}

const (
	maxText   = 1 << 26 // chat templates are kilobytes
	maxValues = 1 << 24 // vocabularies have up to a million tokens
)

func (d *decoder) value() (any, error) {
	kind, err := d.u32()
	if err != nil {
		return nil, err
	}
	switch {
	case kind == kindArray:
		return d.array()
	case kind > kindF64:
		return nil, fmt.Errorf("%w: value type %d", ErrFormat, kind)
	case kind == kindText:
		return d.text(maxText)
	}
	b, err := d.read(kindBytes[kind])
	if err != nil {
		return nil, err
	}
	return scalar(int(kind), b), nil
}

// scalar is a uint64, int64, float64 or bool.
func scalar(kind int, b []byte) any {
	le := binary.LittleEndian
	switch kind {
	case kindU8:
		return uint64(b[0])
	case kindI8:
		return int64(int8(b[0]))
	case kindU16:
		return uint64(le.Uint16(b))
	case kindI16:
		return int64(int16(le.Uint16(b)))
	case kindU32:
		return uint64(le.Uint32(b))
	case kindI32:
		return int64(int32(le.Uint32(b)))
	case kindU64:
		return le.Uint64(b)
	case kindI64:
		return int64(le.Uint64(b))
	case kindF32:
		return shortest(math.Float32frombits(le.Uint32(b)))
	case kindF64:
		return math.Float64frombits(le.Uint64(b))
	}
	return b[0] != 0
}

func shortest(v float32) float64 {
	f, err := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	if err != nil {
		return float64(v)
	}
	return f
}

// array reads an array of strings, of integers ([]int64), of floats ([]float64) or of truth values ([]bool).
func (d *decoder) array() (any, error) {
	kind, err := d.u32()
	if err != nil {
		return nil, err
	}
	count, err := d.u64()
	if err != nil {
		return nil, err
	}
	if kind == kindArray || kind > kindF64 {
		return nil, fmt.Errorf("%w: an array of type %d", ErrFormat, kind)
	}
	if left := d.size - d.pos; count > maxValues || count > uint64(left)/uint64(kindBytes[kind]) {
		return nil, fmt.Errorf("%w: an array of %d values at byte %d, where %d bytes are left", ErrFormat, count, d.pos,
			left)
	}
	if kind == kindText {
		return d.texts(count)
	}
	b, err := d.read(int64(count) * kindBytes[kind])
	if err != nil {
		return nil, err
	}
	return scalars(int(kind), b), nil
}

func (d *decoder) texts(count uint64) ([]string, error) {
	texts := make([]string, 0, min(count, 1<<18))
	for range count {
		s, err := d.text(maxText)
		if err != nil {
			return nil, err
		}
		texts = append(texts, s)
	}
	return texts, nil
}

func scalars(kind int, b []byte) any {
	n := kindBytes[kind]
	var ints []int64
	var floats []float64
	var bools []bool
	for ; len(b) > 0; b = b[n:] {
		switch v := scalar(kind, b).(type) {
		case uint64:
			ints = append(ints, int64(v))
		case int64:
			ints = append(ints, v)
		case float64:
			floats = append(floats, v)
		case bool:
			bools = append(bools, v)
		}
	}
	switch kind {
	case kindF32, kindF64:
		return floats
	case kindBool:
		return bools
	}
	return ints
}
