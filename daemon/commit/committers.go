// Package commit makes the rows of deliveries part of their datasets' tables, many deliveries with each commit.
package commit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"textmill/daemon/inflight"
	"textmill/daemon/lately"
	"textmill/daemon/metrics"
	"textmill/export"
	"textmill/ground/naming"
)

// ErrTooManyOpen is given when every dataset that may be open is in use.
var ErrTooManyOpen = errors.New("too many datasets are open at once; raise export.max_open")

// pause is how long new work is kept away after a failed commit, and how long a delivery waits for a dataset to be
// closed.
const pause = 5 * time.Second

// Options say how rows are committed.
type Options struct {
	Store     *export.Store
	MaxOpen   int           // datasets at a time
	Interval  time.Duration // how long deliveries are gathered for a commit
	PartBytes int64
	// Backlog is how many bytes of rows may wait for one dataset's commits before no more should be made, 0 for 32 MiB.
	Backlog int
	// OnRepeat says by dataset what becomes of records that its table holds, where messages do not say; else they are
	// appended.
	OnRepeat map[string]string
	EndsJob  func(job string, shards int) bool // whether so many shards are all that is left of the job
	// Announce tells the world of a table's commits up to a version, before the deliveries in it are told of.
	Announce func(ctx context.Context, dataset string, t *export.Table, version int64)
	// Committed, where it is set, is told of each commit.
	Committed func(lately.Commit)
	Metrics   *metrics.Metrics
	Log       *slog.Logger
}

// Committers has the committer of each dataset in use, a bounded number of them, and keeps new work away while commits
// fail.
type Committers struct {
	o       Options
	refused *refusals

	waiting atomic.Int32  // deliveries that wait for a committer: the others commit what they hold
	turn    chan struct{} // has a value while one of them is at the head: its patience alone runs out

	mu       sync.Mutex
	open     map[string]*Committer // by dataset
	freed    chan struct{}         // closed, and nil again, when some committer has no users any more
	full     time.Time             // until then nobody waits for a committer: somebody did, in vain
	draining bool
	finished bool
	failure  error     // of the newest commit, nil after a success
	retryAt  time.Time // when work is taken in again after failure
}

// New makes them; none is open.
func New(o Options) *Committers {
	return &Committers{o: o, refused: &refusals{log: o.Log, metrics: o.Metrics, why: map[string]string{}},
		turn: make(chan struct{}, 1), open: map[string]*Committer{}}
}

// Open returns the committer of a dataset, which works until ctx ends; every Open needs one Leave. Where as many
// datasets are open as may be, it waits for one that has committed what it holds, after whoever waits already.
func (c *Committers) Open(ctx context.Context, dataset string) (*Committer, error) {
	one, err := c.anyOpen(ctx, dataset)
	if err != nil {
		return nil, err
	}
	select {
	case <-one.told:
		return one, nil
	case <-ctx.Done():
		one.Leave()
		return nil, context.Cause(ctx)
	}
}

func (c *Committers) anyOpen(ctx context.Context, dataset string) (*Committer, error) {
	one, _, err := c.tryOpen(ctx, dataset, c.waiting.Load() == 0)
	if one != nil || err != nil {
		return one, err
	}
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	patience := time.NewTimer(pause)
	defer patience.Stop()
	for {
		one, freed, err := c.tryOpen(ctx, dataset, true)
		if one != nil || err != nil {
			return one, err
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-patience.C:
			c.mu.Lock()
			c.full = time.Now().Add(pause)
			c.mu.Unlock()
			return nil, ErrTooManyOpen
		}
	}
}

// tryOpen gives no committer and no error where one must be waited for, until freed is closed. It takes another's
// place only where the caller is the first to have that.
func (c *Committers) tryOpen(
	ctx context.Context, dataset string, first bool,
) (one *Committer, freed <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.finished {
		return nil, nil, inflight.ErrDraining
	}
	if one = c.open[dataset]; one == nil {
		if len(c.open) >= c.o.MaxOpen && !(first && c.retireIdle()) {
			if time.Now().Before(c.full) {
				return nil, nil, ErrTooManyOpen
			}
			if c.freed == nil {
				c.freed = make(chan struct{})
			}
			return nil, c.freed, nil
		}
		t, err := c.o.Store.Table(dataset)
		if err != nil {
			return nil, nil, fmt.Errorf("open table of dataset %s: %w", dataset, err)
		}
		one = newCommitter(c, dataset, t)
		if c.draining {
			close(one.drain)
		}
		c.open[dataset] = one
		go one.run(ctx)
	}
	one.users++
	one.inUse.Add(1)
	return one, nil, nil
}

func (c *Committers) leave(one *Committer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	one.inUse.Done()
	if one.users--; one.users == 0 && c.freed != nil {
		close(c.freed)
		c.freed = nil
	}
}

// retireIdle ends the committer of a dataset that no delivery uses, which then closes its table. It needs c.mu.
func (c *Committers) retireIdle() bool {
	for dataset, one := range c.open {
		if one.users == 0 {
			delete(c.open, dataset)
			one.end()
			return true
		}
	}
	return false
}

// CommitAtOnce ends the gathering of larger parts: from now on every delivery
// is committed as it completes.
func (c *Committers) CommitAtOnce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		return
	}
	c.draining = true
	for _, one := range c.open {
		close(one.drain)
	}
}

// Finish commits what is left, and returns when every committer has ended. What deliveries that were given up still
// have is dropped.
func (c *Committers) Finish() {
	c.mu.Lock()
	all := c.open
	c.open, c.finished = nil, true
	c.mu.Unlock()
	for _, one := range all {
		one.end()
	}
	for _, one := range all {
		<-one.finished
	}
}

// failed keeps new work away for a while: what cannot be committed need not be
// computed.
func (c *Committers) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure, c.retryAt = err, time.Now().Add(pause)
}

func (c *Committers) succeeded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure, c.retryAt = nil, time.Time{}
}

// Trouble is why commits fail now, or nil.
func (c *Committers) Trouble() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// Ready returns true when work may be taken in, false when ctx ends first.
func (c *Committers) Ready(ctx context.Context) bool {
	c.mu.Lock()
	pause := time.Until(c.retryAt)
	c.mu.Unlock()
	if pause <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// OnRepeat says what becomes of a delivery's records that its dataset holds already.
func (c *Committers) OnRepeat(d *inflight.Delivery) string {
	return cmp.Or(d.OnRepeat, c.o.OnRepeat[d.Dataset], naming.RepeatAppend)
}

// Note takes in what a try to write to a dataset's table came to: whether this version must not.
func (c *Committers) Note(dataset string, err error) { c.refused.note(dataset, err) }

// Refused says by dataset why this version must not write to its table.
func (c *Committers) Refused() map[string]string { return c.refused.reasons() }

// LookAgain forgets refusals that hold no longer, also of tables that no work comes for.
func (c *Committers) LookAgain(ctx context.Context) { c.refused.lookAgain(ctx, c.o.Store) }

// closeTable gives the table's descriptors back, for other datasets, when the last delivery has left.
func (c *Committer) closeTable(ctx context.Context) {
	c.inUse.Wait()
	if err := c.Table.Close(); err != nil {
		c.log.WarnContext(ctx, "close table", "dataset", c.dataset, "error", err)
	}
}

// committed tells whoever remembers it of a commit.
func (c *Committers) committed(dataset string, r export.Result, took time.Duration) {
	if c.o.Committed != nil {
		c.o.Committed(lately.Commit{At: time.Now(), Dataset: dataset, Version: r.Version, Rows: r.Rows, Errored: r.Errors,
			Took: took})
	}
}
