package daemon

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"sync"
	"time"

	"textmill/daemon/commit"
	"textmill/daemon/feed"
	"textmill/daemon/follow"
	"textmill/daemon/inflight"
	"textmill/export"
	"textmill/ground/naming"
	"textmill/input"
	"textmill/jobs"
	"textmill/jobs/queue"
	"textmill/open/telemetry"
	"textmill/work/rows"
)

// executor sees the deliveries of one model from their messages to their ends, each in a goroutine of its own.
type executor struct {
	loadedModel
	inFlight   *inflight.Set
	feed       *feed.Queue
	committers *commit.Committers
	events     *follow.Follower
	settler    *settler
	inputs     *input.Roots
	claims     *claims
	limits     jobs.Limits
	traces     *telemetry.Tracer
	// alone is held for reading by who feeds among others, for writing by who runs alone. All models have the same.
	alone *sync.RWMutex
	log   *slog.Logger
}

// message is a delivery as it was fetched.
type message struct {
	*inflight.Delivery
	shard   *jobs.Shard // nil where the message cannot be understood
	invalid error       // why
	bytes   int
	fetched time.Time
	leads   bool // no other delivery of its identity was under way when it came
}

func (m *message) line() feed.Line { return feed.Line{Job: m.Job, Dataset: m.Dataset} }

// execution is a delivery whose records go through the model.
type execution struct {
	*inflight.Delivery
	committer *commit.Committer
	work      rows.Work
	rows      *commit.Rows
}

// result is all that is known of a delivery in the end.
type result struct {
	finding
	counts  commit.Counts
	vectors export.Vectors
	letters []queue.DeadLetter // of records that were given up while their neighbours became rows
}

// patience is how long those who feed in turn wait for one delivery's table.
const patience = 250 * time.Millisecond

// execute sees a delivery from its turn at the model to its end.
func (e *executor) execute(ctx context.Context, m *message, turn *feed.Turn) {
	d := m.Delivery // which outlives the records
	committer, r := e.run(ctx, m, turn)
	e.report(ctx, d, committer, r)
}

// run makes the delivery's rows and returns what became of them. There is no committer where none is to be had.
func (e *executor) run(ctx context.Context, m *message, turn *feed.Turn) (*commit.Committer, result) {
	defer turn.Done()
	if !turn.Wait() {
		return nil, failed(inflight.ErrDraining)
	}
	m.Trace.Span("turn", m.fetched, time.Now())
	committer, err := e.open(ctx, m)
	if err != nil {
		return nil, failed(err)
	}
	slow := time.AfterFunc(patience, turn.HoldUp)
	defer slow.Stop()
	if r, over := e.admit(ctx, m, committer, true); over {
		return committer, r
	}
	redeemed, err := e.claims.redeem(ctx, m, turn)
	if err != nil {
		return committer, failed(err)
	}
	d, err := e.start(ctx, m, committer)
	if err != nil {
		redeemed()
		return committer, failed(err)
	}
	if slow.Stop(); m.shard.Input != nil && m.shard.Input.Remote() {
		turn.HoldUp() // a bucket answers when it likes
	}
	e.feedAmongOthers(ctx, d, m.shard, turn)
	redeemed()
	return committer, d.result()
}

// report settles a delivery, which is in flight no more then.
func (e *executor) report(ctx context.Context, d *inflight.Delivery, c *commit.Committer, r result) {
	defer e.inFlight.Leave(d)
	if c == nil {
		e.settler.settle(ctx, d, nil, r)
		return
	}
	defer c.Leave()
	c.Settle(func() { e.settler.settle(ctx, d, c.Table, r) })
}

// failed is the result of a delivery that has no rows.
func failed(err error) result { return result{finding: finding{failed: err}} }

// open gives a delivery that can be understood the committer of its dataset.
func (e *executor) open(ctx context.Context, m *message) (*commit.Committer, error) {
	if m.invalid != nil {
		return nil, m.invalid
	}
	return e.committers.Open(ctx, m.Dataset)
}

// admit lets a delivery run, unless it is over: what the table's log knows, as of now or of the look before, or what
// cannot be written, need not be computed.
func (e *executor) admit(ctx context.Context, m *message, c *commit.Committer, now bool) (r result, over bool) {
	var err error
	if now && m.Message.Delivered > 1 {
		err = c.Table.Refresh(ctx)
	}
	if err == nil {
		r, over, err = e.lookUp(ctx, m, c.Table)
	}
	if err == nil && !over {
		r, over, err = e.cancelled(ctx, m, c.Table)
	}
	if err == nil && !over {
		err = c.Table.Writable(ctx)
		e.committers.Note(m.Dataset, err)
	}
	if err != nil {
		return failed(err), true
	}
	if over {
		return r, true
	}
	if m.Shards > 0 {
		e.events.Tracker().Expect(m.Job, m.Shards)
	}
	m.Message.Data = nil // Payload reads it again, should it be needed
	return result{}, false
}

// lookUp reports whether a delivery was settled before it came, as the table's log was last seen.
func (e *executor) lookUp(ctx context.Context, m *message, t *export.Table) (r result, settled bool, err error) {
	logged, err := t.Lookup(ctx, m.Key)
	if err != nil || logged == export.Absent {
		return result{}, false, err
	}
	r = result{finding: finding{logged: logged, version: t.Version(), earlier: true}}
	if logged != export.Committed {
		return r, true, nil
	}
	// Another daemon may have put it there and not yet made it durable.
	if err := t.SyncEntry(ctx, m.Key); err != nil {
		return result{}, false, err
	}
	r.counts = e.recount(ctx, m, t)
	if quarantined(m.Message) {
		r.letters, err = e.lettersAgain(ctx, m, t)
	}
	return r, true, err
}

