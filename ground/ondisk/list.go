// Package ondisk keeps and sorts more than fits into memory.
package ondisk

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// mostItem bounds what is believed of a length that is read back.
const mostItem = 1 << 30

// List keeps items in the order in which they came, in a file without a name, which ends with its process. It is used
// by one goroutine at a time; what was added may be read any number of times.
type List struct {
	f   *os.File
	w   *bufio.Writer
	end int64
	n   int64
}

// NewList makes an empty list below a directory; "" is the system's for temporary files.
func NewList(dir string) (*List, error) {
	f, err := os.CreateTemp(dir, ".textmill-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &List{f: f, w: bufio.NewWriterSize(f, 256<<10)}, nil
}

// Len is how many items there are.
func (l *List) Len() int64 { return l.n }

// Close gives the file's space back.
func (l *List) Close() error {
	if l == nil || l.f == nil {
		return nil
	}
	err := l.f.Close()
	l.f = nil
	return err
}

// Add appends an item of several pieces.
func (l *List) Add(pieces ...[]byte) error {
	size := 0
	for _, p := range pieces {
		size += len(p)
	}
	var head [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(head[:], uint64(size))
	_, err := l.w.Write(head[:n])
	for _, p := range pieces {
		if err == nil {
			_, err = l.w.Write(p)
		}
	}
	if err != nil {
		return fmt.Errorf("write to a temporary file: %w", err)
	}
	l.end += int64(n + size)
	l.n++
	return nil
}

// Each calls use for all items in order; what it gets is valid only during the call.
func (l *List) Each(use func(item []byte) error) error {
	if err := l.w.Flush(); err != nil {
		return fmt.Errorf("write to a temporary file: %w", err)
	}
	r := l.reader(0, l.end, 256<<10)
	for {
		item, err := r.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = use(item)
		}
		if err != nil {
			return err
		}
	}
}

// reader goes through a range of the file, which was flushed.
func (l *List) reader(from, to int64, buffer int) *reader {
	return &reader{r: bufio.NewReaderSize(io.NewSectionReader(l.f, from, to-from), buffer)}
}

type reader struct {
	r    *bufio.Reader
	item []byte
}

// next is io.EOF after the last item; what it gives is valid until the next call.
func (r *reader) next() ([]byte, error) {
	size, err := binary.ReadUvarint(r.r)
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err == nil && size > mostItem {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		if uint64(cap(r.item)) < size {
			r.item = make([]byte, size)
		}
		r.item = r.item[:size]
		_, err = io.ReadFull(r.r, r.item)
	}
	if err != nil {
		return nil, fmt.Errorf("read a temporary file back: %w", err)
	}
	return r.item, nil
}
