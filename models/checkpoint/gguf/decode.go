package gguf

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"textmill/models/checkpoint/tensor"
)

const (
	magic       = 0x46554747 // "GGUF"
	maxKeys     = 1 << 16
	maxTensors  = 1 << 20
	maxName     = 1 << 16
	maxDims     = 4
	defaultGrid = 32 // bytes that tensors are aligned to
)

type decoder struct {
	r    *io.SectionReader
	buf  *bufio.Reader
	pos  int64
	size int64
}

func (d *decoder) header(f *File) (tensors uint64, err error) {
	d.buf = bufio.NewReaderSize(d.r, 1<<16)
	m, err := d.u32()
	if err != nil {
		return 0, err
	}
	if m != magic {
		return 0, fmt.Errorf("%w: it does not begin with GGUF", ErrFormat)
	}
	if f.Version, err = d.u32(); err != nil {
		return 0, err
	}
	if f.Version != 2 && f.Version != 3 {
		return 0, fmt.Errorf("%w: format version %d (or big-endian); versions 2 and 3 are known", ErrFormat, f.Version)
	}
	if tensors, err = d.u64(); err != nil {
		return 0, err
	}
	keys, err := d.u64()
	if err != nil {
		return 0, err
	}
	if keys > maxKeys || tensors > maxTensors {
		return 0, fmt.Errorf("%w: it claims %d keys and %d tensors", ErrFormat, keys, tensors)
	}
	for range keys {
		key, err := d.text(maxName)
		if err != nil {
			return 0, err
		}
		if f.Has(key) {
			return 0, fmt.Errorf("%w: key %q is there twice", ErrFormat, key)
		}
		if f.values[key], err = d.value(); err != nil {
			return 0, fmt.Errorf("key %q: %w", key, err)
		}
	}
	return tensors, nil
}

// types are GGUF's numbers of those that can be read; names only serve to name the others.
var types = map[uint32]tensor.Type{0: tensor.F32, 1: tensor.F16, 2: tensor.Q4_0, 3: tensor.Q4_1, 6: tensor.Q5_0,
	7: tensor.Q5_1,
	8: tensor.Q8_0, 12: tensor.Q4_K, 13: tensor.Q5_K, 14: tensor.Q6_K, 30: tensor.BF16}

var names = map[uint32]string{9: "Q8_1", 10: "Q2_K", 11: "Q3_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS",
	18: "IQ3_XXS", 19: "IQ1_S",
	20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64",
	29: "IQ1_M",
	34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4"}

type entry struct {
	name   string
	typ    tensor.Type
	shape  []int
	offset uint64
}

func (d *decoder) tensors(f *File, count uint64, r io.ReaderAt) error {
	var entries []entry
	for range count {
		e, err := d.entry()
		if err != nil {
			return err
		}
		entries = append(entries, e)
	}
	grid := int64(defaultGrid)
	if f.Has("general.alignment") {
		grid, _ = f.Int("general.alignment")
		if grid < 1 || grid > 1<<20 || grid&(grid-1) != 0 {
			return fmt.Errorf("%w: general.alignment is %v", ErrFormat, f.values["general.alignment"])
		}
	}
	start := (d.pos + grid - 1) &^ (grid - 1)
	for _, e := range entries {
		if e.offset > uint64(d.size) {
			return fmt.Errorf("%w: tensor %s begins at byte %d, the file has %d (cut short?)", ErrFormat, e.name, e.offset,
				d.size)
		}
		if e.offset%uint64(grid) != 0 {
			return fmt.Errorf("%w: tensor %s begins at byte %d, which is no multiple of the file's alignment %d", ErrFormat,
				e.name, e.offset, grid)
		}
		t, err := tensor.New(e.name, e.typ, e.shape, r, start+int64(e.offset), d.size)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrFormat, err)
		}
		if _, twice := f.tensors[e.name]; twice {
			return fmt.Errorf("%w: tensor %s is there twice", ErrFormat, e.name)
		}
		f.tensors[e.name], f.Order = t, append(f.Order, e.name)
	}
	if err := tensor.Apart(slices.Collect(maps.Values(f.tensors))); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return nil
}

func (d *decoder) entry() (entry, error) {
	var e entry
	var err error
	if e.name, err = d.text(maxName); err != nil {
		return e, err
	}
	dims, err := d.u32()
	if err != nil {
		return e, err
	}
	if dims < 1 || dims > maxDims {
		return e, fmt.Errorf("%w: tensor %s has %d dimensions", ErrFormat, e.name, dims)
	}
	e.shape = make([]int, dims)
	for i := range e.shape { // the file has the fastest first
		n, err := d.u64()
		if err != nil {
			return e, err
		}
		if n == 0 || n > math.MaxInt32 {
			return e, fmt.Errorf("%w: tensor %s has a dimension of %d", ErrFormat, e.name, n)
		}
		e.shape[len(e.shape)-1-i] = int(n)
	}
	typ, err := d.u32()
	if err != nil {
		return e, err
	}
	var ok bool
	if e.typ, ok = types[typ]; !ok {
		return e, fmt.Errorf("%w: tensor %s has type %s; known are F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K",
			ErrFormat, e.name, typeName(typ))
	}
	e.offset, err = d.u64()
	return e, err
}

func typeName(typ uint32) string {
	if name, ok := names[typ]; ok {
		return name
	}
	return fmt.Sprintf("number %d", typ)
}

func (d *decoder) read(n int64) ([]byte, error) {
	if n > d.size-d.pos {
		return nil, fmt.Errorf("%w: byte %d needs %d more, the file has %d (cut short?)", ErrFormat, d.pos, n, d.size)
	}
	b := make([]byte, n)
	_, err := io.ReadFull(d.buf, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("%w: it ends at byte %d", ErrFormat, d.pos)
	}
	d.pos += n
	return b, err
}

func (d *decoder) u32() (uint32, error) {
	b, err := d.read(4)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (d *decoder) u64() (uint64, error) {
	b, err := d.read(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

func (d *decoder) text(limit uint64) (string, error) {
	n, err := d.u64()
	if err != nil {
		return "", err
	}
	if n > limit || n > uint64(d.size) {
		return "", fmt.Errorf("%w: a string of %d bytes at byte %d", ErrFormat, n, d.pos)
	}
	b, err := d.read(int64(n))
	return string(b), err
}
