package disk

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrKind says that a name leads to a pipe, a device or a directory, which would hold whoever reads it, or never end;
// or out of its directory.
var ErrKind = errors.New("it is no regular file of this directory")

// Open opens a regular file for reading; the caller closes it.
func (d *Dir) Open(name string) (*os.File, error) {
	if !filepath.IsLocal(name) { // a log's entry may say anything
		return nil, &Error{Kind: OpOpen, Path: filepath.Join(d.path, name), Err: ErrKind}
	}
	if head, tail, below := strings.Cut(name, "/"); below && head != "" { // no link on the way is followed either
		sub, err := d.Sub(head)
		if err != nil {
			return nil, err
		}
		f, err := sub.Open(tail)
		return f, errors.Join(err, sub.Close())
	}
	var f *os.File
	err := d.at(OpOpen, name, "", func(fd int) error {
		n, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err == unix.ENXIO { // a socket
			return ErrKind
		}
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err = unix.Fstat(n, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
			err = ErrKind
		}
		if err != nil {
			return errors.Join(err, unix.Close(n))
		}
		f = os.NewFile(uintptr(n), filepath.Join(d.path, name))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}
