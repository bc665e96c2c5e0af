package test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestACardThatCannotBeUsedIsNamedWithItsMend has a driver that is too old: who asked for its card is told, and auto
// goes on without it.
func TestACardThatCannotBeUsedIsNamedWithItsMend(t *testing.T) {
	dir := t.TempDir()
	source, err := filepath.Abs("../models/internal/cuda/fake/driver.c.txt")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-x", "c", "-shared", "-fPIC", "-o", filepath.Join(dir, "libcuda.so.1"), "-DINIT=0", "-DCUDA=12020", "-DCARDS=1",
		`-DVERSION="535.1"`, "-DMAJOR=9", "-DMINOR=0", "-DMEMORY=8", source}
	if out, err := exec.CommandContext(t.Context(), "cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := call{home: newHome(t), env: append([]string{"LD_LIBRARY_PATH=" + dir}, quick...)}
	const want = "the driver (CUDA 12.2) is too old: CUDA 13.0 is needed; install driver 580 or later"
	if r := c.run(t, "embed", "--model", model, "--device", "cuda:0", "a text"); r.code != 1 || !strings.Contains(r.stderr, want) || r.stdout != "" {
		t.Errorf("cuda:0: exit %d, %s", r.code, r.stderr)
	}
	if r := c.ok(t, "embed", "--model", model, "--device", "auto", "a text"); strings.Count(r.stderr, want) != 1 || r.stdout == "" {
		t.Errorf("auto: %s", r.stderr)
	}
	if r := c.run(t, "setup", "--device", "gpu"); r.code != 2 || !strings.Contains(r.stderr, "cuda:N") {
		t.Errorf("setup --device gpu: exit %d, %s", r.code, r.stderr)
	}
}
