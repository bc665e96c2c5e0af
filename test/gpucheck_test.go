package test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gpuCheck runs what is carried to machines with a card, and returns what it says and its table.
func gpuCheck(t *testing.T, args ...string) (said, table string, err error) {
	t.Helper()
	home, err := sharedHome()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "table.txt")
	cmd := exec.CommandContext(t.Context(), "python3", append([]string{"../bench/gpu/check.py", "--no-peers", "--binary", binary,
		"--home", home, "--out", out}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	all, err := cmd.CombinedOutput()
	raw, wrong := os.ReadFile(out)
	if wrong != nil {
		t.Errorf("%v\n%s", wrong, all)
	}
	return string(all), string(raw), err
}

// TestGPUCheckOnTheProcessor runs a short part of it, on the processor.
func TestGPUCheckOnTheProcessor(t *testing.T) {
	said, table, err := gpuCheck(t, "--device", "cpu", "--small", "--only", "invariance,live")
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if strings.Count(table, " pass\n") != 3 || !strings.Contains(table, "every check passed") {
		t.Error(table)
	}
}

// TestGPUCheckWithoutTheCard asks for a card that no machine has: the check ends before it makes its models.
func TestGPUCheckWithoutTheCard(t *testing.T) {
	said, table, err := gpuCheck(t, "--device", "cuda:99")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Fatalf("%v\n%s", err, said)
	}
	if !strings.Contains(table, "cannot use the device cuda:99: ") || !strings.Contains(table, "\n1 FAILED") ||
		strings.Contains(table, "made and imported") {
		t.Error(table)
	}
}
