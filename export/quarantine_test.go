package export

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// quarantines are the marks beside a table.
func quarantines(t *testing.T, tab *Table) (names []string) {
	t.Helper()
	names, err := tab.h.stage().marks.Names("")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(n string) bool { return !ourQuarantine.MatchString(n) })
}

func standings(t *testing.T, tab *Table, keys ...Key) []Standing {
	t.Helper()
	all, err := tab.Standings(t.Context(), EmbeddingFloat32, keys)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func quarantine(t *testing.T, tab *Table, keys ...Key) (*Quarantine, []int) {
	t.Helper()
	q, busy, err := tab.Quarantine(t.Context(), EmbeddingFloat32, keys)
	if err != nil {
		t.Fatal(err)
	}
	return q, busy
}

// die is what becomes of a table whose process is killed.
func die(t *testing.T, tab *Table) {
	t.Helper()
	s := tab.h.own.Swap(nil)
	s.hush()
	if err := s.lock.Drop(); err != nil {
		t.Fatal(err)
	}
}

func nKeys(n int) (keys []Key) {
	for i := range n {
		keys = append(keys, key(fmt.Sprint("shard", i)))
	}
	return keys
}

func TestGroupsGetSmallerWithEachDeath(t *testing.T) {
	dir, keys := t.TempDir(), nKeys(64)
	last := 0
	for _, want := range []int{0, 16, 4, 1, 1} {
		tab := table(t, openStore(t, dir))
		all := standings(t, tab, keys...)
		if slices.ContainsFunc(all, func(s Standing) bool { return s != Standing{Share: want} }) {
			t.Fatalf("after groups of %d: %+v, want %d", last, all, want)
		}
		if n := len(quarantines(t, tab)); n != 0 {
			t.Errorf("%d marks are left of processes that died", n)
		}
		last = cmp.Or(want, len(keys))
		for part := range slices.Chunk(keys, last) {
			quarantine(t, tab, part...)
		}
		die(t, tab)
	}
	tab := table(t, openStore(t, dir))
	if got := standings(t, tab, key("other")); got[0] != (Standing{}) {
		t.Errorf("one that was in no group: %+v", got)
	}
	if err := tab.EndIsolation(t.Context(), keys[0], EmbeddingFloat32); err != nil {
		t.Fatal(err)
	}
	if got := standings(t, tab, keys[:2]...); got[0] != (Standing{}) || got[1].Share != 1 {
		t.Errorf("after the first was settled: %+v", got)
	}
}

func TestAQuarantineIsAnothersWhileItsProcessLives(t *testing.T) {
	dir, keys := t.TempDir(), nKeys(3)
	one, two := table(t, openStore(t, dir)), table(t, openStore(t, dir))
	q, busy := quarantine(t, one, keys[:2]...)
	want := func(now string, tab *Table, want ...Standing) {
		t.Helper()
		if got := standings(t, tab, keys...); !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", now, got, want)
		}
	}
	held, free := Standing{Busy: true}, Standing{}
	want("its own", one, free, free, free)
	want("another's", two, held, held, free)
	if other, late := quarantine(t, two, keys[1:]...); len(busy) != 0 || !slices.Equal(late, []int{0}) {
		t.Errorf("marked at the same time: %v and %v are busy", busy, late)
	} else if err := other.End(); err != nil {
		t.Fatal(err)
	}
	var c clock
	later := table(t, openStore(t, dir, c.set))
	c.pass(2 * heldFor)
	want("stopped for long", later, free, free, free)
	if err := errors.Join(q.Renew(), q.Ran()); err != nil {
		t.Fatal(err)
	}
	want("its rows wait", two, held, held, free)
	if err := q.End(); err != nil {
		t.Fatal(err)
	}
	want("settled", two, free, free, free)
	if err := q.End(); err != nil {
		t.Error(err)
	}
}

