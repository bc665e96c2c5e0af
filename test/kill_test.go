package test

import (
	"math/rand/v2"
	"os"
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
