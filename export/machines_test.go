package export

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"textmill/internal/s3"
)

// clock is a machine's, which a test puts forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) pass(d time.Duration) { c.ahead.Add(int64(d)) }
func (c *clock) set(o *Options) {
	o.Now = func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }
}

// Two machines have a bucket in common and nothing else: neither sees the other's scratch directory, nor its locks.
func TestMarksOfAnotherMachine(t *testing.T) {
	s3.ForTest(t)
	keys := nKeys(8)
	var c clock
	one := table(t, openStore(t, tablesURI, scratch(t)))
	two := table(t, openStore(t, tablesURI, scratch(t), c.set))
	free, held := make([]Standing, 8), slices.Repeat([]Standing{{Busy: true}}, 8)
	want := func(now string, want []Standing) {
		t.Helper()
		if got := standings(t, two, keys...); !slices.Equal(got, want) {
			t.Errorf("%s: %+v, want %+v", now, got, want)
		}
	}
	want("before", free)
	q, _ := quarantine(t, one, keys...)
	want("in quarantine", held)
	must(t, q.Ran())
	want("its rows wait", held)
	must(t, q.End())
	want("settled", free)

	alone := &Isolation{Ranges: []int{0, 1}, Running: 0}
	must(t, one.SaveIsolation(t.Context(), keys[0], EmbeddingFloat32, alone))
	quarantine(t, one, keys...)
	look := func() (died bool, err error) {
		_, died, err = two.Isolation(t.Context(), keys[0], EmbeddingFloat32)
		return died, err
	}
	for range 3 { // a long run
		c.pass(silence * 2 / 3)
		must(t, one.h.stage().sign())
		if _, err := look(); !errors.Is(err, ErrQuarantined) {
			t.Errorf("while it runs alone: %v", err)
		}
	}
	die(t, one)
	if _, err := look(); !errors.Is(err, ErrQuarantined) {
		t.Errorf("after it died, before anybody can know: %v", err)
	}
	c.pass(silence + time.Second)
	if died, err := look(); !died || err != nil {
		t.Errorf("after it died: %v, %v", died, err)
	}
	smaller := slices.Repeat([]Standing{{Share: 2}}, 8)
	smaller[0].Share = 1 // it ran alone before
	want("after it died", smaller)
	if n := len(quarantines(t, two)); n != 0 {
		t.Errorf("%d marks are left", n)
	}
}

// What a process leaves that ends in good order is free at once: its machine may never come again.
func TestOtherMachinesSeeAnEnd(t *testing.T) {
	s3.ForTest(t)
	store := openStore(t, tablesURI, scratch(t))
	one, two := table(t, store), table(t, openStore(t, tablesURI, scratch(t)))
	quarantine(t, one, key("a"))
	if got := standings(t, two, key("a")); !got[0].Busy {
		t.Errorf("while it lives: %+v", got)
	}
	must(t, one.Close())
	if got := standings(t, two, key("a")); got[0].Busy {
		t.Errorf("after its end: %+v", got)
	}
}

// A process that comes again on the same machine knows at once that the one before is dead.
func TestTheSameMachineAgain(t *testing.T) {
	s3.ForTest(t)
	here := scratch(t)
	one := table(t, openStore(t, tablesURI, here))
	quarantine(t, one, nKeys(4)...)
	die(t, one)
	if got := standings(t, table(t, openStore(t, tablesURI, here)), nKeys(4)...); got[0] != (Standing{Share: 1}) {
		t.Errorf("%+v", got)
	}
}

// Two machines take the same deliveries, as when both were stopped for longer than a lease, and sweep meanwhile.
func TestTwoMachinesCommitTheSame(t *testing.T) {
	s3.ForTest(t)
	stores := []*Store{openStore(t, tablesURI, scratch(t)), openStore(t, tablesURI, scratch(t))}
	var batches []*Batch
	for _, s := range stores {
		b := begin(t, table(t, s))
		add(t, b, "a", "b")
		batches = append(batches, b)
	}
	add(t, batches[1], "c")
	for i, want := range []int64{20, 10} {
		for _, s := range stores {
			if removed, err := s.Sweep(t.Context()); err != nil || len(removed) > 0 {
				t.Errorf("a sweep removed %v, %v", removed, err)
			}
		}
		if res := commit(t, batches[i]); res.Rows != want {
			t.Errorf("batch %d brought %d rows, want %d", i, res.Rows, want)
		}
	}
	must(t, table(t, stores[0]).SyncEntry(t.Context(), key("c")))
	v, err := Verify(t.Context(), table(t, stores[0]).Path())
	if err != nil || len(v.Unnamed) > 0 {
		t.Errorf("left behind: %v, %v", v, err)
	}
	holds(t, table(t, stores[0]), "a", "b", "c")
}
