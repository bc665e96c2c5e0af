package test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestTwoDaemonsShareTheWork has two processes on one real server and one export directory, and then kills one in mid-job.
func TestTwoDaemonsShareTheWork(t *testing.T) {
	url, _ := startNATS(t, "-js", "-sd", t.TempDir())
	tables := t.TempDir()
	// A small window, so that no daemon can take in a whole job while the other starts on its first shard.
	env := []string{"TEXTMILL_NATS_URL=" + url, "TEXTMILL_EXPORT_URI=" + tables, "TEXTMILL_LIMITS_WINDOW_TOKENS=1024", "TEXTMILL_NATS_ACK_WAIT=3s"}
	one, other := startDaemon(t, newHome(t), env...), startDaemon(t, newHome(t), env...)
	const perJob, records = 400, 2000
	total := 0
	submit := func(n int) string {
		var in strings.Builder
		for range n { // attributes make messages large and cost no tokens, so that no fetch gets all of them at once
			fmt.Fprintf(&in, `{"id":%d,"text":"record number %d","attributes":{"filler":"%s"}}`+"\n", total, total, strings.Repeat("x", 2000))
			total++
		}
		job := fmt.Sprintf("s%d", total)
		one.submit("shared", job, in.String())
		return job
	}
	for !one.says(logged("committed")) || !other.says(logged("committed")) {
		if total > 100*perJob {
			t.Fatalf("one of two daemons did nothing of %d records", total)
		}
		one.client().ok(t, "watch", submit(perJob))
	}
	last := submit(records)
	other.kill()
	one.client().ok(t, "watch", last)

	table := filepath.Join(tables, "shared")
	got := rows(t, table)
	if len(got) != total || got["7"].Text != "record number 7" {
		t.Errorf("%d of %d records are in the table", len(got), total)
	}
	call{}.ok(t, "table", "verify", table)
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
