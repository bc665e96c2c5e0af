// Package safetensors reads the weights of Hugging Face directories.
package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"textmill/ground/regular"
	"textmill/models/checkpoint/tensor"
)

// ErrFormat is the class of files that are no safetensors, or are damaged.
var ErrFormat = errors.New("not a readable safetensors file")

// A Set is all the tensors of a model, from one file or from many.
type Set struct {
	tensors map[string]*tensor.Tensor
	files   []io.Closer
}

// Tensor finds a tensor by name.
func (s *Set) Tensor(name string) (*tensor.Tensor, bool) {
	t, ok := s.tensors[name]
	return t, ok
}

// Names lists the tensors that can be read as weights, sorted.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.tensors)) }

// Close closes all files.
func (s *Set) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

const (
	single    = "model.safetensors"
	indexName = "model.safetensors.index.json"
)

// Open opens the weights in dir: model.safetensors, or the shards that model.safetensors.index.json lists.
func Open(dir string) (*Set, error) {
	s := &Set{tensors: map[string]*tensor.Tensor{}}
	files, err := shards(dir)
	for _, name := range files {
		if err = s.add(filepath.Join(dir, name)); err != nil {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenFile opens the weights in one file.
func OpenFile(path string) (*Set, error) {
	s := &Set{tensors: map[string]*tensor.Tensor{}}
	if err := s.add(path); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func shards(dir string) ([]string, error) {
	if _, err := os.Stat(filepath.Join(dir, single)); err == nil {
		return []string{single}, nil
	}
	path := filepath.Join(dir, indexName)
	data, err := regular.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s has no %s and no %s: %w", dir, single, indexName, err)
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", ErrFormat, path, err)
	}
	files := slices.Compact(slices.Sorted(maps.Values(index.WeightMap)))
	for _, f := range files {
		if f != filepath.Base(f) {
			return nil, fmt.Errorf("%w: %s names a file %q outside of its folder", ErrFormat, path, f)
		}
	}
	return files, nil
}

func (s *Set) add(path string) error {
	f, err := regular.Open(path)
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	st, err := f.Stat()
	if err != nil {
		return err
	}
	tensors, err := Read(f, st.Size())
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	for name, t := range tensors {
		if _, twice := s.tensors[name]; twice {
			return fmt.Errorf("%w: %s has tensor %s, which another shard has too", ErrFormat, path, name)
		}
		s.tensors[name] = t
	}
	return nil
}

const maxHeader = 100 << 20 // the format's own limit

var types = map[string]tensor.Type{"F32": tensor.F32, "F16": tensor.F16, "BF16": tensor.BF16}

// table are the tensors of a model2vec model, which may have types that no other weights have.
var (
	table      = map[string]bool{"embeddings": true, "mapping": true, "weights": true}
	tableTypes = map[string]tensor.Type{"F64": tensor.F64, "I8": tensor.I8, "I32": tensor.I32, "I64": tensor.I64}
)

// skipped are types of tensors that are no weights, such as lists of positions.
var skipped = map[string]bool{"I64": true, "I32": true, "I16": true, "I8": true, "U8": true, "U16": true, "U32": true,
	"U64": true, "BOOL": true}

// Read reads the header of one file of size bytes. Tensors of integers are left out, but for a static model.
func Read(r io.ReaderAt, size int64) (map[string]*tensor.Tensor, error) {
	var length [8]byte
	if _, err := r.ReadAt(length[:], 0); err != nil {
		return nil, fmt.Errorf("%w: it has no header: %w", ErrFormat, err)
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader || int64(n) > size-8 {
		return nil, fmt.Errorf("%w: its header claims %d bytes, the file has %d", ErrFormat, n, size)
	}
	header := make([]byte, n)
	if _, err := r.ReadAt(header, 8); err != nil {
		return nil, fmt.Errorf("%w: read its header: %w", ErrFormat, err)
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(header, &entries); err != nil {
		return nil, fmt.Errorf("%w: its header: %w", ErrFormat, err)
	}
	delete(entries, "__metadata__")
	tensors := make(map[string]*tensor.Tensor, len(entries))
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		t, err := entry(name, entries[name], r, 8+int64(n), size)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if t != nil {
			tensors[name] = t
		}
	}
	if err := tensor.Apart(slices.Collect(maps.Values(tensors))); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return tensors, nil
}

func entry(name string, header []byte, r io.ReaderAt, start, size int64) (*tensor.Tensor, error) {
	var e struct {
		Type    string  `json:"dtype"`
		Shape   []int   `json:"shape"`
		Offsets []int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(header, &e); err != nil {
		return nil, fmt.Errorf("tensor %s: %w", name, err)
	}
	typ, ok := types[e.Type]
	if table[name] && !ok {
		typ, ok = tableTypes[e.Type]
	} else if skipped[e.Type] {
		return nil, nil
	}
	if !ok {
		return nil, fmt.Errorf("tensor %s has type %s; known are F32, F16 and BF16", name, e.Type)
	}
	if len(e.Offsets) != 2 || e.Offsets[0] < 0 || e.Offsets[0] > size {
		return nil, fmt.Errorf("tensor %s has data_offsets %v in a file of %d bytes", name, e.Offsets, size)
	}
	t, err := tensor.New(name, typ, e.Shape, r, start+e.Offsets[0], size)
	if err != nil {
		return nil, err
	}
	if t.Bytes() != e.Offsets[1]-e.Offsets[0] {
		return nil, fmt.Errorf("tensor %s: %v of %s takes %d bytes, its data_offsets span %d", name, e.Shape, e.Type,
			t.Bytes(), e.Offsets[1]-e.Offsets[0])
	}
	return t, nil
}
