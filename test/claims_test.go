package test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// narrowNATS is a server that carries 64 KB a message.
func narrowNATS(t *testing.T) string {
	t.Helper()
	conf := filepath.Join(t.TempDir(), "nats.conf")
	write(t, conf, "max_payload: 64KB\n")
	url, _ := startNATS(t, "-js", "-sd", t.TempDir(), "-c", conf)
	return url
}

// TestLargeRecordsAreSubmitted sends records beyond what the server carries, has one of two daemons killed between the ack of one and the
// removal of its payload, and another amid its work; then the same again, which is all there.
func TestLargeRecordsAreSubmitted(t *testing.T) {
	t.Parallel()
	path, err := dying()
	if err != nil {
		t.Fatal(err)
	}
	url, home := "TEXTMILL_NATS_URL="+narrowNATS(t), newHome(t)
	texts := map[string]string{}
	for i := range 40 {
		texts[fmt.Sprintf("r%03d", i)] = fmt.Sprintf("record number %d %s", i, strings.Repeat("and some words ", i%2*10_000))
	}
	input := filepath.Join(t.TempDir(), "in.jsonl")
	write(t, input, jsonl(texts))
	args := []string{"submit", "--model", model, "--dataset", "large", input}
	first := call{home: home, env: daemonEnv(url, "CRASH_POINT=after-ack:2")}.command(t, t.Context(), "daemon")
	first.Path, first.Args[0] = path, path
	killed := startCommand(t, home, first)
	killed.client().ok(t, append(args, "--no-wait")...)
	<-killed.finished
	d := startDaemon(t, home, url)
	d.await(logged("delivery settled"), 1)
	d.kill()
	d = startDaemon(t, home, url)
	startDaemon(t, home, url)
	for _, what := range []string{"sent", "there"} {
		var s struct{ Rows, Errors, Dead, Truncated int }
		if err := json.Unmarshal([]byte(d.client().ok(t, append(args, "--json")...).stdout), &s); err != nil || s.Rows != len(texts) || s.Errors != 0 || s.Dead != 0 || s.Truncated != 20 {
			t.Errorf("%s: %+v", what, s)
		}
	}
	got := rows(t, d.table("large"))
	for id, text := range texts {
		if got[id].Text != text {
			t.Errorf("record %s has a text of %d bytes, want %d", id, len(got[id].Text), len(text))
		}
	}
}
