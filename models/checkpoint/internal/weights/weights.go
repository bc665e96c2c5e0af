// Package weights stores a checkpoint's matrices in the form that a precision asks for, and applies them in graphs.
package weights

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"textmill/models/checkpoint/onnxgraph"
	"textmill/models/checkpoint/tensor"
)

// ErrMissing is the class of tensors that the architecture needs and the checkpoint lacks.
var ErrMissing = errors.New("the checkpoint lacks a tensor")

// A Precision is the form that weights are stored in.
type Precision string

// The precisions. Blocks that are already that small keep their exact values.
const (
	FP32 Precision = "fp32"
	Q8   Precision = "q8"
	Q4   Precision = "q4"
	AsIs Precision = "as-is"
)

// A Part is a tensor whose rows may have to be taken in another order: row i is the tensor's row Order[i].
type Part struct {
	*tensor.Tensor
	Order []int // nil for the tensor's own
	// Add, unless nil, adds to whole rows of the tensor, from a row on, what an adapter adds.
	Add func(dst []float32, from, width int) error
}

// Floats reads rows of the tensor, with what is added to them.
func (p Part) Floats(dst []float32, from int) error {
	if err := p.Tensor.Floats(dst, from); err != nil || p.Add == nil {
		return err
	}
	return p.Add(dst, from, p.Width())
}

func (p Part) row(i int) int {
	if p.Order == nil {
		return i
	}
	return p.Order[i]
}

// A Source finds tensors by the names that Hugging Face gives them.
type Source interface {
	Find(name string) (Part, bool)
}

// A Store copies tensors from a source into a data file.
type Store struct {
	Source    Source
	Data      *onnxgraph.Data
	Precision Precision
	// Existing, if not nil, takes the place of all that is above.
	Existing Existing
	// Progress, if not nil, is told how many bytes of the checkpoint were read.
	Progress func(bytes int64)
}

// Has tells whether the checkpoint has a tensor.
func (s *Store) Has(name string) bool {
	if s.Existing != nil {
		_, kept := s.Existing[name]
		_, table := s.Existing[name+".table"]
		return kept || table
	}
	_, ok := s.Source.Find(name)
	return ok
}

func (s *Store) find(name string, shape ...int) (Part, error) {
	p, ok := s.Source.Find(name)
	if !ok {
		if own, renames := s.Source.(interface{ Own(name string) string }); renames {
			name = own.Own(name)
		}
		return p, fmt.Errorf("%w: %s", ErrMissing, name)
	}
	if !slices.Equal(p.Shape, shape) {
		return p, fmt.Errorf("%w %s: its shape is %v, the configuration asks for %v", tensor.ErrTensor, p.Name, p.Shape,
			shape)
	}
	return p, nil
}

// Vector reads a tensor of n floats.
func (s *Store) Vector(name string, n int) ([]float32, error) {
	p, err := s.find(name, n)
	if err != nil {
		return nil, err
	}
	v := make([]float32, n)
	if err := cmp.Or(p.Floats(v, 0), finite(p, v)); err != nil {
		return nil, err
	}
	s.progress(p)
	if p.Order == nil {
		return v, nil
	}
	ordered := make([]float32, n)
	for i := range ordered {
		ordered[i] = v[p.Order[i]]
	}
	return ordered, nil
}

// Values reads a tensor of [rows, width] floats.
func (s *Store) Values(name string, rows, width int) ([]float32, error) {
	p, err := s.find(name, rows, width)
	if err != nil {
		return nil, err
	}
	v := make([]float32, rows*width)
	for i := range rows {
		if err := p.Floats(v[i*width:][:width], p.row(i)); err != nil {
			return nil, err
		}
	}
	s.progress(p)
	return v, finite(p, v)
}

// StoreFloats stores a tensor whose values write gives as fp32, little-endian.
func (s *Store) StoreFloats(name string, dims []int, write func(io.Writer) error) (onnxgraph.Stored, error) {
	if s.Existing != nil {
		return s.Existing.vector(name, dims...)
	}
	return s.Data.Put(name, onnxgraph.Float32, dims, write)
}

