package test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// await blocks until the daemon's log holds a text so many times.
func (d *daemon) await(text string, times int) {
	d.t.Helper()
	late := false
	alarm := time.AfterFunc(2*time.Minute, func() {
		d.mu.Lock()
		late = true
		d.mu.Unlock()
		d.grew.Broadcast()
	})
	defer alarm.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	for strings.Count(d.log.String(), text) < times {
		if late || d.ended() {
			d.t.Fatalf("the log does not say %s %d times (the daemon ended: %t):\n%s", text, times, d.ended(), d.log.String())
		}
		d.grew.Wait()
	}
}

// says tells whether the daemon's log holds a text by now.
func (d *daemon) says(text string) bool { return strings.Contains(d.text(), text) }

func (d *daemon) ended() bool {
	select {
	case <-d.finished:
		return true
	default:
		return false
	}
}

// logged is a message of the daemon's log.
func logged(msg string) string { return `"msg":` + quoted(msg) }

// logLines gives the log's records of one message.
func logLines[T any](t testing.TB, log, msg string) []T {
	t.Helper()
	var all []T
	for line := range strings.Lines(log) {
		if !strings.Contains(line, logged(msg)) {
			continue
		}
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, v)
	}
	return all
}

// letter is a line of `dead list --json`.
type letter struct{ ID, Class, Reason, Job, Shard string }

// dead waits for so many dead letters and lists them.
func (d *daemon) dead(wanted int) []letter {
	d.t.Helper()
	var all []letter
	waitUntil(d.t, fmt.Sprintf("there are %d dead letters", wanted), func() bool {
		all = nil
		for line := range strings.Lines(d.client().ok(d.t, "dead", "list", "--json").stdout) {
			var l letter
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				d.t.Fatal(err)
			}
			all = append(all, l)
		}
		return len(all) >= wanted
	})
	return all
}

// natsServer builds the real server once.
var natsServer = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(binary), "nats-server")
	out, err := exec.Command("go", "build", "-o", path, "github.com/nats-io/nats-server/v2").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build nats-server: %w\n%s", err, out)
	}
	return path, nil
})

// startNATS runs the real server in a process of its own. It returns its URL, and what kills it.
func startNATS(t testing.TB, args ...string) (url string, kill func()) {
	t.Helper()
	path, err := natsServer()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args = append([]string{"-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", dir, "-l", filepath.Join(dir, "log")}, args...)
	cmd := exec.CommandContext(t.Context(), path, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // an error says that it has ended
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	var ports struct{ Nats []string }
	waitUntil(t, "nats-server listens", func() bool {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("nats-server_%d.ports", cmd.Process.Pid)))
		return err == nil && json.Unmarshal(data, &ports) == nil && len(ports.Nats) > 0
	})
	return ports.Nats[0], kill
}

// corpus is JSONL of records 0 to n−1, each of some words.
func corpus(n, words int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"id":%d,"text":"record number %d%s"}`+"\n", i, i, strings.Repeat(" word", words))
	}
	return b.String()
}

// submit publishes records as one job and does not wait.
func (d *daemon) submit(dataset, job, records string, args ...string) {
	d.t.Helper()
	c := d.client()
	c.stdin = records
	c.env = append(c.env, "TEXTMILL_LIMITS_RECORDS_PER_SHARD=20")
	c.ok(d.t, append(append([]string{"submit", "--model", model, "--dataset", dataset, "--job", job, "--no-wait"}, args...), "-")...)
}
