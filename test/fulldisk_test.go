package test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestFullDisk fills the disk under the tables, in earnest: a small file system of the daemon's own. What cannot be written
// is kept in the queue, and committed once there is room.
func TestFullDisk(t *testing.T) {
	home, tables := newHome(t), t.TempDir()
	cmd := call{home: home, env: daemonEnv("TEXTMILL_EXPORT_URI=" + tables)}.command(t, t.Context(), "daemon")
	const mount = `mount -t tmpfs -o size=8m tmpfs "$1" && exec "$2" daemon`
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Fatalf("util-linux is needed: %v", err)
	}
	cmd.Path, cmd.Args = unshare, []string{"unshare", "-rm", "sh", "-c", mount, "sh", tables, binary}
	d := startCommand(t, home, cmd)
	inside := filepath.Join("/proc", fmt.Sprint(cmd.Process.Pid), "root", tables) // each step execs the next: one process

	filler := filepath.Join(inside, "filler")
	for round, left := range []int64{0, 100 << 10} { // no room at all; room for a log entry or a part, not for all
		fill(t, filler, left)
		job := fmt.Sprintf("full%d", round)
		const records = 400
		failed := strings.Count(d.text(), "no space left on device")
		d.submit("full", job, strings.ReplaceAll(corpus(records, 20), `{"id":`, fmt.Sprintf(`{"id":%d`, round+1)))
		d.await("no space left on device", failed+3)
		if code, body := get(t, d.http+"/readyz", ""); code != 503 || !strings.Contains(body, "export") {
			t.Errorf("/readyz with a full disk: %d %s", code, body)
		}
		if code, _ := get(t, d.http+"/healthz", ""); code != 200 {
			t.Errorf("/healthz with a full disk: %d; a restart would not help", code)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		d.client().ok(t, "watch", job)
		table := t.TempDir() // other programs cannot see the daemon's file system
		if err := os.CopyFS(table, os.DirFS(filepath.Join(inside, "full"))); err != nil {
			t.Fatal(err)
		}
		if n := len(rows(t, table)); n != records*(round+1) {
			t.Errorf("round %d: %d records are in the table, want %d", round, n, records*(round+1))
		}
		call{}.ok(t, "table", "verify", table)
	}
	if all := d.dead(0); len(all) != 0 {
		t.Errorf("a full disk made dead letters: %+v", all)
	}
	d.signal(syscall.SIGTERM)
	if code := d.wait(); code != 0 {
		t.Errorf("the daemon ended with %d", code)
	}
}

// fill writes a file until its file system has no more than so many bytes left.
func fill(t testing.TB, file string, left int64) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	var size int64
	for err == nil {
		var n int
		n, err = f.Write(block)
		size += int64(n)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("fill %s: %v", file, err)
	}
	if err := errors.Join(f.Truncate(max(size-left, 0)), f.Close()); err != nil {
		t.Fatal(err)
	}
}
