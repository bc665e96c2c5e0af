package export

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/ground/naming"
	"textmill/internal/s3"
)

// staged opens the staging table of a sync and has rows in it, as a daemon would.
func staged(t *testing.T, s *Store, content, generation string, shards ...string) *Staging {
	t.Helper()
	st, err := s.Stage("docs", content, generation)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	if len(shards) == 0 {
		return st
	}
	tab, err := s.Table(st.Table())
	if err != nil {
		t.Fatal(err)
	}
	b := begin(t, tab)
	add(t, b, shards...)
	commit(t, b)
	if err := tab.Close(); err != nil {
		t.Error(err)
	}
	return st
}

func keysOf(shards ...string) func(each func(Key)) {
	return func(each func(Key)) {
		for _, s := range shards {
			each(key(s))
		}
	}
}

// stagingLives goes through the life of a staging table at a place of tables.
func stagingLives(t *testing.T, open func() *Store) {
	s := open()
	put(t, table(t, s), "a")
	st := staged(t, s, "c1", "g1", "b", "c")
	for want, shards := range map[int][]string{0: {"b", "c"}, 1: {"b", "z"}} {
		if n, err := st.Missing(t.Context(), keysOf(shards...)); err != nil || n != want {
			t.Errorf("of %v %d are missing, want %d, %v", shards, n, want, err)
		}
	}
	if names, err := s.Datasets(); err != nil || !slices.Equal(names, []string{"docs"}) {
		t.Errorf("datasets are %v, %v", names, err)
	}
	// Whoever comes to change the same in the same generation goes on with it, nobody else.
	other := open()
	if again := staged(t, other, "c1", "g1"); again.ID != st.ID {
		t.Errorf("the same sync again is %s, not %s", again.ID, st.ID)
	}
	if later := staged(t, other, "c1", "g2"); later.ID == st.ID {
		t.Error("a sync of another generation goes on with the first one's rows")
	}
	if another := staged(t, other, "c2", "g1"); another.ID == st.ID {
		t.Error("a sync of other content goes on with the first one's rows")
	}
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, rows, err := st.Rows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := rows(t.Context(), func(some []Row) error { n += len(some); return nil }); err != nil || n != 20 {
		t.Errorf("%d rows are staged, %v", n, err)
	}
	// The one that was committed is over.
	staged(t, other, "c3", st.ID)
	if _, err := Inspect(t.Context(), st.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the staging table of a sync that was committed: %v", err)
	}
}

func TestStagingTablesAreGoneOnWith(t *testing.T) {
	dir := t.TempDir()
	stagingLives(t, func() *Store { return openStore(t, dir) })
	if names, err := filepath.Glob(filepath.Join(dir, ".sync-*")); err != nil || len(names) != 3 {
		t.Errorf("there are %v, %v", names, err)
	}
}

func TestStagingTablesInABucket(t *testing.T) {
	s3.ForTest(t)
	stagingLives(t, func() *Store { return openStore(t, tablesURI, scratch(t)) })
}

// A staging table is swept when nobody has written to it for a week, neither rows nor a sign of life.
func TestStagingTablesThatNobodyOwnsAreSwept(t *testing.T) {
	for name, c := range map[string]struct {
		renew, write bool
		stays        bool
	}{"nobody": {}, "the publisher waits": {renew: true, stays: true}, "a daemon writes": {write: true, stays: true}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, dir)
			st := staged(t, s, "c", "", "a")
			old := time.Now().Add(-stagingAge - time.Hour)
			err := filepath.WalkDir(st.Path(), func(path string, _ os.DirEntry, err error) error {
				return errors.Join(err, os.Chtimes(path, old, old))
			})
			if err != nil {
				t.Fatal(err)
			}
			if c.renew {
				err = st.Renew()
			}
			if c.write {
				var tab *Table
				if tab, err = s.Table(st.Table()); err == nil {
					put(t, tab, "b")
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := openStore(t, dir).Sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(st.Path()); errors.Is(err, os.ErrNotExist) == c.stays {
				t.Errorf("after the sweep: %v", err)
			}
		})
	}
}

func TestNamesOfStagingTables(t *testing.T) {
	for _, dataset := range []string{"d", "a-b", "sync-x", strings.Repeat("x", 64)} {
		got, id, ok := naming.OfStaging(naming.Staging(dataset, "0123456789abcdef"))
		if !ok || got != dataset || id != "0123456789abcdef" {
			t.Errorf("%s comes back as %s, %s, %v", dataset, got, id, ok)
		}
	}
	for _, name := range []string{"docs", ".sync-", ".sync-docs", ".sync-docs-0123", ".sync--0123456789abcdef", ".sync-_d-0123456789abcdef",
		".sync-a/b-0123456789abcdef", ".sync-docs-0123456789ABCDEF"} {
		if _, _, ok := naming.OfStaging(name); ok {
			t.Errorf("%s is taken for a staging table", name)
		}
	}
}
