package export

import (
	"context"
	"strings"
	"testing"
)

// withErrors are a shard's rows, every third with an error.
func withErrors(shard string) []Row {
	rows := sample(shard, 10)
	for i := range rows {
		if i%3 == 1 {
			rows[i].Error, rows[i].Embedding, rows[i].Dim = "nan: x", nil, Null[int32]{}
		}
	}
	return rows
}

// Error rows lie in files of their own, however they came, and a delivery that another committed is taken out of both.
func TestErrorRowsLieInFilesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	other := table(t, openStore(t, dir))
	b := begin(t, tab)
	for _, shard := range []string{"a", "b", "c"} {
		if err := b.Add(key(shard), withErrors(shard)); err != nil {
			t.Fatal(err)
		}
	}
	only := withErrors("d")[1:2]
	if err := b.Add(key("d"), only); err != nil {
		t.Fatal(err)
	}
	sp, err := tab.Spool(t.Context(), key("big"), EmbeddingFloat32)
	if err != nil {
		t.Fatal(err)
	}
	for _, rows := range [][]Row{withErrors("big")[:5], withErrors("big")[5:]} {
		if err := sp.Append(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.AddSpool(sp); err != nil {
		t.Fatal(err)
	}
	putRows(t, other, "b", withErrors("b"))
	putRows(t, other, "d", only)
	if res := commit(t, b); res.Rows != 30 || res.Errors != 9 || res.Outcomes[key("b").AppID] != Committed {
		t.Errorf("%+v", res)
	}
	replace := Rewrite{Operation: "MERGE", Take: Selection{Records: OfRecords("", idsOf("a", 1, 2)...)},
		Put: func(_ context.Context, put func([]Row) error) error { return put(withErrors("a")[1:3]) }}
	rewrite(t, tab, replace)
	if ids := sound(t, tab); len(ids) != 41 {
		t.Errorf("%d rows: %v", len(ids), ids)
	}
	files := map[int][2]int{}
	if err := scanParts(t.Context(), tab.Path(), "", func(file int, rows []Row) error {
		n := files[file]
		for _, r := range rows {
			n[map[bool]int{true: 1}[r.Error != ""]]++
			if strings.HasSuffix(r.RecordID, "-1") != (r.Error != "") && strings.HasSuffix(r.RecordID, "-2") {
				t.Errorf("row %s has error %q", r.RecordID, r.Error)
			}
		}
		files[file] = n
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for file, n := range files {
		if n[0] > 0 && n[1] > 0 {
			t.Errorf("file %d has %d rows and %d error rows", file, n[0], n[1])
		}
	}
	foreignAgree(t, tab)
}

// A row that does not fit leaves a batch as it was, whichever sort it is of.
func TestARowThatDoesNotFitLeavesNothing(t *testing.T) {
	tab := table(t, openStore(t, t.TempDir()))
	b := begin(t, tab)
	rows := withErrors("bad")
	rows[4].Error = "\xff"
	if err := b.Add(key("bad"), rows); err == nil {
		t.Fatal("a row that is not UTF-8 was taken")
	}
	if err := b.Add(key("good"), withErrors("good")); err != nil {
		t.Fatal(err)
	}
	commit(t, b)
	if ids := sound(t, tab); len(ids) != 10 {
		t.Errorf("the table holds %v", ids)
	}
}
