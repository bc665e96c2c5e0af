// Package gguf reads GGUF files: what they say about a model, and its tensors.
package gguf

import (
	"errors"
	"fmt"
	"io"

	"textmill/ground/regular"
	"textmill/models/checkpoint/tensor"
)

// ErrFormat is the class of files that are no GGUF, are damaged, or use what is not known.
var ErrFormat = errors.New("not a readable GGUF file")

// A File is an open GGUF file.
type File struct {
	// Version is the format's, 2 or 3.
	Version uint32
	// Order lists the tensors' names as the file does.
	Order []string

	values  map[string]any
	tensors map[string]*tensor.Tensor
	closer  io.Closer
}

// Open reads the header of the file at path. Close it after the last read of a tensor.
func Open(path string) (*File, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil {
		var g *File
		if g, err = Read(f, st.Size()); err == nil {
			g.closer = f
			return g, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), f.Close())
}

// Read reads the header of a file of size bytes. Memory follows what the file really holds, not what it claims.
func Read(r io.ReaderAt, size int64) (*File, error) {
	d := &decoder{r: io.NewSectionReader(r, 0, size), size: size}
	f := &File{values: map[string]any{}, tensors: map[string]*tensor.Tensor{}}
	tensors, err := d.header(f)
	if err != nil {
		return nil, err
	}
	if err := d.tensors(f, tensors, r); err != nil {
		return nil, err
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	return f.closer.Close()
}

// Tensor finds a tensor by name.
func (f *File) Tensor(name string) (*tensor.Tensor, bool) {
	t, ok := f.tensors[name]
	return t, ok
}

// Text is the string at key, "" if there is none.
func (f *File) Text(key string) string {
	s, _ := f.values[key].(string)
	return s
}

// Has tells whether there is a value at key.
func (f *File) Has(key string) bool {
	_, ok := f.values[key]
	return ok
}

// Int is the integer at key.
func (f *File) Int(key string) (int64, bool) {
	switch v := f.values[key].(type) {
	case int64:
		return v, true
	case uint64:
		return int64(v), v <= 1<<62
	}
	return 0, false
}

// Float is the number at key. A float32 comes as the shortest decimal that means it, so that 1e-5 stays 1e-5.
func (f *File) Float(key string) (float64, bool) {
	switch v := f.values[key].(type) {
	case float64:
		return v, true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	}
	return 0, false
}

// Bool is the truth value at key.
func (f *File) Bool(key string) (value, ok bool) {
	value, ok = f.values[key].(bool)
	return value, ok
}

// Bools is an array of truth values.
func (f *File) Bools(key string) ([]bool, bool) {
	v, ok := f.values[key].([]bool)
	return v, ok
}

// Texts is the array of strings at key.
func (f *File) Texts(key string) ([]string, bool) {
	v, ok := f.values[key].([]string)
	return v, ok
}

// Ints is the array of integers at key.
func (f *File) Ints(key string) ([]int64, bool) {
	v, ok := f.values[key].([]int64)
	return v, ok
}

// Floats is the array of floats at key.
func (f *File) Floats(key string) ([]float64, bool) {
	v, ok := f.values[key].([]float64)
	return v, ok
}
