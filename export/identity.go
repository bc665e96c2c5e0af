package export

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"textmill/export/storage"
)

// identityName is the file beside the tables, in a folder that readers pass over, that tells their place from every
// other, however it is called: moved, mounted elsewhere, or named by another URI, it is the same.
const identityName = "id"

// ErrElsewhere: the directory of tables is another than the one that a daemon began with.
var ErrElsewhere = errors.New("it is not the directory of tables that it was")

// Identity is the id of the directory of tables; "" where it has none yet.
func (s *Store) Identity() (string, error) {
	root, err := s.base()
	if err != nil {
		return "", err
	}
	return identityOf(root)
}

// Identify gives the directory of tables an id unless it has one, and tells which it has. Should the directory be
// deleted or emptied while the store is open, what is made anew gets the same; one with another id is ErrElsewhere
// from then on, and so is one without where the one of before was moved away or lies under what was mounted there.
func (s *Store) Identify() (string, error) {
	root, err := s.base()
	if err != nil {
		return "", err
	}
	id, err := identify(root, newID())
	if err != nil {
		return "", fmt.Errorf("give the tables of %s an id: %w", s.path, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.identity = id
	return id, nil
}

// isSame gives a directory that is there now the id of the one before, unless that one still has it, or is
// ErrElsewhere.
func (s *Store) isSame(before, root storage.Dir) error {
	s.mu.Lock()
	want := s.identity
	s.mu.Unlock()
	if want == "" {
		return nil
	}
	id, err := identityOf(root)
	if err == nil && id == "" {
		var left string
		if left, err = identityOf(before); err == nil && left == "" {
			id, err = identify(root, want)
		}
	}
	if err == nil && id != want {
		err = fmt.Errorf("%s: %w: its id is %q and was %q", s.path, ErrElsewhere, id, want)
	}
	return err
}

// identify is the id that a directory has, or now gets: of several who give it one, one does.
func identify(root storage.Dir, id string) (string, error) {
	has, err := identityOf(root)
	if err != nil {
		return "", err
	}
	if has != "" { // whoever linked it may have died before it was durable
		return has, syncIdentity(root)
	}
	files, err := root.MakeStage()
	if err != nil {
		return "", err
	}
	defer files.Close()
	dir, err := root.MakeSub(marksName)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	temp, err := (&stage{dir: files, id: newID()}).write([]byte(id + "\n"))
	if err != nil {
		return "", err
	}
	linked := dir.Link(files, temp, identityName)
	if err := errors.Join(files.Unlink(temp), dir.Sync(), root.Sync()); err != nil {
		return "", err
	}
	has, err = identityOf(root) // whoever made it
	if err == nil && has == "" {
		err = errors.Join(linked, fmt.Errorf("%s is not there: %w", storage.Join(dir.Path(), identityName), os.ErrNotExist))
	}
	return has, err
}

func syncIdentity(root storage.Dir) error {
	dir, err := root.Sub(marksName)
	if err != nil {
		return err
	}
	defer dir.Close()
	return errors.Join(dir.Sync(), root.Sync())
}

// identityOf reads the id; "" where there is none.
func identityOf(root storage.Dir) (string, error) {
	dir, err := root.Sub(marksName)
	if err == nil {
		defer dir.Close()
		var f storage.File
		if f, err = dir.Open(identityName); err == nil {
			defer f.Close()
			var data []byte
			if data, err = io.ReadAll(io.LimitReader(f, 1<<10)); err == nil {
				return parseIdentity(f.Name(), data)
			}
		}
	}
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return "", fmt.Errorf("read the id of the tables of %s: %w", root.Path(), err)
}

func parseIdentity(name string, data []byte) (string, error) {
	id := strings.TrimSuffix(string(data), "\n")
	if b, err := hex.DecodeString(id); err != nil || len(b) != len(newID())/2 {
		return "", fmt.Errorf("%w: %s holds %.40q and no id of tables; restore it, or remove it and bind the queue anew",
			ErrCorrupt, name, data)
	}
	return id, nil
}
