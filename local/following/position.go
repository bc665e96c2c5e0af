package following

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"textmill/ground/durable"
	"textmill/ground/flock"
	"textmill/ground/regular"
)

// position is what one follower has done, in a file of its own that it alone holds.
type position struct {
	path string
	lock *os.File
	said positionFile
}

type positionFile struct {
	Table   string `json:"table"`
	TableID string `json:"table_id"`
	Version int64  `json:"version"` // the command has succeeded for it and all before
}

// errOther says that a position is another table's.
var errOther = errors.New("the position is another table's")

// openPosition takes the position at path. Where there is none, the version before from was the last.
func openPosition(path, table, id string, from int64) (*position, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("position: %w", err)
	}
	lock, err := flock.Open(path+".lock", 0o640)
	if errors.Is(err, flock.ErrLocked) {
		return nil, fmt.Errorf("another process follows with the position %s: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("position: %w", err)
	}
	p := &position{path: path, lock: lock, said: positionFile{Table: table, TableID: id, Version: from - 1}}
	raw, err := regular.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return p, nil
	case err == nil:
		err = p.read(raw, id)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("position %s: %w", path, err), lock.Close())
	}
	return p, nil
}

func (p *position) read(raw []byte, id string) error {
	said, err := parsePosition(raw)
	if err != nil {
		return fmt.Errorf("%w; remove it and say --from", err)
	}
	if said.TableID != id {
		return fmt.Errorf("%w: it is of %s, made as %s, and this is %s; name another --position, or remove it", errOther,
			said.Table, said.TableID, id)
	}
	p.said = said
	return nil
}

func parsePosition(raw []byte) (positionFile, error) {
	var said positionFile
	if err := json.Unmarshal(raw, &said); err != nil {
		return said, fmt.Errorf("it is damaged: %w", err)
	}
	if said.TableID == "" || said.Version < -1 {
		return said, errors.New("it is damaged: it names no table or no version")
	}
	return said, nil
}

// done keeps that the command has succeeded for a version, durably.
func (p *position) done(version int64) error {
	p.said.Version = version
	b, err := json.Marshal(p.said)
	if err != nil {
		return fmt.Errorf("position: %w", err)
	}
	if err := durable.Write(p.path, append(b, '\n'), 0o640); err != nil {
		return fmt.Errorf("position: %w", err)
	}
	return nil
}

func (p *position) close() error { return p.lock.Close() }
