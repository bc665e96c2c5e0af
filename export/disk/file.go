package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// File is a new file being written. After a failed write or fsync every later call fails with the same error: what the
// kernel still holds of such a file is unknown, so it must never be taken as written.
type File struct {
	d      *Dir
	f      *os.File
	name   string
	broken error
	closed bool
}

// Create makes a file that must not exist yet.
func (d *Dir) Create(name string) (*File, error) {
	w := &File{d: d, name: name}
	err := d.at(OpCreate, name, "", func(fd int) error {
		n, err := unix.Openat(fd, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, d.files())
		if err == nil {
			w.f = os.NewFile(uintptr(n), filepath.Join(d.path, name))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Name is the file's name in its directory.
func (w *File) Name() string { return w.name }

// Write appends p.
func (w *File) Write(p []byte) (n int, err error) {
	if w.broken != nil {
		return 0, w.broken
	}
	if w.d.Hook == nil {
		n, err = w.f.Write(p)
		if err == nil {
			return n, nil
		}
	}
	op := &Op{Kind: OpWrite, Dir: w.d.path, Name: w.name, Data: p}
	err = w.d.do(op, func() error {
		if err != nil {
			return err
		}
		n, err = w.f.Write(op.Data)
		return err
	})
	if err == nil && n < len(p) {
		err = &Error{Kind: OpWrite, Path: filepath.Join(w.d.path, w.name), Err: io.ErrShortWrite}
	}
	w.broken = err
	return n, err
}

// Sync makes the content durable.
func (w *File) Sync() error {
	if w.broken == nil {
		w.broken = w.d.do(&Op{Kind: OpSync, Dir: w.d.path, Name: w.name}, w.f.Sync)
	}
	return w.broken
}

// Close closes the file; a second call does nothing.
func (w *File) Close() error {
	if w.closed {
		return w.broken
	}
	w.closed = true
	// The descriptor is given back even when the interceptor stands in for close.
	var closeErr error
	err := w.d.do(&Op{Kind: OpClose, Dir: w.d.path, Name: w.name}, func() error { return nil })
	closeErr = w.f.Close()
	w.broken = errors.Join(w.broken, err, closeErr)
	return w.broken
}

// Remove closes the file and takes its name away; for a file that is given up.
func (w *File) Remove() error {
	_ = w.Close()
	return w.d.Unlink(w.name)
}
