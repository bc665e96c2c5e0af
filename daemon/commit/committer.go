package commit

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"textmill/crash"
	"textmill/daemon/inflight"
	"textmill/daemon/metrics"
	"textmill/export"
)

// settleAtOnce bounds the confirmations that one dataset waits for at a time.
const settleAtOnce = 64

// Committer gathers complete deliveries of one dataset into parts and commits them. One goroutine owns the open batch.
type Committer struct {
	// Table is where the rows go.
	Table *export.Table

	dataset   string
	interval  time.Duration // how long a batch gathers
	partBytes int64
	endsJob   func(job string, shards int) bool
	log       *slog.Logger
	metrics   *metrics.Metrics
	all       *Committers

	inbox    *inbox
	ended    chan struct{} // closed: commit what was taken, and end
	drain    chan struct{} // closed: commit as soon as nothing is on its way
	finished chan struct{}
	told     chan struct{} // closed: what was committed before is announced, or was tried to be
	settling chan struct{} // has a value for each delivery that settles

	users int            // under all.mu: deliveries that opened it and have not left
	inUse sync.WaitGroup // of them

	open batch // owned by the goroutine
}

// batch is what the next commit will hold, and what goes before it.
type batch struct {
	*export.Batch // nil while nothing is gathered
	members       []*Rows
	onRepeat      string                  // what becomes of records that the table holds
	since         time.Time               // of its first delivery
	spools        map[*Rows]*export.Spool // of big deliveries that still run
	refused       map[*Rows]error         // until their last piece
}

func newCommitter(all *Committers, dataset string, t *export.Table) *Committer {
	o := all.o
	return &Committer{
		Table: t, dataset: dataset, interval: o.Interval, partBytes: o.PartBytes, endsJob: o.EndsJob,
		log: o.Log, metrics: o.Metrics, all: all,
		inbox: newInbox(cmp.Or(o.Backlog, 2*spoolBytes)), ended: make(chan struct{}), drain: make(chan struct{}),
		finished: make(chan struct{}), told: make(chan struct{}),
		settling: make(chan struct{}, settleAtOnce),
		open:     batch{spools: map[*Rows]*export.Spool{}, refused: map[*Rows]error{}},
	}
}

// take accepts a piece. Rows that come when the committer has ended are dropped: their delivery was given up and comes
// again.
func (c *Committer) take(p piece) {
	if !c.inbox.put(p) && p.done {
		p.of.result <- Result{Failed: inflight.ErrDraining}
	}
}

// Behind is nil while the committer keeps up. Else no more rows should be made for it until the channel is closed.
func (c *Committer) Behind() <-chan struct{} { return c.inbox.behind() }

// Leave says that a delivery no longer needs the committer.
func (c *Committer) Leave() { c.all.leave(c) }

// Settle calls settle when few other deliveries of the dataset do.
func (c *Committer) Settle(settle func()) {
	c.settling <- struct{}{}
	defer func() { <-c.settling }()
	settle()
}

// end has the committer take nothing more.
func (c *Committer) end() {
	c.inbox.end()
	close(c.ended)
}

// run commits until the committer is ended, then commits what it holds. The context ends waiting, not bookkeeping:
// after it is done, deliveries are handed back.
func (c *Committer) run(ctx context.Context) {
	defer close(c.finished)
	defer c.closeTable(ctx)
	c.catchUp(ctx)
	tick := time.NewTicker(min(max(c.interval/10, 10*time.Millisecond), 200*time.Millisecond))
	defer tick.Stop()
	drain := c.drain
	for {
		select {
		case <-c.inbox.arrived:
			c.writeNext(ctx)
		case <-c.ended:
			for c.writeNext(ctx) {
			}
			c.commit(ctx)
			return
		case <-tick.C:
			if c.open.Batch != nil && c.due() {
				c.commit(ctx)
			}
		case <-drain:
			c.interval, drain = 0, nil
		}
	}
}

// due reports whether nothing is gained by waiting for more deliveries.
func (c *Committer) due() bool {
	return time.Since(c.open.since) >= c.interval || c.endsSomeJob() || c.all.waiting.Load() > 0
}

// writeNext writes the oldest piece that waits; false when there is none.
func (c *Committer) writeNext(ctx context.Context) bool {
	p, ok := c.inbox.next()
	if !ok {
		return false
	}
	defer c.inbox.written(p)
	r := p.of
	if p.err == nil && c.open.refused[r] == nil {
		if err := c.write(ctx, p); err != nil {
			c.refuse(r, err)
		}
	}
	if refusal := c.open.refused[r]; refusal != nil {
		p.err = refusal
	}
	if p.err != nil {
		c.dropSpool(r)
		if p.done {
			delete(c.open.refused, r)
			r.result <- Result{Failed: p.err}
		}
		return true
	}
	if c.open.Batch != nil && (c.open.Bytes() >= c.partBytes || c.open.Full() || c.interval == 0) {
		c.commit(ctx)
	}
	return true
}

