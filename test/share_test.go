package test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestTwoDaemonsShareTheWork has two processes on one real server and one export directory, and then kills one.
func TestTwoDaemonsShareTheWork(t *testing.T) {
	url, tables := startNATS(t, "-js", "-sd", t.TempDir()), t.TempDir()
	env := []string{"TEXTMILL_NATS_URL=" + url, "TEXTMILL_EXPORT_URI=" + tables}
	one, other := startDaemon(t, newHome(t), env...), startDaemon(t, newHome(t), env...)
	const records = 2000
	var in strings.Builder
	for i := range records { // attributes make messages large and cost no tokens, so that no daemon fetches all of them at once
		fmt.Fprintf(&in, `{"id":%d,"text":"record number %d","attributes":{"filler":"%s"}}`+"\n", i, i, strings.Repeat("x", 2000))
	}
	one.submit("shared", "s", in.String())
	one.await(logged("committed"), 2)
	other.await(logged("committed"), 2)
	other.kill()
	one.client().ok(t, "watch", "s")
	table := filepath.Join(tables, "shared")
	got := rows(t, table)
	if len(got) != records || got["7"].Text != "record number 7" {
		t.Errorf("%d of %d records are in the table", len(got), records)
	}
	call{}.ok(t, "table", "verify", table)
	for name, d := range map[string]*daemon{"one": one, "other": other} {
		var sum int
		for _, c := range logLines[struct{ Rows int }](t, d.text(), "committed") {
			sum += c.Rows
		}
		t.Logf("daemon %s committed %d rows", name, sum)
		if sum == 0 || sum == records {
			t.Errorf("daemon %s committed %d of %d rows", name, sum, records)
		}
	}
}
