package batches

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

// Create begins a batch, of which all is given that its creator says.
func (s *Batches) Create(ctx context.Context, b Batch, window time.Duration) (Batch, error) {
	if err := s.ensureFiles(ctx); err != nil {
		return b, err
	}
	now := time.Now()
	b.ID, b.Created, b.Expires, b.Driver = newID("batch_", now), now.UnixNano(), now.Add(window).Unix(), s.me
	b.enter(Validating)
	_, err := s.put(ctx, &b, 0)
	return b, err
}

// Batch is one by its id.
func (s *Batches) Batch(ctx context.Context, id string) (Batch, error) {
	b, _, err := s.batch(ctx, id)
	return s.counted(b), err
}

func (s *Batches) batch(ctx context.Context, id string) (Batch, uint64, error) {
	r, err := s.record(ctx, jobs.KindBatch, id)
	if err != nil {
		return Batch{}, 0, err
	}
	b, err := readBatch(r)
	return b, r.Revision, err
}

// List are all batches, the newest first.
func (s *Batches) List(ctx context.Context) (all []Batch, err error) {
	err = s.each(ctx, func(b *Batch) { all = append(all, s.counted(*b)) })
	slices.SortFunc(all, func(a, b Batch) int {
		return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(b.ID, a.ID))
	})
	return all, err
}

// counted is a batch with what is known of its requests while they are carried out. Events count rows: of requests
// with several it is told how many there would be if each were as far.
func (s *Batches) counted(b Batch) Batch {
	if b.Collected || b.Records == 0 {
		return b
	}
	job, known := s.o.Tracker.Job(b.ID)
	if !known || job.Rows == 0 {
		return b
	}
	requests := func(rows int64) int64 { return min(rows*b.Counts.Total/max(b.Records, job.Rows), b.Counts.Total) }
	b.Counts.Failed = requests(job.Errors)
	b.Counts.Completed = requests(job.Rows) - b.Counts.Failed
	return b
}

// Cancel asks for the end of a batch, and gives it as it is then. One that ends already, or was asked to, is given as
// it is; ErrOver says that it came to another end.
func (s *Batches) Cancel(ctx context.Context, id string) (Batch, error) {
	for {
		b, revision, err := s.batch(ctx, id)
		if err != nil {
			return b, err
		}
		switch {
		case b.Status == Cancelling || b.Status == Cancelled:
			return s.counted(b), nil
		case b.Status != Validating && b.Status != InProgress:
			return b, ErrOver
		case b.Published: // nobody works on it now
			b.Driver = s.me
		}
		b.End = Cancelled
		b.enter(Cancelling)
		b.Beat++
		_, err = s.put(ctx, &b, revision)
		if !errors.Is(err, queue.ErrChanged) {
			return s.counted(b), err
		}
	}
}

// held is a batch that this process works on, as it was last stored.
type held struct {
	s        *Batches
	mu       sync.Mutex
	batch    Batch
	revision uint64
}

// now is the batch as it was last stored.
func (h *held) now() Batch {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.batch
}

// change stores the batch as f makes it; queue.ErrChanged says that somebody else has changed it.
func (h *held) change(ctx context.Context, f func(*Batch)) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := h.batch
	f(&next)
	next.Driver, next.Beat = h.s.me, next.Beat+1
	revision, err := h.s.put(ctx, &next, h.revision)
	if err == nil {
		h.batch, h.revision = next, revision
	}
	return err
}
