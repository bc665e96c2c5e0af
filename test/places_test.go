package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAnOlderQueueIsServedAndMoved has a daemon of a version that kept everything in the cache leave a queue and a table behind,
// and follows what becomes of them: all commands find them, during its life too, and the line that moves them loses nothing.
func TestAnOlderQueueIsServedAndMoved(t *testing.T) {
	base := t.TempDir()
	cache, data := filepath.Join(base, ".cache", "textmill"), filepath.Join(base, ".local", "share", "textmill")
	if err := os.MkdirAll(filepath.Dir(cache), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(newHome(t), cache); err != nil {
		t.Fatal(err)
	}
	user := []string{"HOME=" + base, "TEXTMILL_HOME="} // an empty variable counts as unset

	older := startDaemon(t, cache) // its home is the cache, as it was by default
	older.submit("docs", "stored", corpus(3, 2))
	older.client().ok(t, "watch", "stored")
	older.submit("docs", "waiting", corpus(3, 2), "--model", "nobodys-model", "--force")
	now := func(nats string) call { return call{home: base, env: append(user[:2:2], "TEXTMILL_NATS_URL="+nats)} }
	if r := now(older.nats).ok(t, "table", "list"); !strings.Contains(r.stdout, "docs") || !strings.Contains(r.stderr, "mkdir -p "+data) {
		t.Errorf("beside an older daemon: %s\n%s", r.stdout, r.stderr)
	}
	older.signal(os.Interrupt)
	older.wait()

	run := func() *daemon {
		t.Helper()
		return startCommand(t, base, call{home: base, env: daemonEnv(user...)}.command(t, t.Context(), "daemon"))
	}
	look := func(d *daemon, wants string) (notice string) {
		t.Helper()
		c := now(d.nats)
		s, list, info := c.ok(t, "status"), c.ok(t, "table", "list"), c.ok(t, "table", "info", "docs")
		if !strings.Contains(s.stdout, "waiting") || !strings.Contains(s.stdout, "stored") {
			t.Errorf("status has lost a job:\n%s", s.stdout)
		}
		if !strings.Contains(list.stdout, "docs") || !strings.Contains(info.stdout, wants+"\n") {
			t.Errorf("the table is not in %s:\n%s%s", wants, list.stdout, info.stdout)
		}
		if s.stderr != list.stderr && !strings.HasPrefix(s.stderr, list.stderr) || info.stderr != list.stderr {
			t.Errorf("commands say different things:\n%s%s%s", s.stderr, list.stderr, info.stderr)
		}
		return list.stderr
	}
	d := run()
	notice := look(d, filepath.Join(cache, "tables", "docs"))
	_, command, ok := strings.Cut(strings.TrimSuffix(notice, "\n"), "run: ")
	if !ok || strings.Contains(command, "\n") || !d.says(command) {
		t.Fatalf("the daemon or the commands do not say in a line how to move it: %q\n%s", notice, d.text())
	}
	d.signal(os.Interrupt)
	d.wait()
	if out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	d = run()
	if notice := look(d, filepath.Join(data, "tables", "docs")); notice != "" || d.says("earlier version") {
		t.Errorf("moved, and yet: %s", notice)
	}
	if again := (now(d.nats)).ok(t, "dead", "list"); again.stdout != "" {
		t.Errorf("dead letters: %s", again.stdout)
	}
}
