package flock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestOneHoldsALock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Open(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, 0o600); !errors.Is(err, ErrLocked) {
		t.Errorf("a second one has it: %v", err)
	}
	waits, end := context.WithCancel(t.Context())
	if _, err := Wait(waits, path, 0o600, end); !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up waiting has it: %v", err)
	}
	waited := 0
	second, err := Wait(t.Context(), path, 0o600, func() {
		waited++
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	})
	if err != nil || waited != 1 {
		t.Fatalf("waited %d times: %v", waited, err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if third, err := Wait(t.Context(), path, 0o600, nil); err != nil || third.Close() != nil {
		t.Errorf("who need not wait: %v", err)
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	if err := Try(folder); err != nil {
		t.Errorf("a folder: %v", err)
	}
}
