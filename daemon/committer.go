package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"textmill/crash"
	"textmill/daemon/follow"
	"textmill/daemon/metrics"
	"textmill/export"
)

// committer gathers complete deliveries of one dataset into parts and commits
// them. One goroutine owns the open batch.
type committer struct {
	table    *export.Table
	dataset  string
	settler  *settler
	events   *follow.Follower
	log      *slog.Logger
	metrics  *metrics.Metrics
	interval time.Duration
	partSize int64
	lanes    *committers

	pieces   chan piece
	gone     chan struct{} // closed: take what was sent, commit it and end
	drain    chan struct{} // closed: commit as soon as nothing is on its way
	finished chan struct{}

	// Owned by the goroutine.
	batch   *export.Batch
	members []*flight
	spools  map[*flight]*export.Spool // of big deliveries that still run
	refused map[*flight]error         // until their last piece
	since   time.Time                 // of the first delivery in the batch
	settles sync.WaitGroup
	turns   chan struct{} // bounds how many settle at a time
}

// send hands over a piece. One that comes when the committer has ended is dropped: its delivery was given up and comes again.
func (c *committer) send(p piece) {
	select {
	case c.pieces <- p:
	case <-c.gone:
	}
}

// run commits until gone is closed, then commits what it holds. The context
// ends waiting, not bookkeeping: after it is done, deliveries are handed back.
func (c *committer) run(ctx context.Context) {
	defer close(c.finished)
	defer c.closeTable(ctx)
	defer c.settles.Wait()
	tick := time.NewTicker(min(max(c.interval/10, 10*time.Millisecond), 200*time.Millisecond))
	defer tick.Stop()
	drain := c.drain
	for {
		select {
		case p := <-c.pieces:
			c.take(ctx, p)
		case <-c.gone:
			for len(c.pieces) > 0 {
				c.take(ctx, <-c.pieces)
			}
			c.commit(ctx)
			return
		case <-tick.C:
			if c.batch != nil && (time.Since(c.since) >= c.interval || c.endsJob() || c.lanes.waiting.Load() > 0) {
				c.commit(ctx)
			}
		case <-drain:
			c.interval, drain = 0, nil
		}
	}
}

// closeTable gives the table's descriptors back, for other datasets.
func (c *committer) closeTable(ctx context.Context) {
	if err := c.table.Close(); err != nil {
		c.log.WarnContext(ctx, "close table", "dataset", c.dataset, "error", err.Error())
	}
}

func (c *committer) take(ctx context.Context, p piece) {
	f := p.flight
	if p.err == nil && c.refused[f] == nil {
		p.err = c.write(ctx, p)
		if p.err != nil {
			c.refuse(ctx, f, p.err)
		}
	}
	if refusal := c.refused[f]; refusal != nil {
		p.err = refusal
	}
	if p.err != nil {
		c.dropSpool(f)
		if p.done {
			delete(c.refused, f)
			c.settleLater(ctx, f, finding{failed: p.err})
		}
		return
	}
	if c.batch != nil && (c.batch.Bytes() >= c.partSize || c.interval == 0) {
		c.commit(ctx)
	}
}

// write puts rows of a delivery where the next commit finds them: whole small
// ones into the shared part, pieces of big ones into parts of their own.
func (c *committer) write(ctx context.Context, p piece) error {
	f := p.flight
	spool := c.spools[f]
	if spool == nil && !p.done {
		var err error
		if spool, err = c.table.Spool(f.key, f.vectors.Kind()); err != nil {
			return err
		}
		c.spools[f] = spool
	}
	if spool != nil {
		if err := spool.Append(p.rows); err != nil || !p.done {
			return err
		}
	}
	if err := c.open(ctx, f.vectors); err != nil {
		return err
	}
	if err := c.join(f, spool, p.rows); err != nil {
		return err
	}
	delete(c.spools, f)
	c.members = append(c.members, f)
	return nil
}

