package export

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// descriptors counts what this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

// A closed table holds nothing open, and whoever needs it again finds all that it knew.
func TestClosedTableGivesBackWhatItHeldOpen(t *testing.T) {
	s := openStore(t, t.TempDir())
	before := descriptors(t)
	for i := range 50 {
		tab, err := s.Table(fmt.Sprint("d", i))
		if err != nil {
			t.Fatal(err)
		}
		put(t, tab, "a")
		if err := tab.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors are open, before there were %d", after, before)
	}
	tab, err := s.Table("d7")
	if err != nil {
		t.Fatal(err)
	}
	if o := outcome(t, tab, key("a")); o != Committed {
		t.Errorf("the key of a table that was closed is %v", o)
	}
	put(t, tab, "a", "b")
	holds(t, tab, "a", "b")
}

// Each user's Close ends that user's use alone.
func TestTableIsClosedByItsLastUser(t *testing.T) {
	s := openStore(t, t.TempDir())
	one, two := table(t, s), table(t, s)
	if one != two {
		t.Fatal("two users have two tables")
	}
	b := begin(t, one)
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	add(t, b, "a")
	commit(t, b)
	if err := one.Close(); err != nil {
		t.Fatal(err)
	}
	holds(t, table(t, s), "a")
}

// The directory of all tables may go as a single table may.
func TestRootDeletedAndMadeAnew(t *testing.T) {
	for name, lose := range map[string]func(root string) error{
		"deleted": os.RemoveAll,
		"renamed": func(root string) error { return os.Rename(root, root+"-old") },
		"renamed, made again": func(root string) error {
			return errors.Join(os.Rename(root, root+"-old"),
				os.Mkdir(root, 0o755))
		},
		"deleted, made again": func(root string) error { return errors.Join(os.RemoveAll(root), os.Mkdir(root, 0o755)) },
	} {
		t.Run(name, func(t *testing.T) {
			root := filepath.Join(t.TempDir(), "tables")
			s := openStore(t, root)
			tab := table(t, s)
			put(t, tab, "a")
			b := begin(t, tab)
			add(t, b, "b")
			if err := lose(root); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Commit(t.Context()); !errors.Is(err, ErrGone) {
				t.Errorf("a commit to what is no more: %v", err)
			}
			b.Abort()
			put(t, tab, "b")
			if o := outcome(t, tab, key("a")); o != Absent {
				t.Errorf("the key of what is no more is %v", o)
			}
			put(t, tab, "a")
			holds(t, tab, "a", "b")
			other, err := s.Table("other")
			if err != nil {
				t.Fatal(err)
			}
			put(t, other, "c")
			if names, err := s.Datasets(); err != nil || len(names) != 2 {
				t.Errorf("datasets %v, %v", names, err)
			}
			if _, err := s.Sweep(t.Context()); err != nil {
				t.Error(err)
			}
			if _, err := os.Stat(filepath.Join(root+"-old", "docs", "_delta_log", "00000000000000000002.json")); !errors.Is(err,
				os.ErrNotExist) {
				t.Errorf("something was committed to the directory that was renamed: %v", err)
			}
		})
	}
}
