// Package lookup finds the matrix in which a graph looks tokens up and reads rows of it, without loading it.
package lookup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"textmill/ground/regular"
	"textmill/models/internal/graph"
)

// ErrTable is the class of graphs whose table cannot be found or read.
var ErrTable = errors.New("cannot read the embedding table")

// A Table is a matrix of Rows tokens by Dim values.
type Table struct {
	Name      string // of the tensor
	Rows, Dim int
	Storage   string // what the values are stored as

	data               values
	bits, block        int // of quantized ones; a block of Dim is a row
	zero               int32
	scale, low, zeroAt *values
	files              files
}

// Blocks names what a table in blocks is made of: value = scale × (integer − zero) + low. Zero is that of all blocks.
type Blocks struct {
	Scale, Low       string
	Bits, Size, Zero int
}

// Open opens a table whose parts are known by name; b is nil for one of floats.
func Open(path, tensor string, b *Blocks) (*Table, error) {
	g, err := graph.ReadNodes(path)
	if err != nil {
		return nil, err
	}
	return open(path, func(f *finder) (*Table, error) {
		if b == nil {
			return f.floats(tensor)
		}
		return f.blocks(tensor, b.Scale, "", b.Low, b.Bits, b.Size, int32(b.Zero))
	}, g)
}

// Find opens the table that the values of the input ids are looked up in.
func Find(path, ids string) (*Table, error) {
	g, err := graph.ReadNodes(path)
	if err != nil {
		return nil, err
	}
	return open(path, func(f *finder) (*Table, error) { return f.find(ids) }, g)
}

func open(path string, find func(*finder) (*Table, error), g *graph.Graph) (*Table, error) {
	f := &finder{g: g, files: files{path: path, open: map[string]*os.File{}}}
	t, err := find(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.files.close())
	}
	t.files = f.files
	return t, nil
}

// Close closes the files.
func (t *Table) Close() error { return t.files.close() }

// Row reads one token's row.
func (t *Table) Row(id int32) ([]float32, error) {
	if id < 0 || int(id) >= t.Rows {
		return nil, fmt.Errorf("%w: token %d, and tensor %s has %d rows", ErrTable, id, t.Name, t.Rows)
	}
	row, at := make([]float32, t.Dim), int64(id)*int64(t.Dim)
	if t.scale == nil {
		return row, t.data.floats(row, at)
	}
	q := make([]int32, t.Dim)
	if err := t.data.integers(q, at, t.bits); err != nil {
		return nil, err
	}
	n := (t.Dim + t.block - 1) / t.block
	scale, low, zero := make([]float32, n), make([]float32, n), make([]int32, n)
	if err := t.spread(t.scale, scale, id); err != nil {
		return nil, err
	}
	if t.low != nil {
		if err := t.low.floats(low, int64(id)*int64(n)); err != nil {
			return nil, err
		}
	}
	if err := t.zeros(zero, id); err != nil {
		return nil, err
	}
	for i, v := range q {
		b := i / t.block
		row[i] = scale[b]*float32(v-zero[b]) + low[b]
	}
	return row, nil
}

// spread reads what v has for each block of a row, or for the row, or for all.
func (t *Table) spread(v *values, dst []float32, id int32) error {
	switch v.n {
	case int64(t.Rows) * int64(len(dst)):
		return v.floats(dst, int64(id)*int64(len(dst)))
	default:
		err := v.floats(dst[:1], 0)
		for i := range dst {
			dst[i] = dst[0]
		}
		return err
	}
}

// zeros reads the integer that stands for 0 in each block. Of 4 bits in bytes, each row of them fills up its last
// byte.
func (t *Table) zeros(dst []int32, id int32) error {
	v := t.zeroAt
	switch {
	case v == nil:
		for i := range dst {
			dst[i] = t.zero
		}
		return nil
	case v.n == 1:
		err := v.integers(dst[:1], 0, t.bits)
		for i := range dst {
			dst[i] = dst[0]
		}
		return err
	case bits(v.Type) == 8 && t.bits == 4:
		return v.integers(dst, int64(id)*int64(len(dst)+len(dst)%2), 4)
	}
	return v.integers(dst, int64(id)*int64(len(dst)), t.bits)
}

// files are the model file and its external ones.
type files struct {
	path string
	open map[string]*os.File
}

// at opens a file once. name is relative to the model's folder and stays in it.
func (f *files) at(name string) (io.ReaderAt, int64, error) {
	path := f.path
	if name != "" {
		if !filepath.IsLocal(name) {
			return nil, 0, fmt.Errorf("%w: weights in %q, outside of the model's folder", ErrTable, name)
		}
		path = filepath.Join(filepath.Dir(f.path), name)
	}
	file := f.open[name]
	if file == nil {
		var err error
		if file, err = regular.Open(path); err != nil {
			return nil, 0, err
		}
		f.open[name] = file
	}
	st, err := file.Stat()
	if err != nil {
		return nil, 0, err
	}
	return file, st.Size(), nil
}

func (f *files) close() error {
	var errs []error
	for _, file := range f.open {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}