// write puts rows of a delivery where the next commit finds them: whole small ones into the shared part, pieces of big
// ones into parts of their own.
func (c *Committer) write(ctx context.Context, p piece) error {
	r := p.of
	spool := c.open.spools[r]
	if spool == nil && !p.done {
		var err error
		if spool, err = c.Table.Spool(ctx, r.delivery.Key, r.vectors.Kind()); err != nil {
			return err
		}
		c.open.spools[r] = spool
	}
	if spool != nil {
		if err := spool.Append(p.rows); err != nil || !p.done {
			return err
		}
	}
	if err := c.begin(ctx, r); err != nil {
		return err
	}
	if err := c.join(r, spool, p.rows); err != nil {
		return err
	}
	delete(c.open.spools, r)
	c.open.members = append(c.open.members, r)
	return nil
}

// join makes a complete delivery part of the open batch.
func (c *Committer) join(r *Rows, spool *export.Spool, rows []export.Row) error {
	if spool != nil {
		return c.open.AddSpool(spool)
	}
	return c.open.Add(r.delivery.Key, rows)
}

// endsSomeJob reports whether the batch holds all that is left of some job: there is nothing to wait for.
func (c *Committer) endsSomeJob() bool {
	held := map[string]int{}
	for _, r := range c.open.members {
		held[r.delivery.Job]++
	}
	for job, n := range held {
		if c.endsJob(job, n) {
			return true
		}
	}
	return false
}

// begin has a batch ready for a delivery's rows.
func (c *Committer) begin(ctx context.Context, r *Rows) error {
	v, onRepeat := r.vectors, c.all.OnRepeat(r.delivery)
	if c.open.Batch != nil && (!c.open.Takes(v) || c.open.onRepeat != onRepeat) {
		c.commit(ctx)
	}
	if c.open.Batch == nil {
		b, err := c.Table.Begin(ctx, v.Kind())
		if err != nil {
			return err
		}
		b.OnRepeat(onRepeat)
		c.open.Batch, c.open.onRepeat, c.open.since = b, onRepeat, time.Now()
	}
	err := c.open.Bind(ctx, v)
	if err != nil && len(c.open.members) == 0 {
		c.open.Abort()
		c.open.Batch = nil
	}
	return err
}

// commit makes the gathered deliveries part of the table, and tells them.
func (c *Committer) commit(ctx context.Context) {
	if c.open.Batch == nil {
		return
	}
	batch, members := c.gathered()
	begun, waited := time.Now(), time.Since(c.open.since)
	crash.Point("before-commit")
	result, err := batch.Commit(ctx)
	crash.Point("after-commit")
	took := time.Since(begun)
	if err != nil {
		batch.Abort()
		c.all.refused.note(c.dataset, err)
		if !errors.Is(err, export.ErrRefused) && !errors.Is(err, export.ErrSchema) {
			c.all.failed(err)
		}
		c.metrics.CommitFailed(c.dataset, took)
		c.log.ErrorContext(ctx, "commit failed, its deliveries are handed back",
			"dataset", c.dataset, "deliveries", len(members), "error", err)
		for _, r := range members {
			r.result <- Result{Uncommitted: err}
		}
		return
	}
	c.all.succeeded()
	c.metrics.Committed(c.dataset, result, waited, took)
	c.log.InfoContext(ctx, "committed", "dataset", c.dataset, "version", result.Version,
		"deliveries", len(members), "rows", result.Rows, "errors", result.Errors, "took", took)
	c.all.committed(c.dataset, result, took)
	if c.all.o.Announce != nil {
		c.all.o.Announce(ctx, c.dataset, c.Table, result.Version)
	}
	for _, r := range members {
		r.result <- resultOf(r.delivery.Key.AppID, result, begun, took)
	}
}

// gathered is the open batch with its deliveries; none is open then.
func (c *Committer) gathered() (*export.Batch, []*Rows) {
	b, members := c.open.Batch, c.open.members
	c.open.Batch, c.open.members = nil, nil
	return b, members
}

// refuse remembers that a delivery's rows cannot be written until its last piece has come. The shared part is of no
// more use after a failed write: its other deliveries come again.
func (c *Committer) refuse(r *Rows, err error) {
	r.delivery.Halt(err)
	c.open.refused[r] = err
	c.all.refused.note(c.dataset, err)
	if errors.Is(err, export.ErrSchema) || errors.Is(err, export.ErrRefused) || errors.Is(err, export.ErrRow) {
		return
	}
	c.all.failed(err)
	if c.open.Batch == nil {
		return
	}
	batch, members := c.gathered()
	batch.Abort()
	for _, other := range members {
		other.result <- Result{Uncommitted: err}
	}
}

func (c *Committer) dropSpool(r *Rows) {
	if s := c.open.spools[r]; s != nil {
		s.Abort()
		delete(c.open.spools, r)
	}
}
