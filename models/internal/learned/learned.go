// Package learned keeps what was measured of models on this machine, so that it is measured once.
package learned

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"textmill/ground/durable"
)

// Read gives all entries of the book at path. A book that is not there, or cannot be understood, is empty: it can be
// learned again.
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
		return map[string]T{}, nil //nolint:nilerr // it can be learned again
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
	return durable.Write(path, append(data, '\n'), 0o600)
}
