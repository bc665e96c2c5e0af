package test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestTwoDaemonsShareTheWork has two processes on one real server and one export directory, and then kills one.
func TestTwoDaemonsShareTheWork(t *testing.T) {
	url, _ := startNATS(t, "-js", "-sd", t.TempDir())
	tables := t.TempDir()
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

// TestServerKilled kills the NATS server in mid-job and starts it again on its store: daemon and submit go on.
func TestServerKilled(t *testing.T) {
	const records = 1500
	store := t.TempDir()
	url, kill := startNATS(t, "-js", "-sd", store)
	home := newHome(t)
	d := startDaemon(t, home, "TEXTMILL_NATS_URL="+url)
	file := filepath.Join(home, "corpus.jsonl")
	write(t, file, corpus(records, 8))
	c := d.client()
	c.env = append(c.env, "TEXTMILL_LIMITS_RECORDS_PER_SHARD=20")
	submit := c.command(t, t.Context(), "submit", "--model", model, "--dataset", "server", "--job", "s", file)
	var stderr strings.Builder
	submit.Stderr = &stderr
	if err := submit.Start(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		d.await(logged("delivery settled"), 1+strings.Count(d.text(), logged("delivery settled")))
		kill()
		_, kill = startNATS(t, "-js", "-sd", store, "-p", url[strings.LastIndexByte(url, ':')+1:])
	}
	if err := submit.Wait(); err != nil {
		t.Fatalf("submit: %v\n%s", err, stderr.String())
	}
	if n := len(rows(t, d.table("server"))); n != records {
		t.Errorf("%d of %d records are in the table", n, records)
	}
	if code, _ := get(t, d.http+"/readyz", ""); code != 200 {
		t.Errorf("/readyz: %d", code)
	}
}
