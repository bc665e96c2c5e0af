package lookup

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"textmill/models/internal/graph"
	"textmill/models/internal/half"
)

// bits is the size of an element, 0 for types that no table is made of.
func bits(typ int32) int {
	switch typ {
	case graph.Float32:
		return 32
	case graph.Float16, graph.BFloat16:
		return 16
	case graph.Uint8, graph.Int8:
		return 8
	case graph.Uint4, graph.Int4:
		return 4
	}
	return 0
}

func isFloat(typ int32) bool {
	return typ == graph.Float32 || typ == graph.Float16 || typ == graph.BFloat16
}

// values is a tensor of the file, read a piece at a time.
type values struct {
	graph.Tensor
	from io.ReaderAt
	n    int64 // elements
}

// check holds a tensor's place against the size of its file.
func (v *values) check(size int64) error {
	each := bits(v.Type)
	if each == 0 || !v.Raw {
		return fmt.Errorf("%w: tensor %s of type %d is not stored in a form that can be read by the row", ErrTable, v.Name,
			v.Type)
	}
	v.n = 1
	for _, d := range v.Dims {
		if d < 0 || d > 0 && v.n > (1<<40)/d {
			return fmt.Errorf("%w: tensor %s has the shape %v", ErrTable, v.Name, v.Dims)
		}
		v.n *= d
	}
	need := (v.n*int64(each) + 7) / 8
	if v.Length != 0 && v.Length != need || v.Offset < 0 || v.Offset > size-need {
		return fmt.Errorf("%w: tensor %s of shape %v needs %d bytes, the file holds %d at byte %d of %d", ErrTable, v.Name,
			v.Dims, need, v.Length, v.Offset, size)
	}
	return nil
}

// spelled are the bytes of values that stand as numbers: each is an element, or two of 4 bits.
func spelled(t graph.Tensor) (b []byte) {
	for _, v := range t.Spelled {
		b = append(b, byte(v))
		if bits(t.Type) == 16 {
			b = append(b, byte(v>>8))
		}
	}
	return b
}

// raw reads n elements from element at; of 4 bits an even number from an even one.
func (v *values) raw(at int64, n int) ([]byte, error) {
	each := int64(bits(v.Type))
	b := make([]byte, (int64(n)*each+7)/8)
	if _, err := v.from.ReadAt(b, v.Offset+at*each/8); err != nil {
		return nil, fmt.Errorf("read tensor %s: %w", v.Name, err)
	}
	return b, nil
}

// floats reads dst from element at.
func (v *values) floats(dst []float32, at int64) error {
	b, err := v.raw(at, len(dst))
	if err != nil {
		return err
	}
	switch v.Type {
	case graph.Float16:
		half.Widen(dst, b)
	case graph.BFloat16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
		}
	default:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	}
	return nil
}

// integers reads dst, integers of size bits, from integer at. Two of 4 bits share a byte, the first in its lower half.
func (v *values) integers(dst []int32, at int64, size int) error {
	signed := v.Type == graph.Int8 || v.Type == graph.Int4
	first, n := at*int64(size)/int64(bits(v.Type)), (int(at)*size%bits(v.Type)+len(dst)*size+bits(v.Type)-1)/bits(v.Type)
	if v.Type == graph.Int4 || v.Type == graph.Uint4 {
		first, n = at&^1, len(dst)+int(at&1)
	}
	b, err := v.raw(first, n)
	if err != nil {
		return err
	}
	odd := int(at & 1)
	for i := range dst {
		switch {
		case size == 8 && signed:
			dst[i] = int32(int8(b[i]))
		case size == 8:
			dst[i] = int32(b[i])
		default:
			half := b[(i+odd)/2] >> (4 * ((i + odd) % 2)) & 15
			if dst[i] = int32(half); signed {
				dst[i] = int32(int8(half<<4) >> 4)
			}
		}
	}
	return nil
}
