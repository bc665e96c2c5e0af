package demo

import (
	"errors"
	"fmt"

	"textmill/ground/flock"
)

// lock keeps a second demo from removing the first one's table.
func lock(path string) (unlock func(), err error) {
	f, err := flock.Open(path, 0o644)
	if errors.Is(err, flock.ErrLocked) {
		return nil, fmt.Errorf("another textmill demo is running: %w", err)
	}
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil // closing gives the lock back
}
