package export

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	"textmill/export/disk"
)

// faults makes one operation fail: the one at which the countdown ends.
type faults struct {
	mu    sync.Mutex
	kind  disk.Kind
	name  string // a part of the file's name; "" = any
	after int    // operations of the kind to let pass; negative = no fault
	err   error
	late  bool // the operation is done, and fails all the same
	hit   bool
}

func (f *faults) around(op *disk.Op, do func() error) error {
	f.mu.Lock()
	fire := f.after >= 0 && op.Kind == f.kind && strings.Contains(op.Name+op.To, f.name)
	if fire {
		f.after--
		fire = f.after < 0
	}
	if fire {
		f.hit = true
	}
	f.mu.Unlock()
	switch {
	case !fire:
		return do()
	case f.late:
		return errors.Join(do(), f.err)
	case op.Kind == disk.OpWrite:
		op.Data = op.Data[:len(op.Data)/2]
		return errors.Join(do(), f.err)
	}
	return f.err
}

func (f *faults) arm(kind disk.Kind, name string, after int, late bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kind, f.name, f.after, f.late, f.err, f.hit = kind, name, after, late, err, false
}

// Whatever operation of a commit fails, and however: afterwards the table is sound, and after a redelivery each record
// is in it once.
func TestEachFileOperationMayFail(t *testing.T) {
	kinds := []disk.Kind{disk.OpCreate, disk.OpWrite, disk.OpSync, disk.OpClose, disk.OpLink, disk.OpRename,
		disk.OpUnlink,
		disk.OpSyncDir, disk.OpSyncAll, disk.OpReadDir, disk.OpStat, disk.OpOpen}
	for _, kind := range kinds {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s late=%v", kind, late), func(t *testing.T) {
				f := &faults{after: -1}
				tab := table(t, openStore(t, t.TempDir(), func(o *Options) { o.Intercept, o.CheckpointEvery = f.around, -1 }))
				put(t, tab, "first")
				done := []string{"first"}
				for n := 0; ; n++ {
					shard := fmt.Sprintf("s%d", n)
					fault := [...]error{syscall.EIO, syscall.ENOSPC}[n%2]
					f.arm(kind, "", n, late, fault)
					err := tryPut(t, tab, shard)
					hit := f.hit
					f.arm(kind, "", -1, false, nil)
					if err != nil {
						if class := [...]error{ErrStorage, ErrNoSpace}[n%2]; !errors.Is(err, class) && !errors.Is(err, ErrUnknown) &&
							!errors.Is(err, ErrGone) {
							t.Errorf("operation %d: %v", n, err)
						}
						if err := tryPut(t, tab, shard); err != nil { // the redelivery
							t.Fatalf("operation %d, again: %v", n, err)
						}
					}
					done = append(done, shard)
					if !hit {
						break
					}
				}
				holds(t, tab, done...)
			})
		}
	}
}

// tryPut is what a daemon does with a delivery.
func tryPut(t *testing.T, tab *Table, shard string) error {
	if err := tab.Refresh(t.Context()); err != nil {
		return err
	}
	if o, err := tab.Lookup(t.Context(), key(shard)); err != nil || o == Committed {
		if err == nil {
			err = tab.SyncEntry(t.Context(), key(shard))
		}
		return err
	}
	b, err := tab.Begin(t.Context(), EmbeddingFloat32)
	if err != nil {
		return err
	}
	defer b.Abort()
	if err := b.Add(key(shard), sample(shard, 10)); err != nil {
		return err
	}
	_, err = b.Commit(t.Context())
	return err
}

// A part whose fsync failed is never tried again as if nothing had happened.
func TestFailedSyncIsFinal(t *testing.T) {
	f := &faults{after: -1}
	tab := table(t, openStore(t, t.TempDir(), func(o *Options) { o.Intercept = f.around }))
	b := begin(t, tab)
	add(t, b, "a")
	f.arm(disk.OpSync, ".tmp", 0, false, syscall.EIO)
	for range 2 {
		if _, err := b.Commit(t.Context()); !errors.Is(err, ErrStorage) {
			t.Errorf("commit: %v", err)
		}
	}
	if err := b.Add(key("b"), sample("b", 10)); !errors.Is(err, ErrStorage) {
		t.Errorf("add: %v", err)
	}
	b.Abort()
	put(t, tab, "a")
	holds(t, tab, "a")
}

// A commit that could not be written for want of space is good for another attempt.
func TestCommitAgainWhenThereIsSpace(t *testing.T) {
	f := &faults{after: -1}
	tab := table(t, openStore(t, t.TempDir(), func(o *Options) { o.Intercept = f.around }))
	b := begin(t, tab)
	add(t, b, "a")
	f.arm(disk.OpCreate, ".tmp", 0, false, syscall.ENOSPC) // the log entry: the part's file exists already
	if _, err := b.Commit(t.Context()); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("commit: %v", err)
	}
	commit(t, b)
	holds(t, tab, "a")
}

// roulette has operations fail at random until it is quiet.
type roulette struct {
	mu    sync.Mutex
	rng   *rand.Rand
	quiet bool
}

func (r *roulette) hush(quiet bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.quiet = quiet
}

func (r *roulette) around(_ *disk.Op, do func() error) error {
	r.mu.Lock()
	roll, errno := r.rng.IntN(60), [...]error{syscall.EIO, syscall.ENOSPC, syscall.EINTR}[r.rng.IntN(2)]
	quiet := r.quiet
	r.mu.Unlock()
	switch {
	case quiet || roll > 1:
		return do()
	case roll == 1:
		return errors.Join(do(), errno)
	}
	return errno
}

// putAll has a delivery come again until it is committed; after many tries nothing fails any more.
func (r *roulette) putAll(t *testing.T, tab *Table, shards int) {
	for i := range shards {
		for try := 0; tryPut(t, tab, fmt.Sprint(i)) != nil; try++ {
			if try == 30 {
				r.hush(true)
			}
			if try > 40 {
				t.Errorf("shard %d never came through", i)
				break
			}
		}
		r.hush(false)
	}
}

// Faults at random under two committers.
func TestRandomFaults(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const shards = 25
	var wg sync.WaitGroup
	dir := t.TempDir()
	for c := range 2 {
		r := &roulette{rng: rand.New(rand.NewPCG(seed, uint64(c))), quiet: true}
		store, err := OpenStore(Options{URI: dir, CheckpointEvery: 4, Intercept: r.around})
		if err != nil {
			t.Fatal(err)
		}
		r.hush(false)
		tab := table(t, store)
		wg.Go(func() {
			r.putAll(t, tab, shards)
			r.hush(true)
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var all []string
	for i := range shards {
		all = append(all, fmt.Sprint(i))
	}
	s := openStore(t, dir)
	holds(t, table(t, s), all...)
	if _, err := s.Sweep(t.Context()); err != nil {
		t.Error(err)
	}
	if v, err := Verify(t.Context(), table(t, s).Path()); err != nil || len(v.Unnamed) > 0 {
		t.Errorf("a sweep left %v: %v", v.Unnamed, err)
	}
}
