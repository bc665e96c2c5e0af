package export

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"textmill/export/part"
	"textmill/export/storage"
	"textmill/internal/foreign"
)

func compact(t testing.TB, tab *Table) Compacted {
	t.Helper()
	done, err := tab.Compact(t.Context(), CompactOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// putRows commits rows of one delivery.
func putRows(t testing.TB, tab *Table, shard string, rows []Row) {
	t.Helper()
	b := begin(t, tab)
	if err := b.Add(key(shard), rows); err != nil {
		t.Fatal(err)
	}
	commit(t, b)
}

func TestACompactionSortsAndKeepsEachRow(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir(), func(o *Options) { o.RowGroupBytes = 3000 })) // many runs
	for _, shard := range []string{"b", "d", "a", "c"} {
		rows := sample(shard, 30)
		rows[3].Error, rows[3].Embedding = "nan: x", nil
		rows[4].Text, rows[4].Attributes = Null[string]{}, nil
		putRows(t, tab, shard, rows)
	}
	before := sound(t, tab)
	if done, err := tab.Compact(t.Context(), CompactOptions{DryRun: true}); err != nil || done.Removed != 8 || done.Rows != 120 {
		t.Errorf("a dry run says %+v, %v", done, err)
	}
	done := compact(t, tab)
	if done.Removed != 8 || done.Added != 2 || done.Rows != 120 || done.Commits != 2 {
		t.Errorf("%+v", done)
	}
	if after := sound(t, tab); !slices.Equal(after, before) {
		t.Errorf("rows were %v and are %v", before, after)
	}
	failed, good := 0, []string{}
	if err := scanParts(t.Context(), tab.Path(), "", func(file int, rows []Row) error {
		for _, r := range rows {
			if r.Error != "" {
				failed += 1 + 100*file
			} else {
				good = append(good, r.RecordID)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if failed != 4 && failed != 404 || !slices.IsSorted(good) || len(good) != 116 {
		t.Errorf("error rows %d; the others are %v", failed, good)
	}
	foreignAgree(t, tab)
	if again := compact(t, tab); again.Commits != 0 {
		t.Errorf("what is compacted is compacted again: %+v", again)
	}
	put(t, tab, "z")
	if again := compact(t, tab); again.Commits != 0 {
		t.Errorf("a little more has everything written again: %+v", again)
	}
	for _, k := range []string{"a", "b", "z"} {
		if got := outcome(t, tab, key(k)); got != Committed {
			t.Errorf("after a compaction shard %s is %v", k, got)
		}
	}
}

// Many small files that come one after the other are not written again each time.
func TestCompactionsWriteEachRowAFewTimes(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	written, files := int64(0), 64
	for i := range files {
		put(t, tab, fmt.Sprint(i))
		done := compact(t, tab)
		written += done.Rows
	}
	if most := int64(10 * files * 7); written > most {
		t.Errorf("%d rows were written again for %d", written, 10*files)
	}
	if n := len(namesOf(t, tab)); n > 20 {
		t.Errorf("%d files are left", n)
	}
	if ids := sound(t, tab); len(ids) != 10*files {
		t.Errorf("%d rows", len(ids))
	}
}

func TestACompactionGivesWay(t *testing.T) {
	for name, meanwhile := range map[string]func(*Table){
		"delete": func(tab *Table) { rewrite(t, tab, deletes("a-1")) },
		"append": func(tab *Table) { put(t, tab, "c") },
	} {
		dir := t.TempDir()
		other := table(t, openStore(t, dir))
		put(t, other, "a")
		put(t, other, "b")
		tab := table(t, openStore(t, dir, atPoint("rewrite-placed", func() { meanwhile(other) })))
		done := compact(t, tab)
		switch name {
		case "delete":
			if done.Lost != 1 || done.Commits != 0 {
				t.Errorf("beside a delete: %+v", done)
			}
			remains(t, tab, []string{"a", "b"}, "a-1")
		case "append":
			if done.Lost != 0 || done.Commits != 1 {
				t.Errorf("beside an append: %+v", done)
			}
			remains(t, tab, []string{"a", "b", "c"})
		}
		if v, err := Verify(t.Context(), tab.Path()); err != nil || len(v.Unnamed) > 0 {
			t.Errorf("%s: left behind: %v, %v", name, v.Unnamed, err)
		}
	}
}

// widens has delta-rs add a column, so that files are of two shapes.
func TestFilesOfAnotherShapeAreCompactedApart(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	put(t, tab, "a")
	put(t, tab, "b")
	foreign.Python(t, addsAColumn, tab.Path())
	if done := compact(t, tab); done.Removed != 3 || done.Added != 2 {
		t.Errorf("%+v", done)
	}
	if ids := sound(t, tab); len(ids) != 22 {
		t.Errorf("rows are %v", ids)
	}
	foreignAgree(t, tab)
}

func TestVacuumKeepsWhatTheTableIsToKeep(t *testing.T) {
	for property, kept := range map[string]bool{"": true, "interval 30 days": true, "interval 1 hour": false, "soon": true} {
		dir := t.TempDir()
		now := time.Now()
		s := openStore(t, dir, func(o *Options) {
			o.Now, o.CheckpointEvery = func() time.Time { return now }, -1
		})
		tab := table(t, s)
		put(t, tab, "a")
		put(t, tab, "b")
		old := slices.Collect(maps.Keys(namesOf(t, tab)))
		r := deletes(append(idsOf("a", 1), idsOf("b", 2)...)...)
		if property != "" {
			r.Properties = map[string]string{"delta.deletedFileRetentionDuration": property}
		}
		rewrite(t, tab, r)
		there := func(want bool, after string) {
			t.Helper()
			for _, name := range old {
				if _, err := os.Stat(filepath.Join(tab.Path(), name)); (err == nil) != want {
					t.Errorf("%q: after %s of %s: %v", property, after, name, err)
				}
			}
		}
		now = now.Add(2 * time.Hour)
		if _, err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		there(kept, "a sweep")
		if _, err := tab.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		there(kept, "a checkpoint and a sweep")
		out, err := tab.Vacuum(t.Context(), VacuumOptions{})
		if (err != nil) != (property == "soon") {
			t.Errorf("%q: %v", property, err)
		}
		there(kept, "a vacuum")
		zero := time.Duration(0)
		dry, err := tab.Vacuum(t.Context(), VacuumOptions{Retention: &zero, DryRun: true})
		if err != nil || len(dry.Files) != len(old) && kept {
			t.Errorf("%q: %+v, %v", property, dry, err)
		}
		there(kept, "a dry run")
		if out, err = tab.Vacuum(t.Context(), VacuumOptions{Retention: &zero}); err != nil || len(out.Files) != len(dry.Files) {
			t.Errorf("%q: %+v, %v", property, out, err)
		}
		there(false, "a vacuum of everything")
		remains(t, tab, []string{"a", "b"}, "a-1", "b-2")
		if got := outcome(t, tab, key("a")); got != Committed {
			t.Errorf("%q: a shard is %v", property, got)
		}
	}
}

func TestHistoryTellsWhoDidWhat(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	put(t, tab, "a")
	put(t, tab, "b")
	rewrite(t, tab, deletes("a-1"))
	compact(t, tab)
	all, err := History(t.Context(), tab.Path(), 0)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, c := range all {
		told = append(told, fmt.Sprintf("%d %s +%d -%d %d rows, %d keys, changes=%v", c.Version, c.Operation, c.Added, c.Removed,
			c.Rows, c.Settled, c.DataChange))
		if c.Engine != "textmill/test" || time.Since(c.Time) > time.Hour {
			t.Errorf("%+v", c)
		}
	}
	want := []string{
		"4 OPTIMIZE +1 -2 19 rows, 0 keys, changes=false", "3 DELETE +1 -1 9 rows, 0 keys, changes=true",
		"2 WRITE +1 -0 10 rows, 2 keys, changes=true", "1 WRITE +1 -0 10 rows, 2 keys, changes=true",
		"0 CREATE TABLE +0 -0 0 rows, 0 keys, changes=false",
	}
	if !slices.Equal(told, want) {
		t.Errorf("%q\nwant %q", told, want)
	}
	if some, err := History(t.Context(), tab.Path(), 2); err != nil || len(some) != 2 || some[0].Version != 4 {
		t.Errorf("%v, %v", some, err)
	}
}

// Rows that a merge loses or changes are noticed.
func TestASumTellsRowsApart(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	put(t, tab, "a")
	v, err := openView(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer v.close()
	in, err := v.inspect()
	if err != nil {
		t.Fatal(err)
	}
	rows := sample("a", 10)
	rows[9].Embedding[7]++
	putRows(t, tab, "b", rows)
	sums := map[part.Sum]bool{}
	all, err := Inspect(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	seed := part.NewSum()
	for _, f := range append(all.Files, in.Files...) {
		sum := seed.Empty()
		err := v.read(f, func(file storage.File, _ *part.Reader) error {
			st, err := file.Stat()
			if err != nil {
				return err
			}
			src, err := part.OpenSource(file, st.Size)
			return errors.Join(err, src.Add(t.Context(), &sum))
		})
		if err != nil {
			t.Fatal(err)
		}
		sums[sum] = true
	}
	if len(sums) != 2 {
		t.Errorf("%d sums of two parts, one of them read twice", len(sums))
	}
}
