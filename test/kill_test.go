package test

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
)

// TestKilledAgainAndAgain kills the daemon where a seeded generator says: after a commit that nobody was told of yet,
// after a confirmed one, or while a part is being written. Its embedded server dies with it each time.
func TestKilledAgainAndAgain(t *testing.T) {
	const records, kills = 2000, 6
	home := newHome(t)
	d := startDaemon(t, home)
	table := d.table("kills")
	d.submit("kills", "k", corpus(records, 3))
	random := rand.New(rand.NewPCG(3, 1977))
	for range kills {
		switch times := 1 + random.IntN(2); random.IntN(3) {
		case 0:
			d.await(logged("committed"), times)
		case 1:
			d.await(logged("delivery settled"), times)
		case 2:
			awaitNewFile(t, table)
		}
		d.kill()
		d = startDaemon(t, home)
	}
	d.client().ok(t, "watch", "k")
	if n := len(rows(t, table)); n != records {
		t.Errorf("%d of %d records are in the table", n, records)
	}
	call{}.ok(t, "table", "verify", table)
	if s := lines[status](t, d.client().ok(t, "status", "k", "--json").stdout)[0]; s.Rows != records || s.ShardsDone != records/20 || s.Errors != 0 {
		t.Errorf("status: %+v", s)
	}
}

// awaitNewFile returns as soon as a directory has a file that it had not.
func awaitNewFile(t testing.TB, dir string) {
	t.Helper()
	names := func() map[string]bool {
		all := map[string]bool{}
		entries, err := os.ReadDir(dir)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		for _, e := range entries {
			all[e.Name()] = true
		}
		return all
	}
	before := names()
	waitUntil(t, "a file appears in "+dir, func() bool {
		for name := range names() {
			if !before[name] {
				return true
			}
		}
		return false
	})
}

// TestPublisherKilled kills `submit` while it waits for more input, and runs it again with all of it.
func TestPublisherKilled(t *testing.T) {
	const records = 600
	d := startDaemon(t, newHome(t))
	all := corpus(records, 3)
	args := []string{"submit", "--model", model, "--dataset", "again", "--job", "p", "-"}
	c, first := d.halfway(t, all, args...)
	d.await(logged("delivery settled"), 5)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // killed
	c.stdin = all
	c.ok(t, args...)
	if n := len(rows(t, d.table("again"))); n != records {
		t.Errorf("%d of %d records are in the table", n, records)
	}
	if s := lines[status](t, d.client().ok(t, "status", "p", "--json").stdout)[0]; s.Rows != records || s.Shards != records/20 || s.Dead != 0 {
		t.Errorf("status: %+v", s)
	}
}

// halfway starts a command that reads from standard input, in small shards, and gives it the first half of its input: the
// end of that lies inside a record.
func (d *daemon) halfway(t *testing.T, all string, args ...string) (call, *exec.Cmd) {
	t.Helper()
	c := d.client()
	c.env = append(c.env, "TEXTMILL_LIMITS_RECORDS_PER_SHARD=20")
	first := c.command(t, t.Context(), args...)
	first.Stdin = nil
	in, err := first.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte(all[:len(all)/2])); err != nil {
		t.Fatal(err)
	}
	return c, first
}
