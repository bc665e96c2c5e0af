// Package fake compiles libraries that answer as NVIDIA's driver does, for tests on machines without one.
package fake

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"textmill/models/internal/cuda"
)

//go:embed driver.c.txt
var driver string

// A Driver says how the fake answers. Zero values are a good driver's, but for Cards.
type Driver struct {
	Init         int // what cuInit answers
	CUDA         int // 13000
	Version      string
	Cards        int
	Major, Minor int // 9.0
}

// Memory is that of each card.
const Memory = 80 << 30

// Compile makes libcuda.so.1 and libnvidia-ml.so.1 in dir.
func Compile(t *testing.T, dir string, d Driver) {
	t.Helper()
	if d.CUDA == 0 {
		d.CUDA = 13000
	}
	if d.Version == "" {
		d.Version = "580.82.07"
	}
	if d.Major == 0 {
		d.Major = 9
	}
	path := filepath.Join(dir, "libcuda.so.1")
	Library(t, path, driver, fmt.Sprintf("-DINIT=%d", d.Init), fmt.Sprintf("-DCUDA=%d", d.CUDA),
		fmt.Sprintf("-DVERSION=%q", d.Version), fmt.Sprintf("-DCARDS=%d", d.Cards), fmt.Sprintf("-DMAJOR=%d", d.Major),
		fmt.Sprintf("-DMINOR=%d", d.Minor), fmt.Sprintf("-DMEMORY=%dULL", int64(Memory)))
	if err := os.Link(path, filepath.Join(dir, "libnvidia-ml.so.1")); err != nil {
		t.Fatal(err)
	}
}

// System is one with that driver, or with none if d is nil; plugged is whether a card is in the machine.
func System(t *testing.T, d *Driver, plugged bool) cuda.System {
	t.Helper()
	dir := t.TempDir()
	if d != nil {
		Compile(t, dir, *d)
	}
	pci := filepath.Join(dir, "pci")
	for device, files := range map[string]map[string]string{
		"0000:00:01.0": {"vendor": "0x8086\n", "class": "0x030000\n"}, // a display of another maker's
		"0000:00:02.0": {"vendor": "0x10de\n", "class": "0x040300\n"}, // sound of NVIDIA's
		"0000:01:00.0": {"vendor": "0x10de\n", "class": "0x030200\n"},
	} {
		if device == "0000:01:00.0" && !plugged {
			continue
		}
		for name, text := range files {
			write(t, filepath.Join(pci, device, name), text)
		}
	}
	return cuda.System{CUDA: filepath.Join(dir, "libcuda.so.1"), NVML: filepath.Join(dir, "libnvidia-ml.so.1"), PCI: pci}
}

// Library compiles source into a shared library that is called as its file.
func Library(t *testing.T, path, source string, flags ...string) {
	t.Helper()
	write(t, path+".c", source)
	args := append([]string{"-shared", "-fPIC", "-Wl,-soname," + filepath.Base(path), "-o", path, path + ".c"}, flags...)
	if out, err := exec.CommandContext(t.Context(), "cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("compile %s: %v\n%s", path, err, out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
