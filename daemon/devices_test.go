package daemon

import (
	"os"
	"path/filepath"
	"testing"
)

// A process in a container has as much memory as the least of the limits above it.
func TestMemoryOfAControlGroup(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		at := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := allowed(root); got != 0 {
		t.Errorf("without control groups: %d", got)
	}
	write("proc/self/cgroup", "0::/system.slice/textmill.service\n")
	write("sys/fs/cgroup/system.slice/textmill.service/memory.max", "max\n")
	if got := allowed(root); got != 0 {
		t.Errorf("without a limit: %d", got)
	}
	write("sys/fs/cgroup/system.slice/memory.max", "3000\n")
	write("sys/fs/cgroup/memory.max", "5000\n")
	if got := allowed(root); got != 3000 {
		t.Errorf("with a limit above: %d", got)
	}
	write("sys/fs/cgroup/system.slice/textmill.service/memory.max", "2000\n")
	if got := allowed(root); got != 2000 {
		t.Errorf("with the least below: %d", got)
	}
}