// A process that died after its group had run did not die of it.
func TestWhatRanIsNotToBlame(t *testing.T) {
	dir, keys := t.TempDir(), nKeys(8)
	one := table(t, openStore(t, dir))
	q, _ := quarantine(t, one, keys...)
	if err := q.Ran(); err != nil {
		t.Fatal(err)
	}
	die(t, one)
	two := table(t, openStore(t, dir))
	if got := standings(t, two, keys...); slices.ContainsFunc(got, func(s Standing) bool { return s != Standing{} }) {
		t.Errorf("%+v", got)
	}
	if n := len(quarantines(t, two)); n != 0 {
		t.Errorf("%d marks are left", n)
	}
}

// What the version before wrote of a delivery holds on: one that ran alone goes on alone, and is busy while its
// process lives.
func TestMarksOfTheVersionBefore(t *testing.T) {
	dir := t.TempDir()
	one, two := table(t, openStore(t, dir)), table(t, openStore(t, dir))
	standings(t, one, key("a")) // opens it
	mark := func(k Key, running int) {
		t.Helper()
		old := fmt.Sprintf(`{"ranges":[0,3,10],"running":%d,"deaths":1,"accused":4,"guilty":[2],"owner":%q}`, running,
			one.h.stage().id)
		if err := os.WriteFile(filepath.Join(one.Path(), "_textmill", isolationName(k)), []byte(old), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	mark(key("a"), 1)
	mark(key("b"), -1)
	if got := standings(t, two, key("a"), key("b")); !slices.Equal(got, []Standing{{Busy: true}, {Share: 1}}) {
		t.Errorf("while its process lives: %+v", got)
	}
	quarantine(t, one, key("a"), key("b"), key("c"), key("d"))
	die(t, one)
	if got := standings(t, two, key("a"), key("b"), key("c")); !slices.Equal(got,
		[]Standing{{Share: 1}, {Share: 1}, {Share: 1}}) {
		t.Errorf("after it died: %+v", got)
	}
	isolation, died, err := two.Isolation(t.Context(), key("a"), EmbeddingFloat32)
	if err != nil || !died || !slices.Equal(isolation.Poison, []int{2}) || !slices.Equal(isolation.Ranges, []int{0, 3, 10}) {
		t.Errorf("%+v, %v, %v", isolation, died, err)
	}
}

// Who may write beside the table can spoil no more than the size of groups.
func TestQuarantinesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	tab := table(t, openStore(t, dir))
	standings(t, tab, key("a"))
	aux := filepath.Join(tab.Path(), "_textmill")
	dead := filepath.Join(aux, "quarantine-0123456789abcdef-1.json")
	for _, make := range []func() error{
		func() error { return os.WriteFile(dead, []byte(`{"members":["../x"]}`), 0o640) },
		func() error { return os.WriteFile(dead, nil, 0o640) },
		func() error { return os.Symlink("/dev/zero", dead) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if got := standings(t, tab, key("a")); got[0] != (Standing{}) {
			t.Errorf("%+v", got)
		}
		if _, err := os.Lstat(dead); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it is still there: %v", err)
		}
	}
}

func TestOldQuarantinesAreSwept(t *testing.T) {
	store := openStore(t, t.TempDir())
	tab := table(t, store)
	q, _ := quarantine(t, tab, key("a"))
	for age, want := range map[time.Duration]int{time.Hour: 1, 31 * 24 * time.Hour: 0} {
		if err := q.Renew(); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-age)
		if err := os.Chtimes(filepath.Join(tab.Path(), "_textmill", q.name), at, at); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(quarantines(t, tab)); n != want {
			t.Errorf("%d marks after %v, want %d", n, age, want)
		}
	}
}

func FuzzParseQuarantine(f *testing.F) {
	f.Add([]byte(`{"members":["0123456789abcdef0123456789abcdef"],"waits":true}`))
	f.Add([]byte(`{"members":["../../x"]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		q, err := parseQuarantine(data)
		if err != nil {
			return
		}
		for _, m := range q.Members {
			if !ourIsolation.MatchString(isolationFile(m)) {
				t.Errorf("%q would be a file's name", m)
			}
		}
	})
}
