package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"textmill/internal/s3"
)

// Whoever looks again sees what a reader of the whole log sees, and what was seen before stays as it was.
func TestWatchFollowsTheLog(t *testing.T) {
	s3.ForTest(t)
	for _, uri := range []string{t.TempDir(), "s3://" + s3.Name + "/watch"} {
		s := openStore(t, uri, func(o *Options) { o.Scratch = t.TempDir() })
		tab := table(t, s)
		w := NewWatch(tab.Path())
		if _, _, err := w.Look(t.Context()); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("no table yet: %v", err)
		}
		var before *Reading
		rows := 0
		for i := range 15 {
			b := begin(t, tab)
			if err := b.Add(key(fmt.Sprint("s", i)), sample(fmt.Sprint("s", i), 2)); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			if i == 8 { // files go, and others come
				if _, err := tab.Compact(t.Context(), CompactOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			if i%3 == 1 {
				continue
			}
			r, commits, err := w.Look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			in, err := Inspect(t.Context(), tab.Path())
			if err != nil {
				t.Fatal(err)
			}
			seen := *r.Inspection
			seen.Settled = in.Settled
			if !reflect.DeepEqual(&seen, in) {
				t.Fatalf("after %d commits: %+v, want %+v", i+1, seen, in)
			}
			all, err := History(t.Context(), tab.Path(), recentCommits)
			if err != nil || !reflect.DeepEqual(commits, all) {
				t.Fatalf("after %d commits: %v, want %v (%v)", i+1, commits, all, err)
			}
			if before != nil { // its files are all there still
				n := 0
				for _, f := range before.Files {
					if err := before.Rows(t.Context(), f, func(list []Row) error { n += len(list); return nil }); err != nil {
						t.Fatal(err)
					}
				}
				if n != rows {
					t.Errorf("what was seen before has %d rows, had %d", n, rows)
				}
				before.Close()
			}
			before, rows = r, int(in.Rows)
		}
		before.Close()
	}
}

// A table that is deleted and made anew is another, and a look that is given up leaves the next one alone.
func TestWatchSeesAnotherTable(t *testing.T) {
	dir := t.TempDir()
	fill := func(shard string, n int) string {
		s, err := OpenStore(Options{URI: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		b := begin(t, table(t, s))
		if err := b.Add(key(shard), sample(shard, n)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, "docs")
	}
	w := NewWatch(fill("a", 3))
	looked := func() int64 {
		t.Helper()
		r, _, err := w.Look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		return r.Inspection.Rows
	}
	if n := looked(); n != 3 {
		t.Errorf("%d rows", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w.turn <- struct{}{}
	cancel()
	if _, _, err := w.Look(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a look that was given up: %v", err)
	}
	<-w.turn
	if err := os.RemoveAll(filepath.Join(dir, "docs")); err != nil {
		t.Fatal(err)
	}
	fill("b", 5)
	if n := looked(); n != 5 {
		t.Errorf("%d rows of the table made anew", n)
	}
}
