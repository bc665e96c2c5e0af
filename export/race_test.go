package export

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"textmill/export/delta"
)

// Many committers of several stores, as of several daemons, put overlapping deliveries into one table.
func TestConcurrentCommitsKeepEachKeyOnce(t *testing.T) {
	dir := t.TempDir()
	const keys = 40
	var wg sync.WaitGroup
	for s := range 4 {
		store := openStore(t, dir, func(o *Options) { o.CheckpointEvery = 5 })
		tab := table(t, store)
		for g := range 3 {
			wg.Go(func() {
				for from := 0; from < keys; from += 4 {
					b, err := tab.Begin(t.Context(), EmbeddingFloat32)
					if err != nil {
						t.Error(err)
						return
					}
					for i := range 6 { // overlaps with what the others take
						shard := fmt.Sprint((from + i + 3*g + 7*s) % keys)
						if err := b.Add(key(shard), sample(shard, 10)); err != nil {
							t.Error(err)
						}
					}
					if _, err := b.Commit(t.Context()); err != nil {
						t.Error(err)
					}
					b.Abort()
				}
			})
		}
	}
	wg.Wait()
	tab := table(t, openStore(t, dir))
	var all []string
	for i := range keys {
		all = append(all, fmt.Sprint(i))
	}
	holds(t, tab, all...)
	v, err := Verify(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Unnamed) > 0 {
		t.Errorf("left behind: %v", v.Unnamed)
	}
}

func TestTableDeletedAndMadeAnew(t *testing.T) {
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	other := table(t, openStore(t, dir))
	put(t, tab, "a")
	put(t, other, "b")
	b := begin(t, tab)
	add(t, b, "c")
	sp, err := tab.Spool(t.Context(), key("big"), EmbeddingFloat32)
	if err != nil {
		t.Fatal(err)
	}
	defer sp.Abort()
	if err := os.RemoveAll(tab.Path()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Commit(t.Context()); !errors.Is(err, ErrGone) {
		t.Errorf("commit to a deleted table: %v", err)
	}
	b.Abort()
	if err := other.SyncEntry(t.Context(), key("a")); !errors.Is(err, ErrGone) {
		t.Errorf("a key of the deleted table may be relied on: %v", err)
	}
	if o := outcome(t, tab, key("a")); o != Absent {
		t.Errorf("a key of the deleted table is %v", o)
	}
	put(t, tab, "a")
	b = begin(t, tab)
	add(t, b, "d")
	if err := b.AddSpool(sp); !errors.Is(err, ErrGone) {
		t.Errorf("a spool of the deleted table: %v", err)
	}
	commit(t, b)
	put(t, other, "b", "a") // it still holds the state of the deleted table
	holds(t, tab, "a", "b", "d")
}

// A table whose directory stays while its content is replaced is another table too.
func TestTableReplacedInPlace(t *testing.T) {
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	put(t, tab, "a")
	put(t, tab, "b")
	b := begin(t, tab)
	add(t, b, "c")
	replacement := table(t, openStore(t, t.TempDir()))
	put(t, replacement, "x")
	put(t, replacement, "y")
	log, fresh := filepath.Join(tab.Path(), "_delta_log"), filepath.Join(replacement.Path(), "_delta_log")
	for v := range int64(3) {
		data, err := os.ReadFile(filepath.Join(fresh, delta.EntryName(v)))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(log, delta.EntryName(v))); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(log, delta.EntryName(v)), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Commit(t.Context()); !errors.Is(err, ErrGone) {
		t.Errorf("commit to a replaced table: %v", err)
	}
	if _, err := os.Stat(filepath.Join(log, delta.EntryName(3))); err == nil {
		t.Error("an entry was left in the other table's log")
	}
}

// Entries that were checkpointed and cleaned away leave their numbers free: a commit there would be seen by nobody.
func TestCommitIntoACleanedLogIsTakenBack(t *testing.T) {
	for _, cleaned := range [][]int64{{0, 1, 2, 3, 4}, {2, 3, 4}} {
		dir := t.TempDir()
		tab := table(t, openStore(t, dir, func(o *Options) { o.CheckpointEvery = -1 }))
		put(t, tab, "a")
		b := begin(t, tab) // knows version 1
		add(t, b, "b", "d")
		other := table(t, openStore(t, dir, func(o *Options) { o.CheckpointEvery = -1 }))
		for _, shard := range []string{"c", "d", "e"} {
			put(t, other, shard)
		}
		if v, err := other.Checkpoint(t.Context()); err != nil || v != 4 {
			t.Fatal(v, err)
		}
		put(t, other, "f")
		for _, v := range cleaned {
			if err := os.Remove(filepath.Join(tab.Path(), "_delta_log", delta.EntryName(v))); err != nil {
				t.Fatal(err)
			}
		}
		res := commit(t, b)
		if res.Version != 6 || res.Rows != 10 {
			t.Errorf("cleaned %v: %+v", cleaned, res)
		}
		var ids []string
		if err := Scan(t.Context(), tab.Path(), func(rows []Row) error {
			for _, r := range rows {
				ids = append(ids, r.RecordID)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if len(ids) != 60 {
			t.Errorf("cleaned %v: %d rows, want 60", cleaned, len(ids))
		}
		if _, err := os.Stat(filepath.Join(tab.Path(), "_delta_log", delta.EntryName(2))); err == nil {
			t.Error("an entry was left below the checkpoint")
		}
	}
}
