package disk

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"textmill/ground/flock"
)

// Lock is an exclusive lock on a file, held until Release or the end of the process.
type Lock struct {
	d    *Dir
	f    *os.File
	name string
}

// ErrLocked says that somebody else holds the lock.
var ErrLocked = flock.ErrLocked

// Lock takes the lock file name, creating it where it is absent. It does not wait: ErrLocked when another holds it.
func (d *Dir) Lock(name string) (*Lock, error) {
	for {
		l := &Lock{d: d, name: name}
		err := d.at(OpLock, name, "", func(fd int) error {
			n, err := unix.Openat(fd, name, unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC|unix.O_NOFOLLOW, d.files())
			if err != nil {
				return err
			}
			l.f = os.NewFile(uintptr(n), filepath.Join(d.path, name))
			return nil
		})
		if err != nil {
			return nil, err
		}
		if err := flock.Try(l.f); err != nil {
			_ = l.f.Close()
			if errors.Is(err, ErrLocked) {
				return nil, ErrLocked
			}
			return nil, &Error{Kind: OpLock, Path: filepath.Join(d.path, name), Err: err}
		}
		// Someone may have unlinked the file between open and flock: a lock without a name protects nothing.
		if l.Held() {
			return l, nil
		}
		_ = l.f.Close()
	}
}

// Held reports whether the lock file still has its name.
func (l *Lock) Held() bool {
	st, err := StatOf(l.f)
	return err == nil && st.Links > 0
}

// Release removes the lock file and gives the lock back.
func (l *Lock) Release() error {
	err := l.d.Unlink(l.name)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, l.f.Close())
}

// Drop gives the lock back and leaves its file for a sweeper to find.
func (l *Lock) Drop() error { return l.f.Close() }
