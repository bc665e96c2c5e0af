package test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// previousBinary is textmill as it was at the commit in testdata/previous.
func previousBinary(t testing.TB) string {
	t.Helper()
	commit, err := os.ReadFile(filepath.Join("testdata", "previous"))
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(filepath.Join("..", ".cache", "previous", strings.TrimSpace(string(commit))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; run make test, which builds it from the history", err)
	}
	return path
}

// TestPreviousVersionBeside has this version and the one before share a queue and a table, whichever of them was there first:
// each goes on where the other was killed, and knows what the other did.
func TestPreviousVersionBeside(t *testing.T) {
	before, now := previousBinary(t), binary
	for name, order := range map[string][2]string{"the one before was first": {before, now}, "this one was first": {now, before}} {
		t.Run(name, func(t *testing.T) {
			url, _ := startNATS(t, "-js", "-sd", t.TempDir())
			tables := t.TempDir()
			env := []string{"TEXTMILL_NATS_URL=" + url, "TEXTMILL_EXPORT_URI=" + tables, "TEXTMILL_LIMITS_RECORDS_PER_SHARD=20"}
			daemon := func(binary string) *daemon {
				home := newHome(t)
				return startCommand(t, home, call{binary: binary, home: home, env: daemonEnv(env...)}.command(t, t.Context(), "daemon"))
			}
			client := func(binary, records string) call { return call{binary: binary, env: env, stdin: records} }
			submit := func(binary, job, records string, more ...string) result {
				args := append(append([]string{"submit", "--force", "--model", model, "--dataset", "docs", "--job", job}, more...), "-")
				return client(binary, records).run(t, args...)
			}
			wants := 0
			part := func(n int) string { // records that no other part has
				all := strings.SplitAfter(corpus(wants+n, 8), "\n")
				wants += n
				return strings.Join(all[wants-n:wants], "")
			}
			first := daemon(order[0])
			a := part(60)
			if r := submit(order[0], "a", a); r.code != 0 {
				t.Fatalf("its own client: exit %d\n%s", r.code, r.stderr)
			}
			b := part(60)
			submit(order[1], "b", b) // may be unable to tell how it went; it ends, and the rows are there
			if n := len(rows(t, filepath.Join(tables, "docs"))); n != wants {
				t.Fatalf("%d of %d records after both clients submitted", n, wants)
			}
			second := daemon(order[1])
			second.signal(syscall.SIGSTOP) // so that the first one has work to leave behind
			done := strings.Count(first.text(), logged("committed"))
			if r := submit(order[0], "c", part(600), "--no-wait"); r.code != 0 {
				t.Fatal(r.stderr)
			}
			if r := submit(order[1], "d", part(600), "--no-wait"); r.code != 0 {
				t.Fatal(r.stderr)
			}
			first.await(logged("committed"), done+1)
			first.kill() // with what it holds on its way
			second.signal(syscall.SIGCONT)
			for _, job := range []string{"c", "d"} {
				client(order[1], "").ok(t, "watch", job)
			}
			// What the first one committed is known to the second, and the other way round.
			submit(order[1], "a", a)
			second.signal(os.Interrupt)
			second.wait()
			daemon(order[0])
			submit(order[0], "b", b)
			submit(order[0], "e", part(60))

			table := filepath.Join(tables, "docs")
			if n := len(rows(t, table)); n != wants {
				t.Errorf("%d of %d records are in the table", n, wants)
			}
			for _, binary := range order {
				client(binary, "").ok(t, "table", "verify", table)
				if out := client(binary, "").ok(t, "dead", "list").stdout; strings.Contains(out, "docs") {
					t.Errorf("dead letters: %s", out)
				}
				for line := range strings.Lines(client(binary, "").ok(t, "status", "--json").stdout) {
					if !strings.Contains(line, `"state":"done"`) {
						t.Errorf("status says %s", line)
					}
				}
			}
		})
	}
}

// A configuration of the version before is one of this version.
func TestConfigurationOfThePreviousVersion(t *testing.T) {
	file := previousBinary(t) + ".yaml"
	home := newHome(t)
	r := call{home: home}.ok(t, "daemon", "--check-config", "-c", file)
	if !strings.Contains(r.stdout, "export.max_open: 64") {
		t.Errorf("it is read as\n%s", r.stdout)
	}
}
