package jobs

import (
	"fmt"
	"testing"
	"time"
)

func commitOf(files int) TableCommit {
	rows := int64(3)
	c := TableCommit{Type: EventTable, Dataset: "docs", Table: "/t/docs", TableID: "x", Version: 7, Operation: "WRITE", Rows: 9, Errors: 1, NAdded: files,
		Removed: []TableFile{{Path: "/t/docs/old.parquet"}}, NRemoved: 1, Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Added: []TableFile{}}
	for i := range files {
		c.Added = append(c.Added, TableFile{Path: fmt.Sprintf("/t/docs/%d.parquet", i), Rows: &rows, Bytes: 10})
	}
	return c
}

// What is published of a commit is as its schema says, is read back, and is bounded however many files there are.
func TestTableCommitIsReadBack(t *testing.T) {
	s := schema(t, "commit.schema.json")
	for _, files := range []int{0, 2, 5000} {
		c := commitOf(files)
		raw, err := c.AppendEvent(nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := accepts(t, s, string(raw)); err != nil {
			t.Errorf("%d files: %v", files, err)
		}
		back, err := ParseTableCommit(raw)
		if err != nil || back.Version != 7 || back.NAdded != files || len(back.Added) != min(files, mostFiles) || !back.Time.Equal(c.Time) {
			t.Errorf("%d files come back as %+v, %v", files, back, err)
		}
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"type":"done","dataset":"d"}`, `{"type":"table","dataset":"../d"}`, `{"type":"table","dataset":"d","version":-1}`} {
		if c, err := ParseTableCommit([]byte(bad)); err == nil {
			t.Errorf("%s gives %+v", bad, c)
		}
	}
}

func FuzzTableCommit(f *testing.F) {
	c := commitOf(2)
	raw, err := c.AppendEvent(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := ParseTableCommit(raw)
		if err != nil {
			return
		}
		if again, err := c.AppendEvent(nil); err != nil || len(again) == 0 {
			t.Errorf("%q is read, and not written: %v", raw, err)
		}
	})
}
