package weights

import (
	"fmt"

	"textmill/models/checkpoint/onnxgraph"
	"textmill/models/checkpoint/tensor"
)

// Existing are tensors that a bundle's graphs keep, by their names: a Store that has them stores nothing, and finds
// what another one stored for the same architecture.
type Existing map[string]onnxgraph.Stored

func (e Existing) vector(name string, dims ...int) (onnxgraph.Stored, error) {
	s, ok := e[name]
	if !ok {
		return s, fmt.Errorf("%w: %s", ErrMissing, name)
	}
	if s.Elem() != onnxgraph.Float32 || fmt.Sprint(s.Dims()) != fmt.Sprint(dims) {
		return s, fmt.Errorf("%w %s: it has %v values of type %d, the configuration asks for %v as fp32", tensor.ErrTensor,
			name, s.Dims(), s.Elem(), dims)
	}
	return s, nil
}

// matrix finds one of [rows, width], as floats or in blocks. Blocks of 8 bits may be there as floats too.
func (e Existing) matrix(name string, rows, width int) (*Matrix, error) {
	m := &Matrix{Name: name, Rows: rows, Width: width}
	scale, quantized := e[name+".scale"]
	if !quantized {
		var err error
		m.floats, err = e.vector(name, rows, width)
		return m, err
	}
	if d := scale.Dims(); len(d) != 2 || d[0] != rows || d[1] < 1 || width%d[1] != 0 {
		return nil, fmt.Errorf("%w %s.scale: its shape is %v for a matrix of [%d, %d]", tensor.ErrTensor, name, d, rows,
			width)
	}
	n := scale.Dims()[1]
	m.scale = scale
	var signed bool
	m.low, signed = e[name+".low"]
	m.Form = tensor.Form{Size: width / n, Signed: !signed}
	m.floats, m.copied = e[name+".float"]
	blocks, ok := e[name]
	if !ok {
		blocks, ok = e[m.TableName()]
	}
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrMissing, name)
	}
	values := 1
	for _, d := range blocks.Dims() {
		values *= d
	}
	m.Form.Bits = values * 8 / (rows * width)
	if m.Form.Bits != 4 && m.Form.Bits != 8 || values*8 != m.Form.Bits*rows*width {
		return nil, fmt.Errorf("%w %s: %v bytes hold no blocks of [%d, %d]", tensor.ErrTensor, name, blocks.Dims(), rows,
			width)
	}
	m.blocks = blocks.As(name, rows, n, m.Form.Size*m.Form.Bits/8)
	return m, nil
}
