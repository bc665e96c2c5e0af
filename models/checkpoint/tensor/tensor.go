// Package tensor reads a checkpoint's weights row by row, as floats or as the blocks of integers that they are kept
// in.
package tensor

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// ErrTensor is the class of tensors that cannot be used: unreadable, of another shape or of an unknown type.
var ErrTensor = errors.New("cannot use the tensor")

// A Tensor is one named array of weights in a checkpoint file. Nothing of it is in memory until rows are read.
type Tensor struct {
	Name string
	Type Type
	// Shape is outermost first, so that the last size runs fastest; a linear layer's weight is [out, in].
	Shape []int

	r      io.ReaderAt
	offset int64
}

// New describes a tensor whose values begin at offset in r, a file of fileSize bytes. It refuses shapes that overflow,
// do not fit whole blocks, or run past the file's end, so that readers may allocate by them.
func New(name string, typ Type, shape []int, r io.ReaderAt, offset, fileSize int64) (*Tensor, error) {
	t := &Tensor{Name: name, Type: typ, Shape: shape, r: r, offset: offset}
	if !typ.known() {
		return nil, fmt.Errorf("%w %s: its type %s is not supported", ErrTensor, name, typ)
	}
	total := 1
	for _, n := range shape {
		if n <= 0 || total > math.MaxInt32*1024/n {
			return nil, fmt.Errorf("%w %s: impossible shape %v", ErrTensor, name, shape)
		}
		total *= n
	}
	if width := t.Width(); width%typ.blockValues() != 0 {
		return nil, fmt.Errorf("%w %s: rows of %d values do not fill whole %s blocks of %d", ErrTensor, name, width, typ,
			typ.blockValues())
	}
	if size := t.Bytes(); offset < 0 || offset > fileSize || size > fileSize-offset {
		return nil, fmt.Errorf("%w %s: it needs bytes %d to %d, the file has %d (cut short?)", ErrTensor, name, offset,
			offset+size, fileSize)
	}
	return t, nil
}

// Slice is n of the rows of a matrix, from one on.
func (t *Tensor) Slice(from, n int) *Tensor {
	part := *t
	part.Shape = []int{n, t.Width()}
	part.offset += int64(from) * t.rowBytes()
	return &part
}

// Width is the number of values in a row, Rows the number of rows.
func (t *Tensor) Width() int {
	if len(t.Shape) == 0 {
		return 1
	}
	return t.Shape[len(t.Shape)-1]
}

func (t *Tensor) Rows() int {
	rows := 1
	for _, n := range t.Shape[:max(len(t.Shape)-1, 0)] {
		rows *= n
	}
	return rows
}

// Bytes is the tensor's size in the file.
func (t *Tensor) Bytes() int64 { return int64(t.Rows()) * t.rowBytes() }

func (t *Tensor) rowBytes() int64 {
	return int64(t.Width() / t.Type.blockValues() * t.Type.blockBytes())
}

// Floats reads rows from on into dst, which must hold whole rows. The values are those of the reference
// implementations, bit for bit.
func (t *Tensor) Floats(dst []float32, from int) error {
	n, width := len(dst)/t.Width(), t.Width()
	raw, err := t.raw(from, n)
	if err != nil {
		return err
	}
	if !t.Type.Quantized() {
		t.Type.decodeFloats(dst, raw)
		return nil
	}
	f := t.Type.Form()
	q, scale, low := make([]int8, width), make([]float32, width/f.Size), make([]float32, width/f.Size)
	for i := range n {
		t.Type.decodeRow(q, scale, low, raw[int64(i)*t.rowBytes():][:t.rowBytes()])
		for j := range q {
			// The conversion keeps the product from being fused with the sum, which would round otherwise.
			dst[i*width+j] = float32(scale[j/f.Size]*float32(q[j])) + low[j/f.Size]
		}
	}
	return nil
}

// Blocks reads one row of a quantized tensor as it is kept: value j is scale[j/Size]*q[j] + low[j/Size], where Size is
// that of the type's Form. low is zero where the form has none.
func (t *Tensor) Blocks(q []int8, scale, low []float32, row int) error {
	raw, err := t.raw(row, 1)
	if err != nil {
		return err
	}
	t.Type.decodeRow(q, scale, low, raw)
	return nil
}

func (t *Tensor) raw(from, n int) ([]byte, error) {
	if from < 0 || n <= 0 || from+n > t.Rows() {
		return nil, fmt.Errorf("%w %s: rows %d to %d of %d were asked for", ErrTensor, t.Name, from, from+n, t.Rows())
	}
	raw := make([]byte, int64(n)*t.rowBytes())
	if _, err := t.r.ReadAt(raw, t.offset+int64(from)*t.rowBytes()); err != nil {
		return nil, fmt.Errorf("read tensor %s: %w", t.Name, err)
	}
	return raw, nil
}
