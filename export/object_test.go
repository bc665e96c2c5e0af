package export

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"textmill/export/delta"
	"textmill/export/disk"
	"textmill/internal/foreign"
	"textmill/internal/s3"
)

const tablesURI = "s3://" + s3.Name + "/lake"

func scratch(t *testing.T) func(*Options) {
	t.Helper()
	dir := t.TempDir()
	return func(o *Options) { o.Scratch = dir }
}

// What lies on this machine on its way to a bucket is no more open than a table in a directory.
func TestModesOfTheScratchDirectory(t *testing.T) {
	s3.ForTest(t)
	dir := filepath.Join(t.TempDir(), "scratch")
	before := unix.Umask(0)
	defer unix.Umask(before)
	tab := table(t, openStore(t, tablesURI, func(o *Options) { o.Scratch = dir }))
	put(t, tab, "a")
	add(t, begin(t, tab), "b")
	dirs, files := modesBelow(t, dir)
	// An open part and a lock.
	if dirs[disk.DirMode] == 0 || len(dirs) != 1 || files[disk.FileMode] != 2 || len(files) != 1 {
		t.Errorf("directories %v, files %v", dirs, files)
	}
}

func TestTableInABucket(t *testing.T) {
	server := s3.ForTest(t)
	store := openStore(t, tablesURI, scratch(t), func(o *Options) { o.CheckpointEvery = 3 })
	tab := table(t, store)
	other := table(t, openStore(t, tablesURI, scratch(t)))
	put(t, tab, "a")
	put(t, other, "b", "a")
	put(t, tab, "c", "b")
	put(t, other, "d")
	if _, err := tab.Judge(t.Context(), []Verdict{DeadVerdict(key("e")), CancelVerdict("gone", time.Now())}); err != nil {
		t.Fatal(err)
	}
	if got := outcome(t, other, key("e")); got != Dead {
		t.Errorf("a judged delivery is %v", got)
	}
	if res := put(t, other, "e", "f"); res.Outcomes[key("e").AppID] != Dead || res.Rows != 10 {
		t.Errorf("%+v", res)
	}
	sp, err := tab.Spool(t.Context(), key("big"), EmbeddingFloat32)
	must(t, err)
	must(t, sp.Append(sample("big", 10)))
	b := begin(t, tab)
	must(t, b.AddSpool(sp))
	commit(t, b)
	must(t, other.SyncEntry(t.Context(), key("big")))
	must(t, tab.Close()) // its checkpoint is written
	holds(t, table(t, openStore(t, tablesURI, scratch(t))), "a", "b", "c", "d", "f", "big")
	in, err := Inspect(t.Context(), tab.Path())
	must(t, err)
	if in.Path != tablesURI+"/docs" || !strings.HasPrefix(in.Files[0].Path, in.Path+"/textmill-") || in.Checkpoint < 3 {
		t.Errorf("%+v", in)
	}
	names, err := store.Datasets()
	if err != nil || !slices.Equal(names, []string{"docs"}) {
		t.Errorf("datasets are %v: %v", names, err)
	}
	if name, ok := store.Dataset(tab.Path()); !ok || name != "docs" {
		t.Errorf("%s is the table of %q, %v", tab.Path(), name, ok)
	}
	v, err := Verify(t.Context(), tab.Path())
	if err != nil || len(v.Unnamed) > 0 {
		t.Errorf("left behind: %v, %v", v.Unnamed, err)
	}
	if _, err := os.Stat(filepath.Join(server.Objects(), "lake", "docs", "_delta_log", "_last_checkpoint")); err != nil {
		t.Error(err)
	}
}

