package graph

import (
	"errors"
	"fmt"
	"io"
)

// ErrTruncated is the class of files that end in the middle of a field.
var ErrTruncated = errors.New("the file is truncated")

// ErrNotONNX is the class of files that are not an ONNX model.
var ErrNotONNX = errors.New("not an ONNX model")

// A wire walks over protocol-buffer fields of a file and reads only the bytes that are asked for.
type wire struct {
	r    io.ReaderAt
	size int64
	buf  []byte
	base int64 // offset of buf[0]
	pos  int64
}

const window = 1 << 16

func (w *wire) fill() error {
	if w.pos >= w.size {
		return fmt.Errorf("%w: a field begins at byte %d, the file ends there", ErrTruncated, w.size)
	}
	w.buf = w.buf[:cap(w.buf)]
	n, err := w.r.ReadAt(w.buf, w.pos)
	if n == 0 {
		return err
	}
	w.buf, w.base = w.buf[:n], w.pos
	return nil
}

func (w *wire) byte() (byte, error) {
	at := w.pos - w.base
	if at < 0 || at >= int64(len(w.buf)) {
		if err := w.fill(); err != nil {
			return 0, err
		}
		at = 0
	}
	w.pos++
	return w.buf[at], nil
}

func (w *wire) varint() (uint64, error) {
	var v uint64
	for shift := 0; shift < 64; shift += 7 {
		b, err := w.byte()
		if err != nil {
			return 0, err
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, fmt.Errorf("%w: a number of more than 64 bits at byte %d", ErrNotONNX, w.pos)
}

// message calls field for each field until end. field either consumes the field (length is its size for wire type 2)
// or returns false to have it skipped.
func (w *wire) message(end int64, field func(number int, kind int, length int64) (bool, error)) error {
	for w.pos < end {
		tag, err := w.varint()
		if err != nil {
			return err
		}
		number, kind := int(tag>>3), int(tag&7)
		if number == 0 || tag>>3 > 1<<29 {
			return fmt.Errorf("%w: field number %d at byte %d", ErrNotONNX, tag>>3, w.pos)
		}
		length, err := w.length(kind, end)
		if err != nil {
			return err
		}
		after := w.pos + length
		used, err := field(number, kind, length)
		if err != nil {
			return err
		}
		if used && kind == 0 {
			continue
		}
		if kind == 0 {
			if _, err := w.varint(); err != nil {
				return err
			}
			continue
		}
		w.pos = after
	}
	if w.pos > end {
		return fmt.Errorf("%w: a field runs past its message at byte %d", ErrNotONNX, end)
	}
	return nil
}

// length is the size of the field's value; of a varint it is 0, its end being unknown before it is read.
func (w *wire) length(kind int, end int64) (int64, error) {
	var n uint64
	switch kind {
	case 0:
		return 0, nil
	case 1:
		n = 8
	case 5:
		n = 4
	case 2:
		var err error
		if n, err = w.varint(); err != nil {
			return 0, err
		}
	default:
		return 0, fmt.Errorf("%w: wire type %d at byte %d", ErrNotONNX, kind, w.pos)
	}
	if left := max(end-w.pos, 0); n > uint64(left) { // the field's own head may run past the end
		if end == w.size {
			return 0, fmt.Errorf("%w: a field at byte %d needs %d bytes, %d are left", ErrTruncated, w.pos, n, left)
		}
		return 0, fmt.Errorf("%w: a field at byte %d needs %d bytes, its message has %d", ErrNotONNX, w.pos, n, left)
	}
	return int64(n), nil
}

// maxName bounds names of values, operators and files.
const maxName = 1 << 16

func (w *wire) text(length int64) (string, error) {
	if length > maxName {
		return "", fmt.Errorf("%w: a name of %d bytes at byte %d", ErrNotONNX, length, w.pos)
	}
	b := make([]byte, length)
	n, err := w.r.ReadAt(b, w.pos)
	if int64(n) < length {
		return "", err
	}
	w.pos += length
	return string(b), nil
}
