package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// recorded is the system with each step told to fail, which says what it does by its error.
func recorded(steps *[]string, fail string) system {
	step := func(name string, do func() error) error {
		*steps = append(*steps, name)
		if name == fail {
			return errFault
		}
		return do()
	}
	return system{
		sync: func(f *os.File) error {
			st, err := f.Stat()
			if err != nil {
				return err
			}
			if st.IsDir() {
				return step("sync folder", f.Sync)
			}
			return step("sync file", f.Sync)
		},
		rename: func(from, to string) error { return step("rename", func() error { return os.Rename(from, to) }) },
	}
}

var errFault = errors.New("injected")

func TestFileIsDurableBeforeItAppearsAndItsNameAfter(t *testing.T) {
	all := []string{"sync file", "rename", "sync folder"}
	for i, fail := range append(all, "") {
		path := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
			t.Fatal(err)
		}
		var steps []string
		p, err := recorded(&steps, fail).create(path, 0o600)
		if err == nil {
			_, err = p.WriteString("after")
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Commit(); (fail != "") != errors.Is(err, errFault) {
			t.Errorf("%s failed: %v", fail, err)
		}
		if want := all[:min(i+1, len(all))]; !slices.Equal(steps, want) {
			t.Errorf("%s failed: steps %q, want %q", fail, steps, want)
		}
		want := "before"
		if i >= 2 {
			want = "after"
		}
		if err := p.Abort(); err != nil { // does nothing any more
			t.Error(err)
		}
		holds(t, filepath.Dir(path), map[string]string{"f": want})
	}
}

func holds(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(want) {
		t.Errorf("%s holds %v (%v), want %v", dir, entries, err, want)
	}
	for name, text := range want {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != text {
			t.Errorf("%s holds %q (%v), want %q", name, data, err, text)
		}
	}
}

func TestWriteIsWholeOrNothing(t *testing.T) {
	before := syscall.Umask(0o027)
	defer syscall.Umask(before)
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, text := range []string{"one", "the second is longer", ""} {
		if err := Write(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		holds(t, dir, map[string]string{"f": text})
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o640 {
		t.Errorf("mode %v (%v), want 0640", st.Mode(), err)
	}
	p, err := Create(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Abort(), p.Abort()); err != nil {
		t.Error(err)
	}
	holds(t, dir, map[string]string{"f": ""})
	if err := Write(dir, nil, 0o600); err == nil {
		t.Error("a folder was written to")
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	if err := Write(filepath.Join(dir, "absent", "f"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in no folder: %v", err)
	}
}

func TestTreeMovesWhole(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := errors.Join(os.MkdirAll(filepath.Join(from, "deep"), 0o755), os.WriteFile(filepath.Join(from, "deep", "f"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(SyncTree(from), Move(from, to)); err != nil {
		t.Fatal(err)
	}
	holds(t, filepath.Join(to, "deep"), map[string]string{"f": "x"})
	if err := errors.Join(SyncTree(from), Move(from, to)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing was moved: %v", err)
	}
}
