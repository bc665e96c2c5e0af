// Package flock takes locks of files and folders that end with the process that holds them.
package flock

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked says that somebody else holds the lock.
var ErrLocked = errors.New("locked by another process")

// Try takes the lock of an open file or folder, which ends when that is closed or the process ends. It does not wait:
// ErrLocked while another holds it.
func Try(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EWOULDBLOCK):
		err = ErrLocked
	}
	return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
}

// Open opens what is at path, made with the mode where a file is absent, and takes its lock.
func Open(path string, mode fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, mode)
	if err != nil {
		return nil, err
	}
	if err := Try(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// again is how often a lock that another holds is tried.
const again = 200 * time.Millisecond

// Wait is Open once nobody else holds the lock, or ctx's error. waiting is called once if it has to wait.
func Wait(ctx context.Context, path string, mode fs.FileMode, waiting func()) (*os.File, error) {
	tick := time.NewTicker(again)
	defer tick.Stop()
	for told := false; ; told = true {
		f, err := Open(path, mode)
		if !errors.Is(err, ErrLocked) {
			return f, err
		}
		if !told {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}
