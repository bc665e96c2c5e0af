package export

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"textmill/export/delta"
	"textmill/export/disk"
)

// pipe puts a named pipe that somebody holds open, and writes nothing to, in the place of a file.
func pipe(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
}

// atOnce fails the test where a call does not come back.
func atOnce(t *testing.T, what string, call func(context.Context) error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- call(t.Context()) }()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Minute):
		t.Fatalf("%s: it does not come back", what)
		return nil
	}
}

// Who may write into a table's directory can spoil that table, but hold neither a daemon, whose one fetching goroutine
// looks into it, nor a command.
func TestPipesInATableHoldNobody(t *testing.T) {
	for what, place := range map[string]func(table, part string) string{
		"a log entry": func(table, _ string) string { return filepath.Join(table, delta.DirName, delta.EntryName(1)) },
		"the newest":  func(table, _ string) string { return filepath.Join(table, delta.DirName, delta.EntryName(2)) },
		"a checkpoint": func(table, _ string) string {
			return filepath.Join(table, delta.DirName, "00000000000000000001.checkpoint.parquet")
		},
		"a part": func(_, part string) string { return part },
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			tab := table(t, openStore(t, dir))
			put(t, tab, "a")
			put(t, tab, "b")
			parts, err := filepath.Glob(filepath.Join(tab.Path(), "*.parquet"))
			if err != nil || len(parts) != 2 {
				t.Fatalf("%v, %v", parts, err)
			}
			pipe(t, place(tab.Path(), parts[0]))
			err = atOnce(t, "refresh, look up, sync, tally", func(ctx context.Context) error {
				again := table(t, openStore(t, dir))
				return errors.Join(again.Refresh(ctx), again.SyncEntry(ctx, key("a")), func() error {
					_, _, err := again.Tally(ctx, key("a"), origin("a"))
					return err
				}())
			})
			if what != "a checkpoint" && what != "a part" && !errors.Is(err, disk.ErrKind) {
				t.Errorf("a daemon: %v", err)
			}
			err = atOnce(t, "verify and scan", func(ctx context.Context) error {
				found, err := Verify(ctx, tab.Path())
				if err == nil && what != "a checkpoint" && len(found.Problems) > 0 {
					err = errors.New(strings.Join(found.Problems, "\n"))
				}
				return errors.Join(err, Scan(ctx, tab.Path(), func([]Row) error { return nil }))
			})
			if what != "a checkpoint" && (err == nil || !strings.Contains(err.Error(), "no regular file")) {
				t.Errorf("a command: %v", err)
			}
		})
	}
}

// What a log says of its parts leads nobody out of the table.
func TestPathsInALogStayInTheTable(t *testing.T) {
	dir := t.TempDir()
	put(t, table(t, openStore(t, dir)), "a")
	parts, err := filepath.Glob(filepath.Join(dir, "docs", "*.parquet"))
	if err != nil || len(parts) != 1 {
		t.Fatalf("%v, %v", parts, err)
	}
	entry := filepath.Join(dir, "docs", delta.DirName, delta.EntryName(1))
	was, err := os.ReadFile(entry)
	if err != nil || !strings.Contains(string(was), filepath.Base(parts[0])) {
		t.Fatalf("%s, %v", was, err)
	}
	outside := filepath.Join(t.TempDir(), "outside.parquet")
	if err := os.Link(parts[0], outside); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(dir, "docs", "link")); err != nil {
		t.Fatal(err)
	}
	up, err := filepath.Rel(filepath.Join(dir, "docs"), outside)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{outside, up, "/dev/zero", "../docs/" + filepath.Base(parts[0]),
		"link/outside.parquet"} {
		is := strings.Replace(string(was), filepath.Base(parts[0]), path, 1)
		if err := os.WriteFile(entry, []byte(is), 0o600); err != nil {
			t.Fatal(err)
		}
		again := table(t, openStore(t, dir))
		if o := outcome(t, again, key("a")); o != Committed {
			t.Errorf("%s: %v", path, o)
		}
		if err := again.SyncEntry(t.Context(), key("a")); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if got, found, err := again.Tally(t.Context(), key("a"), origin("a")); found {
			t.Errorf("%s: rows are counted outside: %+v, %v", path, got, err)
		}
		if _, err := Inspect(t.Context(), again.Path()); !errors.Is(err, delta.ErrCorrupt) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}
