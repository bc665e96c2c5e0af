package batches

import (
	"context"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

// vigil looks after a job of which no event comes any more.
type vigil struct {
	done   int // shards
	since  time.Time
	looked time.Time
	gone   bool // no message was left then
}

const (
	quietFor = 5 * time.Second
	patience = 2 * time.Second
)

// comesToEnd says which end a batch comes to whose job is published, "" while the job is under way.
func (s *Batches) comesToEnd(ctx context.Context, b *Batch, v *vigil) Status {
	job, known := s.o.Tracker.Job(b.ID)
	switch {
	case known && job.State == queue.StateCancelled: // by textmill cancel
		return Cancelled
	case known && !s.sees(ctx, b, job.Table):
		return ""
	case known && b.Shards > 0 && job.ShardsDone >= b.Shards:
		return Completed
	case b.expired():
		return Expired
	case v.inVain(ctx, s, b, job.ShardsDone):
		return Completed
	}
	return ""
}

// left is how many messages of a batch's job the queue has; more than none where that cannot be told.
func (s *Batches) left(ctx context.Context, b *Batch) uint64 {
	left, _, err := s.o.Queue.Waiting(ctx, jobs.Subject{Task: b.Task, Model: b.Model, Job: b.ID}.String())
	if err != nil {
		return 1
	}
	return left
}

// inVain says that nothing of a job is left in the queue and that no verdict came for a while. The verdict on a
// message is told before it leaves the queue, so it will not come.
func (v *vigil) inVain(ctx context.Context, s *Batches, b *Batch, done int) bool {
	now := time.Now()
	if v.since.IsZero() || done != v.done {
		*v = vigil{done: done, since: now}
	}
	if now.Sub(v.since) < quietFor || now.Sub(v.looked) < patience {
		return false
	}
	v.looked = now
	before := v.gone
	v.gone = s.left(ctx, b) == 0
	return before && v.gone
}

// sees says whether this process can read the table that a job's rows are in; one of another machine it cannot.
func (s *Batches) sees(ctx context.Context, b *Batch, table string) bool {
	if table == "" || table == s.o.Table(b.Dataset) {
		return true
	}
	s.o.Log.DebugContext(ctx, "the rows of a batch are in a table that is not this daemon's", "batch", b.ID,
		"dataset", b.Dataset, "uri", table)
	return false
}
