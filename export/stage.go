package export

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"

	"textmill/export/disk"
	"textmill/export/storage"
)

// stage is where a process leaves what is not, or not yet, a file of a table: on its own machine, under a lock that
// tells whether the process lives. Once the lock's file is removed another sweep may take what lies here, so a part is
// committed only while the lock is held under which it was made.
type stage struct {
	dir    *disk.Dir
	id     string // in the names of its files, and of parts
	lock   *disk.Lock
	names  atomic.Int64
	marks  storage.Dir // where all processes find what is known of suspects
	remote bool        // marks are in a bucket, where other machines see them
	life   life
}

// marksName is the directory of marks in a bucket, and beside the tables of their id. Readers of Delta tables pass
// over names that begin with an underscore.
const marksName = "_textmill"

func openStage(table storage.Dir) (*stage, error) {
	dir, err := table.MakeStage()
	if err != nil {
		return nil, err
	}
	id := newID()
	lock, err := dir.Lock(lockName(id))
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	s := &stage{dir: dir, id: id, lock: lock, marks: storage.Local(dir), remote: table.Remote()}
	if s.remote {
		if s.marks, err = table.Sub(marksName); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

// close gives everything back. A lock file that stays is swept.
func (s *stage) close() error {
	return errors.Join(s.bury(), s.lock.Release(), s.dir.Close())
}

// put gives a file in dir its content, whole; its name is durable once dir is synced.
func (s *stage) put(dir storage.Dir, name string, data []byte) error {
	temp, err := s.write(data)
	if err != nil {
		return err
	}
	if err := dir.Place(s.dir, temp, name); err != nil {
		return errors.Join(err, s.dir.Unlink(temp))
	}
	return nil
}

// unmark removes a mark, which need not be there.
func (s *stage) unmark(name string) error {
	if err := s.marks.Unlink(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func newID() string {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // the system has no randomness
	}
	return hex.EncodeToString(b[:])
}

// lockName is the file that the process of an id holds locked.
func lockName(id string) string { return id + ".lock" }

// held is an error where the lock's file was removed.
func (s *stage) held() error {
	if !s.lock.Held() {
		return fmt.Errorf("%w: lock file %s was removed", ErrGone, lockName(s.id))
	}
	return nil
}

// partPrefix begins the names of parts.
const partPrefix = "textmill-"

// partName is a new name that tells whose part it is.
func (s *stage) partName() string {
	return fmt.Sprintf("%s%s-%d.parquet", partPrefix, s.id, s.names.Add(1))
}

// Made tells by its name whether textmill wrote a file of a table: other tools' lack the columns by which it is
// partitioned.
func Made(file string) bool { return strings.HasPrefix(path.Base(filepath.ToSlash(file)), partPrefix) }

func (s *stage) tempName() string { return fmt.Sprintf("%s-%d.tmp", s.id, s.names.Add(1)) }

// write leaves a durable file under a new name.
func (s *stage) write(data []byte) (name string, err error) {
	name = s.tempName()
	f, err := s.dir.Create(name)
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return "", errors.Join(err, f.Remove())
	}
	return name, nil
}
