package disk

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func openDir(t *testing.T, hook Intercept) (*Dir, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "d")
	d, err := MakeRoot(path, Options{Hook: hook})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d, path
}

func current(t *testing.T, d *Dir) bool {
	t.Helper()
	ok, err := d.Current()
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func TestAHandleKnowsWhenItsPathLeadsElsewhere(t *testing.T) {
	d, path := openDir(t, nil)
	if !current(t, d) {
		t.Error("a new directory is not current")
	}
	if err := os.Rename(path, path+"2"); err != nil {
		t.Fatal(err)
	}
	if current(t, d) {
		t.Error("a renamed directory is current")
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if current(t, d) {
		t.Error("a replaced directory is current")
	}
	if err := os.Remove(path + "2"); err != nil {
		t.Fatal(err)
	}
	if current(t, d) {
		t.Error("a deleted directory is current")
	}
	if _, err := d.Create("f"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made in a deleted directory: %v", err)
	}
}

func TestLinkReplacesNothing(t *testing.T) {
	d, _ := openDir(t, nil)
	for _, name := range []string{"a", "b"} {
		f, err := d.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(name)); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Sync(), f.Close(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Link("a", d, "n"); err != nil {
		t.Fatal(err)
	}
	if err := d.Link("b", d, "n"); !errors.Is(err, os.ErrExist) || errors.Is(err, ErrFailed) {
		t.Errorf("a second link: %v", err)
	}
	if _, err := d.Create("n"); !errors.Is(err, os.ErrExist) {
		t.Errorf("create over a file: %v", err)
	}
}

func TestALockIsHeldOnce(t *testing.T) {
	d, path := openDir(t, nil)
	l, err := d.Lock("x.lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Lock("x.lock"); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	if err := os.Remove(filepath.Join(path, "x.lock")); err != nil {
		t.Fatal(err)
	}
	if l.Held() {
		t.Error("a lock without a name is held")
	}
	again, err := d.Lock("x.lock")
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
	if _, err := d.Stat("x.lock"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock's file: %v", err)
	}
}

func TestErrorsHaveClasses(t *testing.T) {
	var fail error
	d, _ := openDir(t, func(op *Op, do func() error) error {
		if fail != nil && op.Kind == OpWrite {
			op.Data = op.Data[:1]
			return errors.Join(do(), fail)
		}
		return do()
	})
	for name, c := range map[string]struct{ err, class error }{
		"full":   {syscall.ENOSPC, ErrNoSpace},
		"quota":  {syscall.EDQUOT, ErrNoSpace},
		"broken": {syscall.EIO, ErrFailed},
	} {
		f, err := d.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		fail = c.err
		_, err = f.Write([]byte("abc"))
		fail = nil
		if !errors.Is(err, c.class) || !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
		for _, later := range []error{f.Sync(), f.Close()} {
			if !errors.Is(later, c.err) {
				t.Errorf("%s: a broken file went on: %v", name, later)
			}
		}
	}
}
