package export

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"textmill/export/disk"
	"textmill/internal/s3"
)

// gate holds one operation back: the one at which the countdown ends.
type gate struct {
	mu      sync.Mutex
	left    int           // operations to let pass; negative = none is held
	reached chan struct{} // closed when one is held
	open    chan struct{} // closed to let it go on
	held    string        // what it does
}

// arm has the operation after n others held.
func (g *gate) arm(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left, g.reached, g.open = n, make(chan struct{}), make(chan struct{})
}

// release lets what is held go on.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.open != nil {
		close(g.open)
		g.open = nil
	}
}

func (g *gate) around(op *disk.Op, do func() error) error {
	g.mu.Lock()
	g.left--
	hold, reached, open := g.left == -1 && g.open != nil, g.reached, g.open
	if hold {
		g.held = strings.TrimSpace(string(op.Kind) + " " + op.Name + " " + op.To)
	}
	g.mu.Unlock()
	if hold {
		close(reached)
		<-open
	}
	return do()
}

// looks are the calls that only look at what is known of a table. The one fetching goroutine of a model makes them.
var looks = map[string]func(context.Context, *Table) error{
	"Lookup": func(ctx context.Context, tab *Table) error {
		for shard, want := range map[string]Outcome{"first": Committed, "never": Absent} {
			if got, err := tab.Lookup(ctx, key(shard)); err != nil || got != want {
				return fmt.Errorf("%s is %v, %w", shard, got, err)
			}
		}
		return nil
	},
	"Accepts": func(ctx context.Context, tab *Table) error {
		return tab.Accepts(ctx, float8)
	},
	"Writable": func(ctx context.Context, tab *Table) error { return tab.Writable(ctx) },
	"Version": func(_ context.Context, tab *Table) error {
		if tab.Version() < 1 {
			return errors.New("no version is known")
		}
		return nil
	},
	"Keys": func(_ context.Context, tab *Table) error {
		if tab.Keys() < 1 {
			return errors.New("no key is known")
		}
		return nil
	},
	"Store.Table": func(_ context.Context, tab *Table) error {
		again, err := tab.store.Table("docs")
		if err == nil && again != tab {
			err = errors.New("it is another table")
		}
		return errors.Join(err, again.Close())
	},
}

// acts are what makes others wait for files, each for a delivery of its own.
var acts = map[string]func(ctx context.Context, tab, other *Table, shard string) error{
	"a commit": func(ctx context.Context, tab, _ *Table, shard string) error {
		return commitBound(ctx, tab, shard)
	},
	"a commit that loses a race": func(ctx context.Context, tab, other *Table, shard string) error {
		b, err := beginBound(ctx, tab, shard, shard+"'")
		if err == nil {
			err = commitBound(ctx, other, shard)
		}
		if err == nil {
			_, err = b.Commit(ctx)
		}
		return err
	},
	"a spool": func(ctx context.Context, tab, _ *Table, shard string) error {
		sp, err := tab.Spool(ctx, key(shard), EmbeddingFloat32)
		if err != nil {
			return err
		}
		rows := sample(shard, 10)
		b, err := tab.Begin(ctx, EmbeddingFloat32)
		if err == nil {
			err = errors.Join(sp.Append(rows[:5]), sp.finish(), sp.Append(rows[5:]), b.AddSpool(sp))
		}
		if err == nil {
			_, err = b.Commit(ctx)
		}
		return err
	},
	"a verdict": func(ctx context.Context, tab, _ *Table, shard string) error {
		_, err := tab.Judge(ctx, []Verdict{DeadVerdict(key(shard))})
		return err
	},
	"what another committed": func(ctx context.Context, tab, other *Table, shard string) error {
		return errors.Join(commitBound(ctx, other, shard), tab.Refresh(ctx), tab.SyncEntry(ctx, key(shard)))
	},
	"a tally": func(ctx context.Context, tab, other *Table, shard string) error {
		err := errors.Join(commitBound(ctx, other, shard), tab.Refresh(ctx))
		got, found, tallyErr := tab.Tally(ctx, key(shard), origin(shard))
		if tallyErr != nil || !found || got.Rows != 10 {
			err = errors.Join(err, fmt.Errorf("%+v, %v, %w", got, found, tallyErr))
		}
		return err
	},
	"a mark": func(ctx context.Context, tab, _ *Table, shard string) error { return mark(ctx, tab, key(shard)) },
	"a checkpoint": func(ctx context.Context, tab, other *Table, shard string) error {
		_, err := tab.Checkpoint(ctx)
		return errors.Join(commitBound(ctx, other, shard), err)
	},
	"a sweep": func(ctx context.Context, tab, _ *Table, _ string) error {
		_, err := tab.store.Sweep(ctx)
		return err
	},
}

func beginBound(ctx context.Context, tab *Table, shards ...string) (*Batch, error) {
	b, err := tab.Begin(ctx, EmbeddingFloat32)
	if err == nil {
		err = b.Bind(ctx, float8)
	}
	for _, shard := range shards {
		if err == nil {
			err = b.Add(key(shard), sample(shard, 10))
		}
	}
	return b, err
}

