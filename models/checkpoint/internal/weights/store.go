package weights

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"textmill/models/checkpoint/onnxgraph"
	"textmill/models/checkpoint/tensor"
)

// blockSize is how many values share a scale in matrices that are quantized here, the same as in GGUF's simple types.
const blockSize = 32

// chunkBytes is about how much of a matrix is in memory at a time.
const chunkBytes = 1 << 20

func (s *Store) storeFloats(ctx context.Context, m *Matrix, name string, parts []Part) (err error) {
	m.floats, err = s.Data.Put(name, onnxgraph.Float32, []int{m.Rows, m.Width}, func(w io.Writer) error {
		for _, p := range parts {
			if err := writeFloats(ctx, w, p); err != nil {
				return err
			}
			s.progress(p)
		}
		return nil
	})
	return err
}

func writeFloats(ctx context.Context, w io.Writer, p Part) error {
	width, step := p.Width(), 1
	if p.Order == nil {
		step = max(1, chunkBytes/4/p.Width())
	}
	row, raw := make([]float32, step*width), make([]byte, 0, 4*step*width)
	for i := 0; i < p.Rows(); i += step {
		if err := ctx.Err(); err != nil {
			return err
		}
		row = row[:min(step, p.Rows()-i)*width]
		if err := p.Floats(row, p.row(i)); err != nil {
			return err
		}
		if err := finite(p, row); err != nil {
			return err
		}
		raw = raw[:0]
		for _, v := range row {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		if _, err := w.Write(raw); err != nil {
			return err
		}
	}
	return nil
}

// finite refuses weights that are no numbers, with which every answer would be none.
func finite(p Part, values []float32) error {
	for _, v := range values {
		if v-v != 0 {
			return fmt.Errorf("%w %s: it holds the value %v", tensor.ErrTensor, p.Name, v)
		}
	}
	return nil
}

func (s *Store) storeBlocks(ctx context.Context, m *Matrix, parts []Part) (err error) {
	n := m.Width / m.Form.Size
	scale, low := make([]float32, 0, m.Rows*n), []float32(nil)
	bytes := m.Form.Size * m.Form.Bits / 8
	m.blocks, err = s.Data.Put(m.Name, onnxgraph.Uint8, []int{m.Rows, n, bytes}, func(w io.Writer) error {
		q, rowScale, rowLow := make([]int8, m.Width), make([]float32, n), make([]float32, n)
		packed := make([]byte, n*bytes)
		for _, p := range parts {
			for i := range p.Rows() {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := cmp.Or(readBlocks(q, rowScale, rowLow, p, p.row(i), m.Form), finite(p, rowScale),
					finite(p, rowLow)); err != nil {
					return err
				}
				pack(packed, q, m.Form)
				if _, err := w.Write(packed); err != nil {
					return err
				}
				scale = append(scale, rowScale...)
				if !m.Form.Signed {
					low = append(low, lows(rowScale, rowLow, m.Form)...)
				}
			}
			s.progress(p)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if m.scale, err = s.Data.Floats(m.Name+".scale", []int{m.Rows, n}, scale); err != nil || m.Form.Signed {
		return err
	}
	m.low, err = s.Data.Floats(m.Name+".low", []int{m.Rows, n}, low)
	return err
}

// lows is what has to be added to scale × (stored integer − its zero): unsigned integers of 4 bits are stored as they
// are, with the zero at 8 all the same.
func lows(scale, low []float32, f tensor.Form) []float32 {
	if f.Bits == 8 {
		return low
	}
	shifted := make([]float32, len(low))
	for i := range low {
		shifted[i] = low[i] + float32(8*scale[i])
	}
	return shifted
}

// pack writes integers as ONNX Runtime keeps them: 8 bits with the zero at 128, or 4 bits, the lower half first.
func pack(dst []byte, q []int8, f tensor.Form) {
	if f.Bits == 8 {
		for i, v := range q {
			dst[i] = byte(int(v) + 128)
		}
		return
	}
	zero := 0
	if f.Signed {
		zero = 8
	}
	for i := range dst {
		dst[i] = byte(int(q[2*i])+zero) | byte(int(q[2*i+1])+zero)<<4
	}
}

// readBlocks reads a row as blocks: as they are, or quantized here.
func readBlocks(q []int8, scale, low []float32, p Part, row int, f tensor.Form) error {
	if p.Type.Quantized() && p.Type.Form() == f {
		return p.Blocks(q, scale, low, row)
	}
	values := make([]float32, len(q))
	if err := p.Floats(values, row); err != nil {
		return err
	}
	for i := range scale {
		block, to := values[i*f.Size:(i+1)*f.Size], q[i*f.Size:(i+1)*f.Size]
		if f.Signed {
			scale[i], low[i] = quantizeSigned(to, block), 0
		} else {
			scale[i], low[i] = quantizeRange(to, block)
		}
	}
	return nil
}

// quantizeSigned rounds to multiples of the greatest magnitude over 127.
func quantizeSigned(q []int8, values []float32) (scale float32) {
	var top float64
	for _, v := range values {
		top = max(top, math.Abs(float64(v)))
	}
	scale = float32(top / 127)
	for i, v := range values {
		q[i] = 0
		if scale > 0 {
			q[i] = int8(max(-127, min(127, math.RoundToEven(float64(v)/float64(scale)))))
		}
	}
	return scale
}

// quantizeRange cuts the range of the values into 15 steps.
func quantizeRange(q []int8, values []float32) (scale, low float32) {
	low, high := values[0], values[0]
	for _, v := range values {
		low, high = min(low, v), max(high, v)
	}
	scale = (high - low) / 15
	for i, v := range values {
		q[i] = 0
		if scale > 0 {
			q[i] = int8(max(0, min(15, math.RoundToEven(float64(v-low)/float64(scale)))))
		}
	}
	return scale, low
}
