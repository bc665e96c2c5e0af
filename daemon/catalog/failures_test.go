package catalog

import (
	"fmt"
	"os"
	"testing"

	"textmill/export"
)

// A job's error rows are told as its table has them, without reading a file in which the log says there are none.
func TestErrorRowsOfAJob(t *testing.T) {
	uri := t.TempDir()
	of := func(job, id, why string) export.Row {
		r := failure(id, why)
		r.Job = job
		return r
	}
	commit(t, uri, "docs", "", of("a", "1", "timeout: it took long"), of("b", "2", "timeout: of another job"), record("fine", 1, 0, 0, 0))
	commit(t, uri, "docs", "", of("a", "3", "empty_text: nothing"), of("a", "4", "timeout: again"))
	c := over(uri, "abc", said{})
	got, err := c.Failures(t.Context(), "docs", "a")
	if err != nil || got.Seen != 3 || !got.Whole || len(got.Classes) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if e := got.Classes[0]; e != (ErrorClass{"timeout", 2, "1", "it took long"}) && e != (ErrorClass{"timeout", 2, "4", "again"}) ||
		got.Classes[1] != (ErrorClass{"empty_text", 1, "3", "nothing"}) {
		t.Errorf("%+v", got.Classes)
	}
	commit(t, uri, "docs", "", of("b", "5", "timeout: b"))
	commit(t, uri, "docs", "", record("fine too", 1, 0, 0, 0))
	_, r, _, err := c.look(t.Context(), "docs")
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	for _, f := range r.Files { // none of them is needed any more
		if err := os.Remove(f.Path); err != nil {
			t.Fatal(err)
		}
	}
	if again, err := c.Failures(t.Context(), "docs", "a"); err != nil || fmt.Sprint(again) != fmt.Sprint(got) {
		t.Errorf("after other jobs' rows: %+v, %v", again, err)
	}
	if _, err := c.Failures(t.Context(), "docs", "b"); err == nil {
		t.Error("another job's rows are told without reading them")
	}
	if _, err := c.Failures(t.Context(), "none", "a"); err == nil {
		t.Error("of no table")
	}
	for n := range 3 * jobsDigested { // they read nothing: no file may have rows of them
		if got, err := c.Failures(t.Context(), "docs", fmt.Sprint("c", n)); err != nil || got.Seen != 0 || !got.Whole {
			t.Fatalf("a job without rows: %+v, %v", got, err)
		}
	}
	if n := len(c.tables["docs"].jobs); n != jobsDigested {
		t.Errorf("%d jobs are remembered", n)
	}
	if _, err := c.Failures(t.Context(), "docs", "a"); err == nil {
		t.Error("what was forgotten is not read anew")
	}
}

// What was read of a table stays known where a file after it cannot be read.
func TestALookThatFailsKeepsWhatItRead(t *testing.T) {
	uri := t.TempDir()
	for n := range 3 {
		commit(t, uri, "docs", "", failure(fmt.Sprint(n), "timeout: it took long"))
	}
	c := over(uri, "abc", said{})
	_, r, _, err := c.look(t.Context(), "docs")
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	away := r.Files[1].Path + ".away"
	if err := os.Rename(r.Files[1].Path, away); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.Failures(t.Context(), "docs", "j"); err == nil {
			t.Fatal("a file that is away is read")
		}
		_ = os.Remove(r.Files[0].Path) // which no look needs again, failed as it may
	}
	if err := os.Rename(away, r.Files[1].Path); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Failures(t.Context(), "docs", "j"); err != nil || got.Seen != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}
