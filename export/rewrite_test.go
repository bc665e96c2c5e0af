package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"textmill/export/disk"
	"textmill/internal/foreign"
	"textmill/internal/s3"
)

// idsOf are the ids that sample gives a shard's rows.
func idsOf(shard string, rows ...int) (ids []string) {
	for _, i := range rows {
		ids = append(ids, fmt.Sprintf("%s-%d", shard, i))
	}
	return ids
}

// remains checks that the table has the rows of the shards, each once, but for some.
func remains(t testing.TB, tab *Table, shards []string, gone ...string) {
	t.Helper()
	var want []string
	for _, s := range shards {
		for _, id := range idsOf(s, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9) {
			if !slices.Contains(gone, id) {
				want = append(want, id)
			}
		}
	}
	slices.Sort(want)
	if got := sound(t, tab); !slices.Equal(got, want) {
		t.Errorf("rows are %v, want %v", got, want)
	}
}

func rewrite(t testing.TB, tab *Table, r Rewrite) Rewritten {
	t.Helper()
	done, err := tab.Rewrite(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func deletes(ids ...string) Rewrite {
	return Rewrite{Operation: "DELETE", Take: Selection{Records: OfRecords("", ids...)}, Extend: true}
}

// namesOf are the live files' names.
func namesOf(t testing.TB, tab *Table) map[string]bool {
	t.Helper()
	in, err := Inspect(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range in.Files {
		names[f.name] = true
	}
	return names
}

func TestADeleteRewritesOnlyTheFilesThatHoldItsRecords(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	for _, shard := range []string{"a", "b", "c"} {
		put(t, tab, shard)
	}
	before := namesOf(t, tab)
	gone := append(idsOf("a", 3, 7), idsOf("c", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)...)
	if done := rewrite(t, tab, Rewrite{Take: deletes(gone...).Take, DryRun: true}); done.Taken != 12 || done.Removed != 2 ||
		done.Version != 3 {
		t.Errorf("a dry run says %+v", done)
	}
	if !maps.Equal(namesOf(t, tab), before) {
		t.Error("a dry run changed the table")
	}
	done := rewrite(t, tab, deletes(append(gone, "nobody")...))
	if done.Taken != 12 || done.Removed != 2 || done.Added != 1 || done.Kept != 8 || done.Version != 4 {
		t.Errorf("the delete came to %+v", done)
	}
	remains(t, tab, []string{"a", "b"}, gone...)
	after := namesOf(t, tab)
	both := 0
	for name := range before {
		if after[name] {
			both++
		}
	}
	if len(after) != 2 || both != 1 {
		t.Errorf("files were %v and are %v", before, after)
	}
	for _, shard := range []string{"a", "c"} { // a redelivery brings nothing back
		if got := outcome(t, tab, key(shard)); got != Committed {
			t.Errorf("after its rows are deleted shard %s is %v", shard, got)
		}
	}
	if res := put(t, tab, "a", "c"); res.Rows != 0 {
		t.Errorf("deleted rows came back: %+v", res)
	}
	if again := rewrite(t, tab, deletes(gone...)); again.Taken != 0 || again.Version != done.Version {
		t.Errorf("the same delete again: %+v", again)
	}
	foreignAgree(t, tab)
	if _, err := tab.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := table(t, openStore(t, filepath.Dir(tab.Path())))
	if got := outcome(t, fresh, key("c")); got != Committed {
		t.Errorf("after a checkpoint a shard whose rows are deleted is %v", got)
	}
	foreignAgree(t, fresh)
}

func TestRowsAreChosenByEveryCondition(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	b := begin(t, tab)
	rows := sample("a", 8)
	rows[0].Error, rows[0].Embedding, rows[0].Dim = "nan: x", nil, Null[int32]{}
	rows[1].Model = "other"
	rows[2].Attributes = map[string]string{"lang": "de", "source": "web"}
	rows[3].Attributes = nil
	rows[4].RecordID, rows[4].Chunk = "a-5", Some[int32](1) // two chunks of one record
	rows[6].Task = "generate"
	if err := b.Add(key("a"), rows); err != nil {
		t.Fatal(err)
	}
	commit(t, b)
	of := func(task, id string) Records {
		return func(each func(task, id string) error) error { return each(task, id) }
	}
	for _, c := range []struct {
		name string
		Selection
		rows int64
	}{
		{"none", Selection{}, 0},
		{"errors", Selection{Errors: true}, 1},
		{"model", Selection{Model: "other"}, 1},
		{"no such model", Selection{Model: "zzz"}, 0},
		{"attribute", Selection{Attributes: map[string]string{"lang": "de"}}, 1},
		{"attributes", Selection{Attributes: map[string]string{"lang": "de", "source": "print"}}, 0},
		{"chunks", Selection{Records: OfRecords("", "a-5")}, 2},
		{"task", Selection{Records: of("generate", "a-6")}, 1},
		{"other task", Selection{Records: of("embed", "a-6")}, 0},
		{"record of a model", Selection{Records: OfRecords("", "a-1", "a-2"), Model: "other"}, 1},
	} {
		if done := rewrite(t, tab, Rewrite{Take: c.Selection, DryRun: true}); done.Taken != c.rows {
			t.Errorf("%s: %d rows, want %d", c.name, done.Taken, c.rows)
		}
	}
}

// Records that are looked for in many passes are the same ones.
func TestManyRecordsAreTakenInPasses(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	put(t, tab, "a", "b")
	put(t, tab, "c")
	gone := append(idsOf("a", 1, 2, 3, 4), idsOf("c", 5, 6, 7, 8, 9)...)
	s, err := tab.openSwap(t.Context(), deletes(gone...))
	if err != nil {
		t.Fatal(err)
	}
	defer s.abort()
	s.choose.(*chooser).atOnce = 2
	if err := errors.Join(s.choose.(*chooser).measure(), s.run(t.Context())); err != nil {
		t.Fatal(err)
	}
	if s.choose.(*chooser).passes != 5 || s.result.Taken != 9 {
		t.Errorf("%d passes, %+v", s.choose.(*chooser).passes, s.result)
	}
	remains(t, tab, []string{"a", "b", "c"}, gone...)
}

// replaced are new rows of records.
func replaced(ids ...string) func(context.Context, func([]Row) error) error {
	return func(_ context.Context, put func([]Row) error) error {
		for _, id := range ids {
			row := sample("x", 1)[0]
			row.RecordID, row.Text = id, Some("new "+id)
			if err := put([]Row{row}); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestRowsAreReplacedInOneCommit(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	put(t, tab, "a", "b")
	ids := append(idsOf("a", 1, 2), "fresh")
	r := Rewrite{
		Operation: "MERGE", Take: Selection{Records: OfRecords("", ids...)}, Put: replaced(ids...),
		Vectors: Vectors{Precision: "float32", Dim: 8}, Txns: []Txn{{AppID: "textmill/sync/s", Version: 7}},
		Expect: map[string]string{"textmill.generation": ""}, Properties: map[string]string{"textmill.generation": "1"},
	}
	if done := rewrite(t, tab, r); done.Taken != 2 || done.Put != 3 || done.Version != 2 {
		t.Errorf("%+v", done)
	}
	texts := map[string]string{}
	if err := Scan(t.Context(), tab.Path(), func(rows []Row) error {
		for _, row := range rows {
			texts[row.RecordID] += row.Text.V
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(texts) != 21 || texts["a-1"] != "new a-1" || texts["fresh"] != "new fresh" ||
		!strings.HasPrefix(texts["a-3"], "text 3") {
		t.Errorf("the table holds %v", texts)
	}
	in, err := Inspect(t.Context(), tab.Path())
	if err != nil {
		t.Fatal(err)
	}
	if in.Vectors.Dim != 8 {
		t.Errorf("the table is bound to %s", in.Vectors)
	}
	entry, err := os.ReadFile(filepath.Join(tab.Path(), "_delta_log", "00000000000000000002.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"appId":"textmill/sync/s","version":7`, `"textmill.generation":"1"`, `"dataChange":true`} {
		if !strings.Contains(string(entry), want) {
			t.Errorf("the entry has no %s: %s", want, entry)
		}
	}
	if _, err := tab.Rewrite(t.Context(), r); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "dataset docs") {
		t.Errorf("with a property that another changed: %v", err)
	}
	sound(t, tab)
	foreignAgree(t, tab)
}

// A table of one model becomes one of another in one commit, when nothing of the first is left.
func TestVectorsOfAnotherKindReplaceAll(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	put(t, tab, "a")
	first := Rewrite{Take: Selection{Records: OfRecords("", idsOf("a", 0)...)}, Put: replaced(idsOf("a", 0)...),
		Vectors: Vectors{Precision: "float32", Dim: 8}}
	rewrite(t, tab, first)
	all := idsOf("a", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	small := func(_ context.Context, put func([]Row) error) error {
		for _, id := range all {
			row := sample("x", 1)[0]
			row.RecordID, row.Embedding, row.Embedding8, row.Dim = id, nil, []int8{1, 2, 3}, Some[int32](3)
			if err := put([]Row{row}); err != nil {
				return err
			}
		}
		return nil
	}
	next := Rewrite{Put: small, Vectors: Vectors{Precision: "int8", Dim: 3}}
	next.Take.Records = OfRecords("", all[:9]...)
	if _, err := tab.Rewrite(t.Context(), next); !errors.Is(err, ErrSchema) || !strings.Contains(err.Error(), `"a-9"`) {
		t.Errorf("with a record that stays: %v", err)
	}
	next.Take.Records = OfRecords("", all...)
	rewrite(t, tab, next)
	remains(t, tab, []string{"a"})
	if in, err := Inspect(t.Context(), tab.Path()); err != nil || in.Vectors != next.Vectors || in.Embedding != "list<byte>" {
		t.Errorf("%+v, %v", in, err)
	}
	foreignAgree(t, tab)
}

// atPoint has something happen, once, when a rewrite comes to a point.
func atPoint(point string, do func()) func(*Options) {
	return func(o *Options) {
		o.Point = func(name string) {
			if name == point && do != nil {
				now := do
				do = nil
				now()
			}
		}
	}
}

// compacts has delta-rs put small files together.
const compacts = `
import sys, deltalake
deltalake.DeltaTable(sys.argv[1]).optimize.compact()
`

// Whoever changes the table between the look at it and the commit is heeded.
func TestARewriteHeedsWhoWasFaster(t *testing.T) {
	meanwhile := map[string]struct {
		do       func(*testing.T, *Table)
		conflict bool     // of a rewrite that does not extend
		shards   []string // then in the table, beside a and b
	}{
		"others' rows":  {func(t *testing.T, tab *Table) { put(t, tab, "c"); put(t, tab, "d") }, false, []string{"c", "d"}},
		"its record":    {func(t *testing.T, tab *Table) { put(t, tab, "a2") }, true, nil},
		"a delete":      {func(t *testing.T, tab *Table) { rewrite(t, tab, deletes("a-1", "a-4")) }, true, nil},
		"its file kept": {func(t *testing.T, tab *Table) { rewrite(t, tab, deletes("b-4")) }, false, nil},
		"a compaction":  {func(t *testing.T, tab *Table) { foreign.Python(t, compacts, tab.Path()) }, false, nil},
		"a compaction of what was appended": {func(t *testing.T, tab *Table) {
			put(t, tab, "c")
			foreign.Python(t, compacts, tab.Path())
		}, false, []string{"c"}},
	}
	for name, m := range meanwhile {
		for _, extend := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, extend=%v", name, extend), func(t *testing.T) {
				dir := t.TempDir()
				other := table(t, openStore(t, dir))
				put(t, other, "a")
				put(t, other, "b")
				tab := table(t, openStore(t, dir, atPoint("rewrite-placed", func() { m.do(t, other) })))
				gone := append(idsOf("a", 1, 2), idsOf("a2", 0)...)
				r := deletes(gone...)
				r.Extend = extend
				_, err := tab.Rewrite(t.Context(), r)
				if conflict := m.conflict && !extend; errors.Is(err, ErrConflict) != conflict || !conflict && err != nil {
					t.Fatalf("conflict=%v: %v", conflict, err)
				}
				if errors.Is(err, ErrConflict) {
					if !strings.Contains(err.Error(), "dataset docs, version 3") {
						t.Errorf("it does not say which: %v", err)
					}
					if r.Extend = true; rewriteErr(t, tab, r) != nil {
						t.Error("it cannot be repeated")
					}
				}
				shards := append([]string{"a", "b"}, m.shards...)
				switch name {
				case "its record":
					shards = append(shards, "a2")
				case "a delete":
					gone = append(gone, "a-4")
				case "its file kept":
					gone = append(gone, "b-4")
				}
				remains(t, tab, shards, gone...)
				if v, err := Verify(t.Context(), tab.Path()); err != nil || len(unplanned(v.Unnamed)) > 0 {
					t.Errorf("left behind: %v, %v", v.Unnamed, err)
				}
			})
		}
	}
}

// unplanned are files of ours that no entry names.
func unplanned(names []string) (ours []string) {
	for _, n := range names {
		if ourPart.MatchString(filepath.Base(n)) || ourTemp.MatchString(filepath.Base(n)) {
			ours = append(ours, n)
		}
	}
	return ours
}

func rewriteErr(t *testing.T, tab *Table, r Rewrite) error {
	t.Helper()
	_, err := tab.Rewrite(t.Context(), r)
	return err
}

// addsAColumn has delta-rs give a table a column and a row that has it.
const addsAColumn = `
import sys, deltalake, pyarrow as pa
t = deltalake.DeltaTable(sys.argv[1])
row = t.to_pyarrow_table().slice(0, 2)
row = row.set_column(row.schema.get_field_index("record_id"), "record_id", pa.array(["theirs-0", "theirs-1"]))
row = row.append_column("label", pa.array(["kept", "gone"]))
deltalake.write_deltalake(sys.argv[1], row, mode="append", schema_mode="merge")
`

const readsTheColumn = `
import sys, json, deltalake
t = deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table()
print(json.dumps([[i, l] for i, l in zip(t["record_id"].to_pylist(), t["label"].to_pylist()) if i.startswith("theirs")]))
`

// What others wrote stays as they wrote it, in columns that textmill does not know too.
func TestColumnsOfOthersSurviveARewrite(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	put(t, tab, "a")
	foreign.Python(t, addsAColumn, tab.Path())
	if done := rewrite(t, tab, deletes("theirs-1", "a-2")); done.Taken != 2 || done.Added != 2 {
		t.Errorf("%+v", done)
	}
	var got [][2]string
	if err := json.Unmarshal([]byte(foreign.Python(t, readsTheColumn, tab.Path())), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0] != [2]string{"theirs-0", "kept"} {
		t.Errorf("their rows are %v", got)
	}
	if ids := sound(t, tab); len(ids) != 10 {
		t.Errorf("the table holds %v", ids)
	}
	foreignAgree(t, tab)
}

// Whatever operation of a rewrite fails, and however: the table is as before or as after, and sound, and the rewrite can
// be repeated.
func TestEachFileOperationOfARewriteMayFail(t *testing.T) {
	kinds := []disk.Kind{disk.OpCreate, disk.OpWrite, disk.OpSync, disk.OpClose, disk.OpLink, disk.OpRename, disk.OpUnlink,
		disk.OpSyncDir, disk.OpReadDir, disk.OpStat, disk.OpOpen}
	for _, kind := range kinds {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s late=%v", kind, late), func(t *testing.T) {
				t.Parallel()
				f := &faults{after: -1}
				tab := table(t, openStore(t, t.TempDir(), func(o *Options) { o.Intercept, o.CheckpointEvery = f.around, -1 }))
				put(t, tab, "a")
				put(t, tab, "b")
				all, gone := idsOf("a", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), []string{}
				for n := 0; n < len(all); n++ {
					f.arm(kind, "", n, late, syscall.EIO)
					r := deletes(all[n])
					r.Put, r.Take.Records = replaced(fmt.Sprint("new-", n)), OfRecords("", all[n], fmt.Sprint("new-", n))
					_, err := tab.Rewrite(t.Context(), r)
					hit := f.hit
					f.arm(kind, "", -1, false, nil)
					gone = append(gone, all[n])
					if err != nil {
						if !errors.Is(err, ErrStorage) && !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrGone) {
							t.Errorf("operation %d: %v", n, err)
						}
						rewrite(t, tab, r)
					}
					if !hit {
						break
					}
				}
				want := idsOf("b", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
				for _, id := range all {
					if !slices.Contains(gone, id) {
						want = append(want, id)
					}
				}
				for n := range gone {
					want = append(want, fmt.Sprint("new-", n))
				}
				slices.Sort(want)
				if got := sound(t, tab); !slices.Equal(got, want) {
					t.Errorf("rows are %v, want %v", got, want)
				}
			})
		}
	}
}

func TestARewriteInABucket(t *testing.T) {
	s3.ForTest(t)
	tab := table(t, openStore(t, tablesURI, scratch(t)))
	put(t, tab, "a")
	put(t, tab, "b")
	other := table(t, openStore(t, tablesURI, scratch(t)))
	rewrite(t, tab, deletes("a-1", "b-2"))
	put(t, other, "c", "a")
	rewrite(t, other, deletes("c-9"))
	remains(t, tab, []string{"a", "b", "c"}, "a-1", "b-2", "c-9")
}
