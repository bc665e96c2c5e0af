package delta

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// placeCheckpoint makes the finished file the checkpoint of a version, and the hint point to it.
func (l *Log) placeCheckpoint(version int64, n written, o CheckpointOptions) error {
	err := l.dir.Link(o.TempDir, o.TempName, fmt.Sprintf("%020d.checkpoint.parquet", version))
	err = errors.Join(err, o.TempDir.Unlink(o.TempName))
	if errors.Is(err, os.ErrExist) {
		return nil // another's checkpoint of the same version is as good
	}
	if err != nil {
		return err
	}
	if err := l.dir.Sync(); err != nil {
		return err
	}
	data, err := json.Marshal(map[string]int64{
		"version": version, "size": n.actions, "sizeInBytes": n.bytes, "numOfAddFiles": n.adds,
	})
	if err != nil {
		return err
	}
	return l.pointTo(data, o)
}

// pointTo replaces _last_checkpoint, which is only a hint.
func (l *Log) pointTo(data []byte, o CheckpointOptions) error {
	f, err := o.TempDir.Create(o.TempName)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = f.Close()
	}
	if err == nil {
		err = l.dir.Place(o.TempDir, o.TempName, lastCheckpoint)
	}
	if err != nil {
		return errors.Join(err, ignoreAbsent(f.Remove()))
	}
	return l.dir.Sync()
}

// LastCheckpoint reads _last_checkpoint; os.ErrNotExist when there is none, ErrCorrupt when it cannot be read. A
// listing of the directory says more, and costs more.
func (l *Log) LastCheckpoint() (int64, error) {
	f, err := l.dir.Open(lastCheckpoint)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return 0, err
	}
	return decodeLastCheckpoint(data)
}

func decodeLastCheckpoint(data []byte) (int64, error) {
	var v struct {
		Version *int64 `json:"version"`
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return 0, fmt.Errorf("%w: %s: %w", ErrCorrupt, lastCheckpoint, err)
	}
	if v.Version == nil || *v.Version < 0 {
		return 0, fmt.Errorf("%w: %s has no version", ErrCorrupt, lastCheckpoint)
	}
	return *v.Version, nil
}
