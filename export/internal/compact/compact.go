// Package compact walks Thrift's compact encoding, of which Parquet's footers and page headers are made, without
// giving memory to what stands there: a library that decodes it believes every length.
package compact

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The types of the encoding that Parquet uses.
const (
	isTrue, isFalse = 1, 2
	int8Type        = 3
	int64Type       = 6 // with those between
	doubleType      = 7
	binaryType      = 8
	listType        = 9
	structType      = 12
)

const (
	maxDepth = 64
	// Decoded, a structure takes some hundred bytes: there may be so many at all, and one more for each so many bytes.
	freeStructs, bytesOfStruct = 1 << 16, 16
)

// Struct returns how many bytes the structure takes that b begins with. io.ErrUnexpectedEOF says that b ends before it
// does; any other error, that no Parquet writer wrote it.
func Struct(b []byte) (int, error) {
	w := walker{b: b}
	if err := w.fields(0); err != nil {
		return 0, err
	}
	if w.structs > freeStructs+len(b)/bytesOfStruct {
		return 0, fmt.Errorf("%d structures in %d bytes", w.structs, len(b))
	}
	return w.at, nil
}

type walker struct {
	b       []byte
	at      int
	structs int
}

func (w *walker) byte() (byte, error) {
	if w.at >= len(w.b) {
		return 0, io.ErrUnexpectedEOF
	}
	w.at++
	return w.b[w.at-1], nil
}

func (w *walker) varint() (uint64, error) {
	v, n := binary.Uvarint(w.b[w.at:])
	switch {
	case n == 0:
		return 0, io.ErrUnexpectedEOF
	case n < 0:
		return 0, errors.New("a number of more than 64 bits")
	}
	w.at += n
	return v, nil
}

func (w *walker) skip(n uint64) error {
	if n > uint64(len(w.b)-w.at) {
		return io.ErrUnexpectedEOF
	}
	w.at += int(n)
	return nil
}

func (w *walker) fields(depth int) error {
	if w.structs++; depth > maxDepth {
		return fmt.Errorf("structures nest deeper than %d", maxDepth)
	}
	for {
		head, err := w.byte()
		if err != nil || head == 0 {
			return err
		}
		if head>>4 == 0 { // the field's id follows
			if _, err := w.varint(); err != nil {
				return err
			}
		}
		if kind := head & 0xf; kind != isTrue && kind != isFalse { // these are their values
			if err := w.value(kind, depth); err != nil {
				return err
			}
		}
	}
}

func (w *walker) value(kind byte, depth int) error {
	switch {
	case kind == int8Type:
		return w.skip(1)
	case kind > int8Type && kind <= int64Type:
		_, err := w.varint()
		return err
	case kind == doubleType:
		return w.skip(8)
	case kind == binaryType:
		n, err := w.varint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case kind == listType:
		return w.list(depth)
	case kind == structType:
		return w.fields(depth + 1)
	}
	return fmt.Errorf("a value of type %d, which Parquet does not use", kind)
}

func (w *walker) list(depth int) error {
	head, err := w.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 0xf {
		if n, err = w.varint(); err != nil {
			return err
		}
	}
	if n > uint64(len(w.b)-w.at) { // each item takes a byte or more
		return io.ErrUnexpectedEOF
	}
	for range n {
		if err := w.value(head&0xf, depth); err != nil {
			return err
		}
	}
	return nil
}
