package export

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"textmill/export/disk"
	"textmill/export/internal/powercut"
)

// history is what was promised while operations were recorded.
type history struct {
	rec    *powercut.Recorder
	shards []string
	acked  map[string]int // after how many operations a shard was acked
}

func (h *history) ack(shard string) {
	if _, twice := h.acked[shard]; !twice {
		h.acked[shard] = h.rec.Operations()
	}
}

// tablesAt is where the tables lie below the directory that is there from the start.
const tablesAt = "data/tables"

func newHistory(t *testing.T, shards ...string) *history {
	return &history{rec: powercut.New(t.TempDir()), shards: shards, acked: map[string]int{}}
}

// open is a daemon's store over the recorded directory.
func (h *history) open(root string, around disk.Intercept) (*Store, error) {
	return OpenStore(Options{URI: filepath.Join(root, tablesAt), Version: "test", Intercept: around, CheckpointEvery: -1})
}

// unsynced spares what comes after the power cut the time that a real disk takes.
func unsynced(op *disk.Op, do func() error) error {
	switch op.Kind {
	case disk.OpSync, disk.OpSyncDir, disk.OpSyncAll:
		return nil
	}
	return do()
}

// broken lists what is wrong after a power cut at some operation, and after the daemon that then starts has done all
// there is to do. With a random source only the first is looked at.
func (h *history) broken(t *testing.T, n int, random *rand.Rand) (wrong []string) {
	t.Helper()
	dir := t.TempDir()
	defer os.RemoveAll(dir)
	if err := h.rec.Restore(dir, n, random); err != nil {
		t.Fatal(err)
	}
	s, err := h.open(dir, unsynced)
	if err != nil {
		return []string{err.Error()}
	}
	defer func() {
		if err := s.Close(); err != nil {
			wrong = append(wrong, err.Error())
		}
	}()
	if _, err := s.Sweep(t.Context()); err != nil {
		wrong = append(wrong, "sweep: "+err.Error())
	}
	tab := table(t, s)
	for _, shard := range h.shards {
		o, err := tab.Lookup(t.Context(), key(shard))
		if err != nil {
			return append(wrong, "look up "+shard+": "+err.Error())
		}
		if at, acked := h.acked[shard]; acked && at <= n && o != Committed {
			wrong = append(wrong, fmt.Sprintf("%s was acked and is %v", shard, o))
		}
	}
	if random != nil {
		if tab.Version() < 0 {
			return wrong
		}
		v, err := Verify(t.Context(), tab.Path())
		if err != nil {
			return append(wrong, err.Error())
		}
		return append(wrong, v.Problems...)
	}
	for _, shard := range h.shards {
		if err := tryPut(t, tab, shard); err != nil {
			wrong = append(wrong, "put "+shard+": "+err.Error())
		}
	}
	return append(wrong, h.unsound(t, tab)...)
}

// unsound compares the table with all shards, each once.
func (h *history) unsound(t *testing.T, tab *Table) (wrong []string) {
	t.Helper()
	v, err := Verify(t.Context(), tab.Path())
	if err != nil {
		return []string{err.Error()}
	}
	wrong = append(v.Problems, v.Unnamed...)
	rows := map[string]int{}
	err = Scan(t.Context(), tab.Path(), func(all []Row) error {
		for i := range all {
			rows[all[i].Shard]++
		}
		return nil
	})
	if err != nil {
		return append(wrong, err.Error())
	}
	for _, shard := range h.shards {
		if rows[shard] != 10 {
			wrong = append(wrong, fmt.Sprintf("%s has %d rows, want 10", shard, rows[shard]))
		}
	}
	return wrong
}

// everywhere cuts the power at each operation, and says what was broken by the first that broke anything.
func (h *history) everywhere(t *testing.T) (wrong []string) {
	t.Helper()
	random := rand.New(rand.NewPCG(6, 28))
	for n := range h.rec.Operations() + 1 {
		for _, r := range []*rand.Rand{nil, random} {
			for _, w := range h.broken(t, n, r) {
				after := "nothing"
				if n > 0 {
					after = h.rec.Describe(n - 1)
				}
				wrong = append(wrong, fmt.Sprintf("power cut after operation %d (%s): %s", n, after, w))
			}
		}
		if wrong != nil {
			return wrong
		}
	}
	return wrong
}

