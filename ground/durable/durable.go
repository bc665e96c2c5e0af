// Package durable writes files that appear whole, and stay whatever process or power supply ends, or not at all.
package durable

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Write makes data the whole content of the file at path, durably, or leaves what was there. What is made anew has the
// mode, less the umask.
func Write(path string, data []byte, mode fs.FileMode) error {
	p, err := Create(path, mode)
	if err != nil {
		return err
	}
	if _, err := p.Write(data); err != nil {
		return errors.Join(err, p.Abort())
	}
	return p.Commit()
}

// Pending is a file that is written beside the place where it is to appear.
type Pending struct {
	*os.File
	target string
	system system
	ended  bool
}

// system is what a test stands in for.
type system struct {
	sync   func(*os.File) error
	rename func(from, to string) error
}

var actual = system{sync: (*os.File).Sync, rename: os.Rename}

// Create begins a file that is at path, whole and durably, once Commit has returned. Its mode is that given, less the
// umask.
func Create(path string, mode fs.FileMode) (*Pending, error) { return actual.create(path, mode) }

func (s system) create(path string, mode fs.FileMode) (*Pending, error) {
	name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"-"+rand.Text())
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err
	}
	return &Pending{File: f, target: path, system: s}, nil
}

// Commit makes the content durable and lets the file appear, in the place of what was there. After an error before
// that nothing has changed.
func (p *Pending) Commit() error {
	err := p.system.sync(p.File)
	if err != nil {
		return errors.Join(err, p.Abort())
	}
	p.ended = true
	if err = p.File.Close(); err == nil {
		err = p.system.rename(p.Name(), p.target)
	}
	if err != nil {
		return errors.Join(err, os.Remove(p.Name()))
	}
	return p.system.syncDir(filepath.Dir(p.target))
}

// Abort gives the file up; after Commit it does nothing.
func (p *Pending) Abort() error {
	if p.ended {
		return nil
	}
	p.ended = true
	return errors.Join(p.File.Close(), os.Remove(p.Name()))
}

// Move gives a durable file or folder another name, durably, in the place of a file that was there.
func Move(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return actual.syncDir(filepath.Dir(to))
}

// SyncTree makes all below a folder durable, with the names that lead to it.
func SyncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return actual.syncPath(path)
	})
}

// syncDir makes the names in a folder durable. In one that may be written to but not read the system does so in its
// own time.
func (s system) syncDir(dir string) error {
	err := s.syncPath(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

func (s system) syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(s.sync(f), f.Close())
}
