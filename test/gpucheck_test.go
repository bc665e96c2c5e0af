package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGPUCheckOnTheProcessor runs what is carried to machines with a card: a short part of it, on the processor.
func TestGPUCheckOnTheProcessor(t *testing.T) {
	home, err := sharedHome()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "table.txt")
	cmd := exec.CommandContext(t.Context(), "python3", "../bench/gpu/check.py", "--device", "cpu", "--small", "--no-peers",
		"--only", "invariance,live", "--binary", binary, "--home", home, "--out", out)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	said, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	table, err := os.ReadFile(out)
	if err != nil || strings.Count(string(table), " pass\n") != 3 || !strings.Contains(string(table), "every check passed") {
		t.Errorf("%v, %s", err, table)
	}
}
