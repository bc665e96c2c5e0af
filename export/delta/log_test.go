package delta

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"textmill/export/disk"
	"textmill/export/storage"
)

type fixture struct {
	dir  storage.Dir
	temp *disk.Dir
	log  *Log
	path string
	next int64
}

func newLog(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{path: t.TempDir()}
	dir, err := disk.OpenDir(f.path, disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.dir = storage.Local(dir)
	if f.temp, err = f.dir.MakeStage(); err != nil {
		t.Fatal(err)
	}
	if f.log, err = MakeLog(f.dir); err != nil {
		t.Fatal(err)
	}
	f.put(t, Action{Protocol: &Protocol{MinReaderVersion: 1, MinWriterVersion: 2}}, Action{Metadata: &Metadata{ID: "x",
		Format: Format{Provider: "parquet"}, SchemaString: "{}"}})
	return f
}

func (f *fixture) put(t testing.TB, actions ...Action) {
	t.Helper()
	data, err := Encode(actions)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.path, DirName, EntryName(f.next)), data, 0o644); err != nil {
		t.Fatal(err)
	}
	f.next++
}

func (f *fixture) checkpoint(t testing.TB, forget time.Time) {
	t.Helper()
	_, _, err := f.log.WriteCheckpoint(t.Context(), CheckpointOptions{TempDir: f.temp, TempName: fmt.Sprintf("c%d", f.next),
		Now: time.UnixMilli(1_000_000_000_000), ForgetTxns: forget, Ours: func(id string) bool { return id[0] == 't' }})
	if err != nil {
		t.Fatal(err)
	}
}

type state struct {
	txns map[string]int64
	adds map[string]bool
	gone map[string]bool
	*Snapshot
}

func (f *fixture) load(t testing.TB) state {
	t.Helper()
	var s state
	snap, err := f.log.Load(t.Context(), func() Sink {
		s = state{txns: map[string]int64{}, adds: map[string]bool{}, gone: map[string]bool{}}
		return Sink{
			Txn:    func(x Txn) { s.txns[x.AppID] = x.Version },
			Add:    func(a Add) { s.adds[a.Path] = true; delete(s.gone, a.Path) },
			Remove: func(r Remove) { delete(s.adds, r.Path); s.gone[r.Path] = true },
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Snapshot = snap
	return s
}

func txn(id string, version, updated int64) Action {
	return Action{Txn: &Txn{AppID: id, Version: version, LastUpdated: &updated}}
}

func addFile(path string) Action {
	return Action{Add: &Add{Path: path, PartitionValues: map[string]*string{}}}
}

func TestCheckpointCarriesTheState(t *testing.T) {
	f := newLog(t)
	removed := int64(999_999_999_000)
	long := removed - 30*86400*1000
	f.put(t, txn("ta", 1, 100), txn("tb", 2, 900), txn("zc", 3, 100), addFile("one"), addFile("two"), addFile("old"))
	f.checkpoint(t, time.Time{})
	f.put(t, txn("ta", 5, 950), Action{Remove: &Remove{Path: "one", DeletionTimestamp: &removed}},
		Action{Remove: &Remove{Path: "old", DeletionTimestamp: &long}}, addFile("three"))
	before := f.load(t)
	f.checkpoint(t, time.Time{})
	for v := range int64(3) {
		if err := os.Remove(filepath.Join(f.path, DirName, EntryName(v))); err != nil {
			t.Fatal(err)
		}
	}
	after := f.load(t)
	if !maps.Equal(before.txns, after.txns) || !maps.Equal(before.adds, after.adds) || after.Version != 2 ||
		after.Metadata.ID != "x" {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if !after.gone["one"] || after.gone["old"] {
		t.Errorf("tombstones: %v", after.gone)
	}
	f.put(t, addFile("four"))
	f.checkpoint(t, time.UnixMilli(500)) // forgets our txns from before
	if got := f.load(t); !maps.Equal(got.txns, map[string]int64{"ta": 5, "tb": 2, "zc": 3}) {
		t.Errorf("txns %v", got.txns)
	}
	f.put(t, addFile("five"))
	f.checkpoint(t, time.UnixMilli(920))
	if got := f.load(t); !maps.Equal(got.txns, map[string]int64{"ta": 5, "zc": 3}) {
		t.Errorf("txns %v", got.txns)
	}
}

func TestLoadIsTolerantOfPointersAndCheckpoints(t *testing.T) {
	last := func(f *fixture) string { return filepath.Join(f.path, DirName, lastCheckpoint) }
	for name, spoil := range map[string]func(*fixture) error{
		"no pointer":         func(f *fixture) error { return os.Remove(last(f)) },
		"pointer to nothing": func(f *fixture) error { return os.WriteFile(last(f), []byte(`{"version":77}`), 0o644) },
		"pointer is garbage": func(f *fixture) error { return os.WriteFile(last(f), []byte(`{{{`), 0o644) },
		"checkpoint is cut": func(f *fixture) error {
			return os.Truncate(filepath.Join(f.path, DirName, "00000000000000000002.checkpoint.parquet"), 300)
		},
		"part of a checkpoint": func(f *fixture) error {
			return os.WriteFile(filepath.Join(f.path, DirName, "00000000000000000003.checkpoint.0000000001.0000000002.parquet"),
				nil, 0o644)
		},
		"other names": func(f *fixture) error {
			return os.WriteFile(filepath.Join(f.path, DirName, "00000000000000000009.json.tmp"), nil, 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newLog(t)
			f.put(t, addFile("one"))
			f.put(t, addFile("two"), txn("ta", 1, 1))
			f.checkpoint(t, time.Time{})
			f.put(t, addFile("three"))
			if err := spoil(f); err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(f.load(t).adds)); !slices.Equal(got, []string{"one", "three", "two"}) {
				t.Errorf("files %v", got)
			}
		})
	}
}

func TestTornEntriesAndGapsAreErrors(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"torn":  func(p string) error { return os.Truncate(filepath.Join(p, EntryName(1)), 20) },
		"empty": func(p string) error { return os.Truncate(filepath.Join(p, EntryName(1)), 0) },
		"gap":   func(p string) error { return os.Remove(filepath.Join(p, EntryName(1))) },
		"begin": func(p string) error { return os.Remove(filepath.Join(p, EntryName(0))) },
	} {
		f := newLog(t)
		f.put(t, addFile("one"))
		f.put(t, addFile("two"))
		if err := spoil(filepath.Join(f.path, DirName)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.log.Load(context.Background(), func() Sink { return Sink{} }); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := newLog(t)
	if err := os.Remove(filepath.Join(empty.path, DirName, EntryName(0))); err != nil {
		t.Fatal(err)
	}
	if _, err := empty.log.Load(t.Context(), func() Sink { return Sink{} }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty log: %v", err)
	}
}

// An answer that got lost does not make a second commit: the entry that carries our id is ours.
func TestPublishKnowsItsOwnEntry(t *testing.T) {
	f := newLog(t)
	write := func(name, id string) {
		t.Helper()
		data, err := Encode([]Action{{CommitInfo: &CommitInfo{TxnID: id}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(f.path, "_textmill", name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "ours")
	write("b", "theirs")
	for _, c := range []struct {
		temp, id string
		want     error
	}{{"a", "ours", nil}, {"a", "ours", nil}, {"b", "theirs", ErrExists}} {
		if err := f.log.Publish(f.temp, c.temp, 1, c.id); !errors.Is(err, c.want) {
			t.Errorf("publish %s: %v, want %v", c.temp, err, c.want)
		}
	}
}
