package onnxgraph

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"textmill/ground/counted"
)

const (
	// inlineBytes bounds tensors that are kept in the model file itself.
	inlineBytes = 16 << 10
	// grid is what weights in the data file are aligned to, so that they can be mapped into memory.
	grid = 4096
)

// A Stored is a tensor that was written: in a data file, or small enough to be part of each graph that uses it.
type Stored struct {
	Name     string
	elem     Elem
	dims     []int
	location string // "" for inline
	offset   int64
	length   int64
	raw      []byte
}

// As is the same bytes under another name and shape.
func (s Stored) As(name string, dims ...int) Stored {
	s.Name, s.dims = name, dims
	return s
}

// Elem is the type of the tensor's elements.
func (s Stored) Elem() Elem { return s.elem }

// Dims are the tensor's sizes.
func (s Stored) Dims() []int { return s.dims }

// External is a tensor of length bytes at offset of a data file beside the graphs that use it.
func External(name string, elem Elem, dims []int, file string, offset, length int64) Stored {
	return Stored{Name: name, elem: elem, dims: dims, location: file, offset: offset, length: length}
}

// Inline is a tensor that becomes part of each graph that uses it.
func Inline(name string, elem Elem, dims []int, raw []byte) Stored {
	return inline(name, elem, dims, raw)
}

func inline(name string, elem Elem, dims []int, raw []byte) Stored {
	return Stored{Name: name, elem: elem, dims: dims, length: int64(len(raw)), raw: raw}
}

func (s Stored) encode() []byte {
	var b []byte
	for _, d := range s.dims {
		b = number(b, 1, uint64(d))
	}
	b = number(b, 2, uint64(s.elem))
	b = text(b, 8, s.Name)
	if s.location == "" {
		return field(b, 9, s.raw)
	}
	for _, e := range [][2]string{{"location", s.location}, {"offset", strconv.FormatInt(s.offset, 10)},
		{"length", strconv.FormatInt(s.length, 10)}} {
		b = field(b, 13, text(text(nil, 1, e[0]), 2, e[1]))
	}
	return number(b, 14, 1) // EXTERNAL
}

// A Data is the file that holds a model's weights. Weights stay out of the model file at any size: that keeps it below
// protobuf's 2 GiB, lets several graphs share them, lets ONNX Runtime map them, and needs memory for a row at a time.
type Data struct {
	name string
	file *os.File
	w    *bufio.Writer
	pos  int64
	err  error // that a Put ended with
}

// CreateData begins a new data file, which graphs in the same folder can use.
func CreateData(path string) (*Data, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &Data{name: filepath.Base(path), file: f, w: bufio.NewWriterSize(f, 1<<20)}, nil
}

// Put stores a tensor whose bytes, little-endian, write gives.
func (d *Data) Put(name string, elem Elem, dims []int, write func(io.Writer) error) (Stored, error) {
	s, err := d.put(name, elem, dims, write)
	if err != nil {
		d.err = err
	}
	return s, err
}

func (d *Data) put(name string, elem Elem, dims []int, write func(io.Writer) error) (Stored, error) {
	s := Stored{Name: name, elem: elem, dims: dims, length: elem.Size()}
	for _, n := range dims {
		s.length *= int64(n)
	}
	if s.length <= inlineBytes {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return s, err
		}
		s.raw = b.Bytes()
		return s, s.check(int64(b.Len()))
	}
	pad := (grid - d.pos%grid) % grid
	if _, err := d.w.Write(make([]byte, pad)); err != nil {
		return s, err
	}
	d.pos += pad
	s.location, s.offset = d.name, d.pos
	c := &counted.Writer{W: d.w}
	err := write(c)
	d.pos += c.N
	if err != nil {
		return s, err
	}
	return s, s.check(c.N)
}

// Floats stores a tensor of floats that is in memory.
func (d *Data) Floats(name string, dims []int, values []float32) (Stored, error) {
	return d.Put(name, Float32, dims, func(w io.Writer) error {
		_, err := w.Write(floatBytes(values))
		return err
	})
}

func (s Stored) check(written int64) error {
	if written != s.length {
		return fmt.Errorf("store tensor %s: %v takes %d bytes, %d were written", s.Name, s.dims, s.length, written)
	}
	return nil
}

// Close makes the file durable, unless a tensor could not be stored.
func (d *Data) Close() error {
	if d.err != nil {
		return d.file.Close()
	}
	return errors.Join(d.w.Flush(), d.file.Sync(), d.file.Close())
}

// Empty tells whether all tensors were small enough to be inline.
func (d *Data) Empty() bool { return d.pos == 0 }

func floatBytes(values []float32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func int64Bytes(values []int64) []byte {
	b := make([]byte, 0, 8*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, uint64(v))
	}
	return b
}