// recount finds out how many rows a delivery has in the table that was committed before it came, for the event that
// may not have been published then.
func (e *executor) recount(ctx context.Context, m *message, t *export.Table) commit.Counts {
	uncounted := commit.Counts{Rows: len(m.shard.Records), Uncounted: true}
	if m.Message.Delivered < 2 && m.shard.Claim == nil {
		return uncounted // a publisher's repeat, long announced
	}
	if e.committers.OnRepeat(m.Delivery) != naming.RepeatAppend {
		return uncounted // the rows of its records may be others'
	}
	n, known, err := t.Tally(ctx, m.Key, export.Origin{Job: m.Job, Shard: m.Shard, Task: m.Task, Model: m.Model})
	if err != nil {
		e.log.WarnContext(ctx, "rows of a settled delivery not counted", "job", m.Job, "shard", m.Shard, "error", err)
	}
	if !known {
		return uncounted
	}
	return commit.Counts{Rows: int(n.Rows), Errors: int(n.Errors),
		Truncated: int(n.Truncated), Dropped: int(n.Dropped)}
}

// cancelled carries out a cancel on a delivery whose table has not heard of it, as when its job shares a subject and
// its dataset was unknown. The verdict goes into the table's log first, as for any other.
func (e *executor) cancelled(ctx context.Context, m *message, t *export.Table) (result, bool, error) {
	at, cancelled := e.events.Cancelled(m.Job, m.Message.Timestamp)
	if !cancelled {
		return result{}, false, nil
	}
	judged, err := t.Judge(ctx, []export.Verdict{export.CancelVerdict(m.Job, at)})
	return result{finding: finding{logged: export.Cancelled, version: judged.Version}}, err == nil, err
}

// start makes a delivery ready for its records.
func (e *executor) start(ctx context.Context, m *message, c *commit.Committer) (*execution, error) {
	d := m.Delivery
	if err := d.Halted(); err != nil {
		return nil, err
	}
	created, sequence := d.Published()
	origin := rows.Origin{Job: d.Job, Shard: d.Shard, StreamSequence: sequence,
		StreamCreated: created, Unwanted: func() bool { return d.Halted() != nil }}
	if d.Trace.Told() {
		origin.Watch = func(s rows.Stage, begun time.Time, took time.Duration) { d.Trace.Part(s.String(), begun, took) }
	}
	work := e.engine.Work(m.shard, origin)
	if err := c.Table.Accepts(ctx, work.Vectors()); err != nil {
		return nil, err
	}
	return &execution{d, c, work, c.Gather(d, work.Vectors())}, nil
}

// feedAmongOthers sends a shard's records through the model, beside those of others. Where the committer of its
// dataset lags, it waits, and holds nobody else up meanwhile.
func (e *executor) feedAmongOthers(ctx context.Context, d *execution, shard *jobs.Shard, turn *feed.Turn) {
	e.alone.RLock()
	defer e.alone.RUnlock()
	var records sync.WaitGroup
	defer records.Wait()
	defer turn.Done()
	defer d.rows.Fed()
	for record, err := range e.records(ctx, shard) {
		if behind := d.committer.Behind(); behind != nil {
			turn.HoldUp()
			records.Wait()
			e.alone.RUnlock()
			d.await(ctx, behind)
			e.alone.RLock()
		}
		if !d.feed(ctx, record, err, &records) {
			return
		}
	}
}

// await returns when the committer has caught up, or nothing is gained by waiting.
func (d *execution) await(ctx context.Context, behind <-chan struct{}) {
	select {
	case <-behind:
	case <-d.Halting():
	case <-ctx.Done():
	}
}

// records yields what is to be run of a shard.
func (e *executor) records(ctx context.Context, shard *jobs.Shard) iter.Seq2[jobs.Record, error] {
	return e.inputs.Records(ctx, shard, input.Options{MaxRecordBytes: e.limits.RecordBytes, Read: e.metrics.Read})
}

// feed sends one record through the model, or an error that came in its place. It reports whether more are wanted.
func (d *execution) feed(ctx context.Context, record jobs.Record, err error, records *sync.WaitGroup) bool {
	if err == nil && d.Halted() == nil {
		arrive := d.rows.Expect()
		records.Add(1)
		err = d.work.Do(ctx, record, func(made []export.Row) {
			arrive(made)
			records.Done()
		})
		if err != nil {
			records.Done()
			err = errors.Join(inflight.ErrDraining, err)
		}
	}
	if err != nil {
		d.Halt(err)
	}
	return d.Halted() == nil
}

// result waits until the rows are committed or given up.
func (d *execution) result() result {
	rows, vectors := d.rows, d.work.Vectors() // all that is held meanwhile
	r, counts := rows.Result()
	d.Trace.Span("commit", r.Begun, r.Ended)
	found := finding{failed: r.Failed, uncommitted: r.Uncommitted, logged: r.Logged, version: r.Version}
	return result{finding: found, counts: counts, vectors: vectors}
}