// work is a table's life: small deliveries that share a part, a big one in parts of its own, a verdict, a checkpoint,
// and another daemon that commits first.
func (h *history) work(t *testing.T, around disk.Intercept) {
	t.Helper()
	root := h.rec.Root()
	s, err := h.open(root, around)
	if err != nil {
		t.Fatal(err)
	}
	tab := table(t, s)
	put(t, tab, "a", "b")
	h.ack("a")
	h.ack("b")
	sp, err := tab.Spool(t.Context(), key("big"), EmbeddingFloat32)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sp.Append(sample("big", 10)[:5]), sp.finish(), sp.Append(sample("big", 10)[5:])); err != nil {
		t.Fatal(err)
	}
	b := begin(t, tab)
	add(t, b, "c", "d")
	if err := b.AddSpool(sp); err != nil {
		t.Fatal(err)
	}
	other, err := h.open(root, around)
	if err != nil {
		t.Fatal(err)
	}
	put(t, table(t, other), "d")
	h.ack("d")
	commit(t, b)
	h.ack("c")
	h.ack("big")
	if _, err := tab.Judge(t.Context(), []Verdict{DeadVerdict(key("dead")),
		CancelVerdict("ended", time.Time{})}); err != nil {
		t.Fatal(err)
	}
	if _, err := tab.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	put(t, table(t, other), "e")
	h.ack("e")
	put(t, tab, "f")
	h.ack("f")
	if err := errors.Join(s.Close(), other.Close()); err != nil {
		t.Fatal(err)
	}
}

// Wherever the power is cut: the table can be read, each acked delivery is in it, and in the end each is in it once.
func TestPowerCutAtEachOperation(t *testing.T) {
	h := newHistory(t, "a", "b", "c", "d", "big", "e", "f")
	h.work(t, h.rec.Around)
	if n := h.rec.Operations(); n < 80 {
		t.Fatalf("%d operations are too few to tell anything", n)
	}
	for _, w := range h.everywhere(t) {
		t.Error(w)
	}
}

// A daemon is killed at each operation, another takes over its deliveries and acks them, and then the power is cut:
// what the first wrote and never synced was not the other's to rely on.
func TestPowerCutAfterAnotherTookOver(t *testing.T) {
	for _, w := range takeOvers(t, func(i disk.Intercept) disk.Intercept { return i }) {
		t.Error(w)
	}
}

// takeOvers tries each operation, with change standing around both daemons' operations.
func takeOvers(t *testing.T, change func(disk.Intercept) disk.Intercept) (wrong []string) {
	t.Helper()
	for last := 1; ; last++ {
		h := newHistory(t, "a", "b")
		left := last
		dying := func(op *disk.Op, do func() error) error {
			if left--; left < 0 {
				return syscall.EIO // it is dead: nothing of it reaches the disk any more
			}
			return do()
		}
		around := change(h.rec.Around)
		if s, err := h.open(h.rec.Root(), func(op *disk.Op, do func() error) error {
			return dying(op, func() error { return around(op, do) })
		}); err == nil {
			tab := table(t, s)
			for _, shard := range h.shards {
				if tryPut(t, tab, shard) != nil {
					break
				}
				h.ack(shard)
			}
			_ = s.Close() // the dead one's lock
		}
		s, err := h.open(h.rec.Root(), around)
		if err != nil {
			t.Fatal(err)
		}
		tab := table(t, s)
		for _, shard := range h.shards {
			if err := tryPut(t, tab, shard); err != nil {
				t.Fatalf("operation %d: %v", last, err)
			}
			h.ack(shard)
			for _, w := range h.broken(t, h.rec.Operations(), nil) {
				wrong = append(wrong, fmt.Sprintf("killed before operation %d, power cut after the other acked %s: %s", last,
					shard, w))
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if left >= 0 || wrong != nil {
			return wrong
		}
	}
}
