package export

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// entry writes a log entry as another tool would.
func foreignEntry(t *testing.T, table string, version int, lines ...string) {
	t.Helper()
	text := `{"commitInfo":{"operation":"OTHER","timestamp":1700000000000}}` + "\n"
	for _, l := range lines {
		text += l + "\n"
	}
	if err := os.WriteFile(filepath.Join(table, "_delta_log", fmt.Sprintf("%020d.json", version)), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func addLine(name string, change bool) string {
	return fmt.Sprintf(`{"add":{"path":%q,"partitionValues":{},"size":1,"modificationTime":1,"dataChange":%t}}`, name, change)
}

func removeLine(name string, change bool) string {
	return fmt.Sprintf(`{"remove":{"path":%q,"dataChange":%t}}`, name, change)
}

func fileNames(files []LiveFile) []string {
	var all []string
	for _, f := range files {
		all = append(all, f.name)
	}
	slices.Sort(all)
	return all
}

// TestChangesSince holds what a loader of a version is told: files that only moved rows which it has are nothing to it, and
// those that came and went meanwhile are, for a loader that is ahead.
func TestChangesSince(t *testing.T) {
	table := tableOfCommits(t, 3, false) // version 1, 2 and 3 each bring a file
	c, err := ChangesSince(t.Context(), table, -1)
	if err != nil || len(c.Added) != 3 || c.Version != 3 {
		t.Fatalf("from nothing: %+v, %v", c, err)
	}
	files := fileNames(c.Added)
	byVersion := func(v int64) string {
		log, err := OpenCommits(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		one, err := log.Read(v)
		if err != nil || one == nil || len(one.Added) != 1 {
			t.Fatalf("commit %d: %+v, %v", v, one, err)
		}
		return one.Added[0].name
	}
	first, second, third := byVersion(1), byVersion(2), byVersion(3)
	for _, name := range []string{"b.parquet", "c.parquet"} {
		data, err := os.ReadFile(filepath.Join(table, files[0]))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(table, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	foreignEntry(t, table, 4, removeLine(first, false), removeLine(second, false), addLine("b.parquet", false)) // compaction
	foreignEntry(t, table, 5, removeLine("b.parquet", true), addLine("c.parquet", true))                        // a rewrite
	for _, want := range []struct {
		since          int64
		added, removed []string
	}{
		{5, nil, nil},
		{4, []string{"c.parquet"}, []string{"b.parquet"}},
		{3, []string{"c.parquet"}, []string{"b.parquet"}},
		{2, []string{third, "c.parquet"}, []string{"b.parquet"}},
		{1, []string{third, "c.parquet"}, []string{first, second, "b.parquet"}},
	} {
		c, err := ChangesSince(t.Context(), table, want.since)
		slices.Sort(want.added)
		slices.Sort(want.removed)
		if err != nil || !slices.Equal(fileNames(c.Added), want.added) || !slices.Equal(fileNames(c.Removed), want.removed) {
			t.Errorf("since %d: %v and %v, %v; want %v and %v", want.since, fileNames(c.Added), fileNames(c.Removed), err, want.added, want.removed)
		}
	}
	if _, err := ChangesSince(t.Context(), table, 6); !errors.Is(err, ErrForgotten) {
		t.Errorf("a version that is not there yet: %v", err)
	}
	if err := os.Remove(filepath.Join(table, "b.parquet")); err != nil {
		t.Fatal(err)
	}
	if _, err := ChangesSince(t.Context(), table, 4); !errors.Is(err, ErrForgotten) {
		t.Errorf("a file that was cleaned away: %v", err)
	}
}

// TestCommitsAreRead reads entries one at a time, and tells what is not there yet from what is no more.
func TestCommitsAreRead(t *testing.T) {
	table := tableOfCommits(t, 2, true)
	log, err := OpenCommits(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	one, err := log.Read(2)
	if err != nil || one.Version != 2 || one.Operation != "WRITE" || len(one.Added) != 2 || one.Rearranged || one.Time.IsZero() {
		t.Fatalf("commit 2: %+v, %v", one, err)
	}
	if f := one.Added; f[0].Rows != 1 || f[1].Rows != 1 || f[0].ErrorRows()+f[1].ErrorRows() != 1 {
		t.Errorf("commit 2 added %+v, want a row and an error row", f)
	}
	if one, err := log.Read(3); one != nil || err != nil {
		t.Errorf("a commit that is not there yet: %+v, %v", one, err)
	}
	foreignEntry(t, table, 3, removeLine(log.view.adds[mapKey(log.view.adds)].Path, false))
	if one, err := log.Read(3); err != nil || one.Operation != "OTHER" || !one.Rearranged || len(one.Removed) != 1 || one.Time.Unix() != 1700000000 {
		t.Errorf("another tool's commit: %+v, %v", one, err)
	}
	if err := os.Remove(filepath.Join(table, "_delta_log", fmt.Sprintf("%020d.json", 1))); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Read(1); !errors.Is(err, ErrForgotten) {
		t.Errorf("an entry that was cleaned away: %v", err)
	}
}

func mapKey[V any](m map[string]V) string {
	for k := range m {
		return k
	}
	return ""
}

// tableOfCommits makes a table by commits of a row each, and with failed of an error row too, which lies in a file of its own.
func tableOfCommits(t *testing.T, commits int, failed bool) string {
	t.Helper()
	store, err := OpenStore(Options{URI: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	table, err := store.Table("docs")
	if err != nil {
		t.Fatal(err)
	}
	for i := range commits {
		b, err := table.Begin(t.Context(), EmbeddingFloat32)
		if err != nil {
			t.Fatal(err)
		}
		rows := []Row{{RecordID: fmt.Sprint(i), Text: Some("x")}}
		if failed {
			rows = append(rows, Row{RecordID: fmt.Sprint(i, "e"), Error: "no"})
		}
		if err := b.Add(JobKey("embed", "m", "j", fmt.Sprint(i), []byte("x")), rows); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return table.Path()
}
