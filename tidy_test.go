package textmill_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"testing"
)

// TestGoModIsTidy asks the go command, which fetches what tests of our dependencies need where the module cache lacks that.
func TestGoModIsTidy(t *testing.T) {
	_, mod := os.Stat("go.mod") // so that a change of these ends the cached result
	_, sum := os.Stat("go.sum")
	var said bytes.Buffer
	cmd := exec.Command("go", "mod", "tidy", "-diff")
	cmd.Stderr = &said
	diff, err := cmd.Output()
	if err := errors.Join(err, mod, sum); err != nil || len(diff) > 0 {
		t.Errorf("go mod tidy would change (%v):\n%s\n%s", err, diff, &said)
	}
}