func TestSweepOfABucket(t *testing.T) {
	server := s3.ForTest(t)
	now := time.Now()
	f := &faults{after: -1}
	store := openStore(t, tablesURI, scratch(t), func(o *Options) {
		o.Now, o.Intercept = func() time.Time { return now },
			f.around
	})
	tab := table(t, store)
	put(t, tab, "a")
	dir := filepath.Join(server.Objects(), "lake", "docs")
	old, young := "textmill-0123456789abcdef-1.parquet", "textmill-0123456789abcdef-2.parquet"
	for _, name := range []string{old, young, "somebody-elses.parquet"} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	weekAgo := time.Now().Add(-orphanAge - time.Hour)
	names, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
	must(t, err)
	for _, name := range names {
		if !strings.HasSuffix(name, young) {
			must(t, os.Chtimes(name, weekAgo, weekAgo))
		}
	}
	removed, err := store.Sweep(t.Context())
	if want := []string{tab.Path() + "/" + old}; err != nil || !slices.Equal(removed, want) {
		t.Errorf("removed %v, want %v: %v", removed, want, err)
	}
	holds(t, tab, "a")
	// So a part that lies there too long must not be committed any more.
	b := begin(t, tab)
	add(t, b, "b")
	f.arm(disk.OpCreate, ".tmp", 0, false, syscall.ENOSPC) // the log entry: the part's file exists already
	if _, err := b.Commit(t.Context()); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("commit: %v", err)
	}
	now = now.Add(partAge + time.Hour)
	if _, err := b.Commit(t.Context()); !errors.Is(err, ErrStorage) {
		t.Errorf("commit of an old part: %v", err)
	}
	b.Abort()
	put(t, tab, "b")
	holds(t, tab, "a", "b")
}

func TestBucketTableDeletedAndMadeAnew(t *testing.T) {
	server := s3.ForTest(t)
	tab := table(t, openStore(t, tablesURI, scratch(t)))
	other := table(t, openStore(t, tablesURI, scratch(t)))
	put(t, tab, "a")
	put(t, other, "b")
	b := begin(t, tab)
	add(t, b, "c")
	must(t, server.Lose("lake/docs"))
	if _, err := b.Commit(t.Context()); !errors.Is(err, ErrGone) {
		t.Errorf("commit to a deleted table: %v", err)
	}
	b.Abort()
	if err := other.SyncEntry(t.Context(), key("a")); !errors.Is(err, ErrGone) {
		t.Errorf("what settled a delivery in a deleted table: %v", err)
	}
	put(t, other, "a")
	put(t, tab, "c")
	holds(t, tab, "a", "c")
}

// bucketReaders prints what other tools find in a table in a bucket.
const bucketReaders = `
import sys, json, deltalake, polars as pl
out = {"delta-rs": deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table()["record_id"].to_pylist(),
  "polars": pl.read_delta(sys.argv[1])["record_id"].to_list()}
print(json.dumps({k: sorted(v) for k, v in out.items()}))
`

func bucketAgrees(t *testing.T, tab *Table) {
	t.Helper()
	var got map[string][]string
	must(t, json.Unmarshal([]byte(foreign.Python(t, bucketReaders, tab.Path())), &got))
	want := sound(t, tab)
	for _, reader := range []string{"delta-rs", "polars"} {
		if !slices.Equal(got[reader], want) {
			t.Errorf("%s reads %v, want %v", reader, got[reader], want)
		}
	}
}

// Another tool optimizes the table, writes checkpoints and cleans the log away from under a batch that is open.
func TestBucketWithDeltaRS(t *testing.T) {
	server := s3.ForTest(t)
	tab := table(t, openStore(t, tablesURI, scratch(t)))
	for i := range 5 {
		put(t, tab, fmt.Sprint(i))
	}
	bucketAgrees(t, tab)
	stale := begin(t, tab)
	add(t, stale, "0", "5")
	dir := filepath.Join(server.Objects(), "lake", "docs", "_delta_log")
	foreign.Python(t, cleansTheLog, tab.Path(), dir)
	if _, err := os.Stat(filepath.Join(dir, delta.EntryName(1))); err == nil {
		t.Fatal("delta-rs cleaned nothing; the test is of no use")
	}
	fresh := table(t, openStore(t, tablesURI, scratch(t)))
	for _, reader := range []*Table{fresh, tab} {
		if a, b := outcome(t, reader, key("3")), outcome(t, reader, key("9")); a != Committed || b != Absent {
			t.Errorf("outcomes are %v and %v", a, b)
		}
	}
	if res := commit(t, stale); res.Rows != 10 {
		t.Errorf("the stale batch: %+v", res)
	}
	put(t, fresh, "3", "6")
	holds(t, fresh, "0", "1", "2", "3", "4", "5", "6")
	_, err := fresh.Checkpoint(t.Context())
	must(t, err)
	bucketAgrees(t, fresh)
}
