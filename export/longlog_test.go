package export

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/export/disk"
	"textmill/ground/naming"
	"textmill/internal/foreign"
)

// operations counts what is done with files.
type operations struct {
	mu sync.Mutex
	n  map[disk.Kind]int
}

func (o *operations) around(op *disk.Op, do func() error) error {
	o.mu.Lock()
	o.n[op.Kind]++
	o.mu.Unlock()
	return do()
}

// during is what happens while something is done.
func (o *operations) during(do func()) map[disk.Kind]int {
	o.mu.Lock()
	o.n = map[disk.Kind]int{}
	o.mu.Unlock()
	do()
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.n)
}

const opensTheTable = `
import sys, time, deltalake
best = 1e9
for _ in range(3):
    begun = time.time()
    t = deltalake.DeltaTable(sys.argv[1])
    best = min(best, time.time() - begun)
print(t.version(), best)
`

// A commit and a look at the table cost the same however many commits there were before, and opening it reads no more
// entries. TEXTMILL_TEST_COMMITS=10000 makes so many and tells how long delta-rs takes to open the table.
func TestALongLogCostsNoMore(t *testing.T) {
	commits := 250
	if s := os.Getenv("TEXTMILL_TEST_COMMITS"); s != "" {
		var err error
		if commits, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	dir, o := t.TempDir(), &operations{n: map[disk.Kind]int{}}
	s := openStore(t, dir, func(opt *Options) { opt.Intercept = o.around })
	tab := table(t, s)
	type cost struct {
		refresh, commit, replace, open map[disk.Kind]int
		took, replaced                 time.Duration
		allocated                      uint64 // by a commit that replaces records
	}
	messages := int64(0)
	measure := func(name string) (c cost) {
		tab.work.Wait()
		if _, err := tab.Checkpoint(t.Context()); err != nil { // none is due in what follows
			t.Fatal(err)
		}
		c.refresh = o.during(func() {
			begun := time.Now()
			for range 50 {
				if err := tab.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			c.took = time.Since(begun) / 50
		})
		c.commit = o.during(func() { put(t, tab, "measured "+name) })
		replace := func() {
			messages++
			again(t, tab, naming.RepeatReplace, messages, "~"+name)
		}
		replace() // the first one reads which files there are
		c.replace = o.during(func() {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begun := time.Now()
			for range 3 {
				replace()
			}
			c.replaced = time.Since(begun) / 3
			runtime.ReadMemStats(&after)
			c.allocated = (after.TotalAlloc - before.TotalAlloc) / 3
		})
		fresh := openStore(t, dir, func(opt *Options) { opt.Intercept = o.around })
		c.open = o.during(func() {
			if got := outcome(t, table(t, fresh), key("0")); got != Committed {
				t.Errorf("the first shard is %v", got)
			}
		})
		return c
	}
	var first cost
	for n := range commits {
		if n == 100 {
			first = measure("early")
		}
		put(t, tab, fmt.Sprint(n))
	}
	last := measure("late")
	if !maps.Equal(first.refresh, last.refresh) || !maps.Equal(first.commit, last.commit) || !maps.Equal(first.open, last.open) {
		t.Errorf("at commit 100: %v\nat commit %d: %v", first, commits, last)
	}
	if !maps.Equal(first.replace, last.replace) || last.allocated > first.allocated+1<<20 {
		t.Errorf("a commit that replaces: %v, %d bytes at commit 100; %v, %d bytes at commit %d", first.replace,
			first.allocated, last.replace, last.allocated, commits)
	}
	if last.commit[disk.OpReadDir] > 0 || last.refresh[disk.OpReadDir] > 0 || last.replace[disk.OpReadDir] > 0 {
		t.Errorf("each commit lists the log: %v", last)
	}
	t.Logf("a look: %s at commit 100, %s at commit %d", first.took, last.took, commits)
	t.Logf("a commit that replaces: %s and %d bytes at commit 100, %s and %d bytes at commit %d", first.replaced,
		first.allocated, last.replaced, last.allocated, commits)
	told := strings.Fields(foreign.Python(t, opensTheTable, tab.Path()))
	t.Logf("delta-rs opens version %s in %s s", told[0], told[1])
	if told[0] != fmt.Sprint(commits+10) {
		t.Errorf("delta-rs opens version %s, want %d", told[0], commits+10)
	}
}
