package export

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"textmill/internal/s3"
)

// A directory of tables has one id, wherever it lies, and keeps it when it is deleted under a daemon.
func TestTheTablesHaveOneID(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tables")
	s := openStore(t, dir)
	if id, err := s.Identity(); id != "" || err != nil {
		t.Errorf("before it has one: %q, %v", id, err)
	}
	id, err := s.Identify()
	if err != nil || id == "" {
		t.Fatalf("%q, %v", id, err)
	}
	other, err := openStore(t, dir).Identify()
	if err != nil || other != id {
		t.Errorf("for another daemon it is %q, not %q: %v", other, id, err)
	}
	put(t, table(t, s), "a")
	if all, err := s.Datasets(); err != nil || len(all) != 1 {
		t.Errorf("datasets: %v, %v", all, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if again, err := s.Identity(); err != nil || again != id {
		t.Errorf("made anew it is %q, not %q: %v", again, id, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(t, dir).Identify(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Identity(); !errors.Is(err, ErrElsewhere) {
		t.Errorf("in the place of another: %v", err)
	}
	s = openStore(t, dir)
	if id, err = s.Identify(); err != nil {
		t.Fatal(err)
	}
	moved := dir + "-moved"
	if err := os.Rename(dir, moved); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time something stands in its place
		if _, err := s.Identity(); !errors.Is(err, ErrElsewhere) {
			t.Errorf("moved away: %v", err)
		}
	}
	if err := errors.Join(os.RemoveAll(dir), os.Rename(moved, dir)); err != nil {
		t.Fatal(err)
	}
	if back, err := s.Identity(); err != nil || back != id {
		t.Errorf("moved back it is %q, not %q: %v", back, id, err)
	}
	if err := errors.Join(os.Rename(dir, moved), os.RemoveAll(moved)); err != nil {
		t.Fatal(err)
	}
	if again, err := s.Identity(); err != nil || again != id {
		t.Errorf("moved away and deleted it is %q, not %q: %v", again, id, err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "_textmill")); err != nil {
		t.Fatal(err)
	}
	put(t, table(t, s), "a")
	if again, err := s.Identity(); err != nil || again != id {
		t.Errorf("emptied and written to it is %q, not %q: %v", again, id, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "_textmill", "id"), []byte("mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(t, dir).Identify(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("something else in its place: %v", err)
	}
}

// In a bucket it is the same by whatever URI the place is called, and of several who give it one, one does.
func TestTheTablesOfABucketHaveOneID(t *testing.T) {
	s3.ForTest(t)
	ids := make([]string, 4)
	var all sync.WaitGroup
	for i := range ids {
		uri := tablesURI
		if i%2 == 1 {
			uri += "/"
		}
		s := openStore(t, uri, scratch(t))
		all.Go(func() {
			var err error
			if ids[i], err = s.Identify(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Errorf("ids are %q", ids)
		}
	}
	if other, err := openStore(t, tablesURI+"/below", scratch(t)).Identify(); err != nil || other == ids[0] {
		t.Errorf("another place: %q, %v", other, err)
	}
}
