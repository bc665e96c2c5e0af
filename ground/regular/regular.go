// Package regular opens files that are named from outside: a pipe, a socket or a device would hold the process, or
// never end.
package regular

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// ErrKind is the class of names that lead to something that is no regular file.
var ErrKind = errors.New("it is no regular file")

// MostBytes is what ReadFile reads of a file at most: far more than any configuration or tokenizer has.
const MostBytes = 256 << 20

// Open opens the regular file at path, or follows links to one. It never waits: a named pipe without a writer is
// ErrKind too. Descriptors that the process was given are opened whatever they are, by their names /dev/stdin and
// /dev/fd/N.
func Open(path string) (*os.File, error) {
	if path == "/dev/stdin" || strings.HasPrefix(path, "/dev/fd/") {
		return os.Open(path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENXIO) { // a socket, or a device that is not there
		return nil, &fs.PathError{Op: "open", Path: path, Err: ErrKind}
	}
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: kind(st.Mode())}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func kind(m fs.FileMode) error {
	what := "a device"
	switch {
	case m.IsDir():
		what = "a directory"
	case m&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	}
	return fmt.Errorf("%w but %s", ErrKind, what)
}

// ReadFile reads the whole file that Open opens.
func ReadFile(path string) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	var data []byte
	st, err := f.Stat()
	if err == nil && st.Size() <= MostBytes {
		data, err = io.ReadAll(io.LimitReader(f, MostBytes+1))
	}
	if err == nil && max(st.Size(), int64(len(data))) > MostBytes {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it is longer than %d bytes", MostBytes)}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return data, nil
}
