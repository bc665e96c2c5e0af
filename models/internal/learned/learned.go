// Package learned keeps what was measured of models on this machine, so that it is measured once.
package learned

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Read gives all entries of the book at path. A book that is not there, or cannot be understood, is empty: it can be learned again.
func Read[T any](path string) (map[string]T, error) {
	known := map[string]T{}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(data, &known) != nil || known == nil {
		return map[string]T{}, nil
	}
	return known, nil
}

// Write adds one entry. Of two processes that learn at once one may win; the other's entry is learned again.
func Write[T any](path, key string, value T) error {
	known, err := Read[T](path)
	if err != nil {
		return err
	}
	known[key] = value
	data, err := json.MarshalIndent(known, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".learned-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