// join makes a complete delivery part of the open batch.
func (c *committer) join(f *flight, spool *export.Spool, rows []export.Row) error {
	if spool != nil {
		return c.batch.AddSpool(spool)
	}
	return c.batch.Add(f.key, rows)
}

// endsJob reports whether the batch holds all that is left of some job: there
// is nothing to wait for.
func (c *committer) endsJob() bool {
	held := map[string]int{}
	for _, f := range c.members {
		held[f.job]++
	}
	for job, n := range held {
		if c.events.EndsJob(job, n) {
			return true
		}
	}
	return false
}

// open has a batch ready for rows with these vectors.
func (c *committer) open(ctx context.Context, v export.Vectors) error {
	if c.batch != nil && !c.batch.Takes(v) {
		c.commit(ctx)
	}
	if c.batch == nil {
		b, err := c.table.Begin(v.Kind())
		if err != nil {
			return err
		}
		c.batch, c.since = b, time.Now()
	}
	err := c.batch.Bind(ctx, v)
	if err != nil && len(c.members) == 0 {
		c.batch.Abort()
		c.batch = nil
	}
	return err
}

// commit makes the gathered deliveries part of the table.
func (c *committer) commit(ctx context.Context) {
	if c.batch == nil {
		return
	}
	batch, members := c.batch, c.members
	c.batch, c.members = nil, nil
	c.publish(ctx, batch, members)
}

// publish commits a batch and settles its deliveries beside the rows that go
// on arriving.
func (c *committer) publish(ctx context.Context, batch *export.Batch, members []*flight) {
	begun := time.Now()
	crash.Point("before-commit")
	result, err := batch.Commit(ctx)
	crash.Point("after-commit")
	took := time.Since(begun)
	if err != nil {
		batch.Abort()
		if c.lanes.refused.note(c.dataset, err); !errors.Is(err, export.ErrRefused) && !errors.Is(err, export.ErrSchema) {
			c.lanes.failed(err)
		}
		c.metrics.CommitFailed(c.dataset, took)
		c.log.ErrorContext(ctx, "commit failed, its deliveries are handed back", "dataset", c.dataset, "deliveries", len(members), "error", err.Error())
		for _, f := range members {
			c.settleLater(ctx, f, finding{uncommitted: err})
		}
		return
	}
	c.lanes.succeeded()
	c.metrics.Committed(c.dataset, result, took)
	c.log.InfoContext(ctx, "committed", "dataset", c.dataset, "version", result.Version, "deliveries", len(members), "rows", result.Rows, "errors", result.Errors, "took", took)
	for _, f := range members {
		c.settleLater(ctx, f, finding{logged: result.Outcomes[f.key.AppID], version: result.Version})
	}
}

// refuse remembers that a delivery's rows cannot be written until its last
// piece has come. The shared part is of no more use after a failed write: its
// other deliveries come again.
func (c *committer) refuse(ctx context.Context, f *flight, err error) {
	f.halt(err)
	c.refused[f] = err
	c.lanes.refused.note(c.dataset, err)
	if errors.Is(err, export.ErrSchema) || errors.Is(err, export.ErrRefused) || errors.Is(err, export.ErrRow) {
		return
	}
	c.lanes.failed(err)
	if c.batch == nil {
		return
	}
	batch, members := c.batch, c.members
	c.batch, c.members = nil, nil
	batch.Abort()
	for _, other := range members {
		c.settleLater(ctx, other, finding{uncommitted: err})
	}
}

func (c *committer) dropSpool(f *flight) {
	if s := c.spools[f]; s != nil {
		s.Abort()
		delete(c.spools, f)
	}
}

// settleLater settles beside the committer's own work, a bounded number at a
// time.
func (c *committer) settleLater(ctx context.Context, f *flight, found finding) {
	c.settles.Go(func() {
		c.turns <- struct{}{}
		defer func() { <-c.turns }()
		c.settler.settle(ctx, f, f.decide(found))
		f.release()
	})
}