// StoreVector stores a tensor of n floats, or several one behind the other, as name.
func (s *Store) StoreVector(name string, parts []string, sizes ...int) (onnxgraph.Stored, error) {
	if s.Existing != nil {
		n := 0
		for _, size := range sizes {
			n += size
		}
		return s.Existing.vector(name, n)
	}
	var all []float32
	for i, part := range parts {
		v, err := s.Vector(part, sizes[i])
		if err != nil {
			return onnxgraph.Stored{}, err
		}
		all = append(all, v...)
	}
	return s.Data.Floats(name, []int{len(all)}, all)
}

func (s *Store) progress(p Part) {
	if s.Progress != nil {
		s.Progress(p.Bytes())
	}
}

// A Matrix is a stored weight of [Rows, Width], as a linear layer keeps it: a row for each output.
type Matrix struct {
	Name        string
	Rows, Width int
	// Form is that of the blocks; its Size is 0 for floats.
	Form tensor.Form

	floats onnxgraph.Stored
	// copied tells that floats are there beside the blocks.
	copied bool
	// blocks has Rows × Width/Size blocks of integers whose zero is 8 or 128; scale and low are [Rows, Width/Size].
	blocks, scale, low onnxgraph.Stored
}

// Quantized tells whether the matrix is stored in blocks.
func (m *Matrix) Quantized() bool { return m.Form.Size > 0 }

// TableName, ScaleName and LowName are the graph's names for what a quantized matrix that tokens are looked up in is
// made of.
func (m *Matrix) TableName() string { return m.Name + ".table" }
func (m *Matrix) ScaleName() string { return m.scale.Name }
func (m *Matrix) LowName() string   { return m.low.Name }

// Alike tells whether tensors of the given names would be stored in one form, so that they can be one matrix.
func (s *Store) Alike(names ...string) bool {
	if s.Existing != nil {
		return !s.Has(names[0]) // they are one matrix already
	}
	var first tensor.Form
	for i, name := range names {
		p, ok := s.Source.Find(name)
		if !ok {
			return false
		}
		f := s.form(p)
		if i == 0 {
			first = f
		} else if f != first {
			return false
		}
	}
	return true
}

// form decides how a matrix is stored; its Size is 0 for floats.
func (s *Store) form(p Part) tensor.Form {
	own := p.Type.Form()
	switch {
	case s.Precision == FP32:
		return tensor.Form{}
	case s.Precision == AsIs, own.Bits == 4, own.Bits == 8 && s.Precision == Q8:
		return own
	case p.Width()%blockSize != 0:
		return tensor.Form{}
	case s.Precision == Q8:
		return tensor.Form{Size: blockSize, Bits: 8, Signed: true}
	}
	return tensor.Form{Size: blockSize, Bits: 4}
}

// Matrix stores tensors of width columns, one below the other, as one matrix; rows are those of each.
func (s *Store) Matrix(ctx context.Context, name string, tensors []string, width int, rows ...int) (*Matrix, error) {
	return s.matrix(ctx, name, false, tensors, width, rows...)
}

func (s *Store) matrix(ctx context.Context, name string, lookup bool, tensors []string, width int,
	rows ...int) (*Matrix, error) {
	m := &Matrix{Name: name, Width: width}
	if s.Existing != nil {
		for _, n := range rows {
			m.Rows += n
		}
		return s.Existing.matrix(name, m.Rows, width)
	}
	var parts []Part
	for i, t := range tensors {
		p, err := s.find(t, rows[i], width)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
		m.Rows += rows[i]
	}
	if m.Form = s.form(parts[0]); !m.Quantized() {
		return m, s.storeFloats(ctx, m, name, parts)
	}
	if err := s.storeBlocks(ctx, m, parts); err != nil {
		return nil, err
	}
	// ONNX Runtime multiplies blocks of 8 bits with fp32 activations by unpacking them at every call, 10 times as slowly.
	if m.copied = s.Precision == AsIs && m.Form.Bits == 8 && !lookup; m.copied {
		return m, s.storeFloats(ctx, m, name+".float", parts)
	}
	return m, nil
}

// Table stores the matrix that tokens are looked up in, or the one that scores them. What such a matrix loses is lost
// for every token, so that it keeps 8 bits when the others get 4. lookup tells that nothing will be multiplied with
// it.
func (s *Store) Table(ctx context.Context, name string, lookup bool, rows, width int) (*Matrix, error) {
	fine := *s
	if fine.Precision == Q4 {
		fine.Precision = Q8
	}
	return fine.matrix(ctx, name, lookup, []string{name}, width, rows)
}
