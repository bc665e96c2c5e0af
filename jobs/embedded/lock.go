package embedded

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"textmill/ground/flock"
)

// lockStore takes the store's lock, which ends with the process or the file. Whoever meets it is told of the
// credential too, if its file is there.
func lockStore(dir, credential string) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("nats.embedded.dir: %w", err)
	}
	err = flock.Try(f)
	switch {
	case err == nil:
		if err = f.Truncate(0); err == nil {
			return f, nil
		}
		err = fmt.Errorf("nats.embedded.dir: %w", err)
	case errors.Is(err, flock.ErrLocked):
		at := "the address that it printed"
		if b, readErr := io.ReadAll(io.LimitReader(f, 256)); readErr == nil && len(b) > 0 {
			at = strings.TrimSpace(string(b))
		}
		if _, statErr := os.Stat(credential); statErr == nil {
			at += " and nats.nkey_file to " + credential
		}
		err = fmt.Errorf("%w: another textmill daemon serves %s; set nats.url (TEXTMILL_NATS_URL) to %s to join it",
			ErrLocked, dir, at)
	default:
		err = fmt.Errorf("nats.embedded.dir: %w", err)
	}
	return nil, errors.Join(err, f.Close())
}
