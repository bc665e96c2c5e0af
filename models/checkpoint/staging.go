package checkpoint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"textmill/ground/durable"
	"textmill/ground/flock"
)

// A staging is the hidden folder that a bundle is made in, locked while someone works in it.
type staging struct {
	dir  string
	lock *os.File
}

const stagingPattern = ".import-*"

// newStaging makes a folder in parent, and removes those that killed processes left there.
func newStaging(parent string) (*staging, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	if err := sweep(parent); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, stagingPattern)
	if err != nil {
		return nil, err
	}
	lock, err := tryLock(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &staging{dir, lock}, nil
}

// remove ends the work; the folder is gone afterwards unless it was published.
func (s *staging) remove() error {
	return errors.Join(os.RemoveAll(s.dir), s.lock.Close())
}

// publish makes the folder appear as target, durably; what is there already is replaced.
func (s *staging) publish(target string) error {
	if err := errors.Join(os.Chmod(s.dir, 0o755), durable.SyncTree(s.dir)); err != nil {
		return err
	}
	if _, err := os.Lstat(target); errors.Is(err, fs.ErrNotExist) {
		return durable.Move(s.dir, target)
	}
	old := s.dir + "-replaced"
	if err := os.Rename(target, old); err != nil {
		return err
	}
	if err := durable.Move(s.dir, target); err != nil {
		return errors.Join(err, os.Rename(old, target))
	}
	return os.RemoveAll(old)
}

// abandoned is how long nothing may have changed in a folder that nobody has locked before it is removed: whoever
// makes one locks it a moment later.
const abandoned = time.Minute

func sweep(parent string) error {
	left, err := filepath.Glob(filepath.Join(parent, stagingPattern))
	for _, dir := range left {
		st, statErr := os.Stat(dir)
		if statErr != nil || time.Since(st.ModTime()) < abandoned {
			continue
		}
		lock, lockErr := tryLock(dir)
		if lockErr != nil {
			continue // somebody works there
		}
		err = errors.Join(err, os.RemoveAll(dir), lock.Close())
	}
	return err
}

func tryLock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := flock.Try(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