func commitBound(ctx context.Context, tab *Table, shards ...string) error {
	b, err := beginBound(ctx, tab, shards...)
	if err == nil {
		_, err = b.Commit(ctx)
	}
	return err
}

// mark takes a mark through its life.
func mark(ctx context.Context, tab *Table, k Key) error {
	err := tab.SaveIsolation(ctx, k, EmbeddingFloat32, &Isolation{Ranges: []int{0, 1}, Running: -1})
	_, _, isolationErr := tab.Isolation(ctx, k, EmbeddingFloat32)
	return errors.Join(err, isolationErr, tab.EndIsolation(ctx, k, EmbeddingFloat32))
}

// What is known of a table is told at once, whichever file operation somebody waits for.
func TestReadersWaitForNoFileOperation(t *testing.T) {
	for name, act := range acts {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			g := &gate{left: -1}
			tab := table(t, openStore(t, dir, func(o *Options) { o.Intercept, o.CheckpointEvery = g.around, -1 }))
			other := table(t, openStore(t, dir))
			t.Cleanup(g.release)
			must(t, commitBound(t.Context(), tab, "first"))
			held := true
			n := 0
			for ; held; n++ {
				g.arm(n)
				done := make(chan error, 1)
				go func() { done <- act(t.Context(), tab, other, fmt.Sprint("s", n)) }()
				select {
				case <-g.reached:
					looksWhile(t, tab, g.held)
					g.release()
					must(t, <-done)
				case err := <-done:
					must(t, err)
					held = false
				}
			}
			if n < 5 {
				t.Errorf("%d operations are too few to tell anything", n-1)
			}
			sound(t, tab)
		})
	}
}

// looksWhile makes all calls that only look at what is known, while another one waits.
func looksWhile(t *testing.T, tab *Table, held string) {
	t.Helper()
	for what, look := range looks {
		what += ", while another waits for " + held
		if err := atOnce(t, what, func(ctx context.Context) error { return look(ctx, tab) }); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A part on its way to a slow bucket keeps nobody from what is known of the table, nor from what has nothing to do with
// that part; neither when it is sent for the first time, nor when another's rows were taken out of it.
func TestUploadsHoldNobody(t *testing.T) {
	for nth := range 2 {
		t.Run(fmt.Sprint("part ", nth+1), func(t *testing.T) {
			server := s3.ForTest(t)
			tab := table(t, openStore(t, tablesURI, scratch(t)))
			put(t, tab, "first")
			slow := begin(t, tab)
			must(t, slow.Bind(t.Context(), float8))
			add(t, slow, "slow", "second")
			other := table(t, openStore(t, tablesURI, scratch(t)))
			put(t, other, "second")
			waits, left := make(chan struct{}), nth
			server.Break("", func(r *http.Request) s3.Action {
				if left < 0 || r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, ".parquet") {
					return s3.Pass
				}
				if left--; left >= 0 {
					return s3.Pass
				}
				close(waits)
				return s3.Stall
			})
			t.Cleanup(func() { server.Resume("") })
			done := make(chan error, 1)
			go func() {
				_, err := slow.Commit(t.Context())
				done <- err
			}()
			<-waits
			calls := maps.Clone(looks)
			maps.Copy(calls, beside)
			for what, call := range calls {
				if err := atOnce(t, what, func(ctx context.Context) error { return call(ctx, tab) }); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			server.Resume("")
			must(t, <-done)
			holds(t, tab, "first", "second", "slow", "beside")
		})
	}
}

// beside are calls that need the table's log or marks, but nothing of a part that others upload.
var beside = map[string]func(context.Context, *Table) error{
	"Refresh":   func(ctx context.Context, tab *Table) error { return tab.Refresh(ctx) },
	"SyncEntry": func(ctx context.Context, tab *Table) error { return tab.SyncEntry(ctx, key("second")) },
	"Tally": func(ctx context.Context, tab *Table) error {
		err := tab.Refresh(ctx)
		_, found, tallyErr := tab.Tally(ctx, key("second"), origin("second"))
		if !found {
			err = errors.Join(err, errors.New("not found"))
		}
		return errors.Join(err, tallyErr)
	},
	"a mark": func(ctx context.Context, tab *Table) error { return mark(ctx, tab, key("x")) },
	"Judge": func(ctx context.Context, tab *Table) error {
		_, err := tab.Judge(ctx, []Verdict{DeadVerdict(key("dead"))})
		return err
	},
	"Checkpoint": func(ctx context.Context, tab *Table) error {
		_, err := tab.Checkpoint(ctx)
		return err
	},
	"Sweep": func(ctx context.Context, tab *Table) error {
		_, err := tab.store.Sweep(ctx)
		return err
	},
	"another commit": func(ctx context.Context, tab *Table) error { return commitBound(ctx, tab, "beside") },
}
