package batches

import (
	"context"
	"errors"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

const (
	lookEvery  = time.Second
	retryAfter = 5 * time.Second
	atOnce     = 2 // steps that this process does at a time
)

// seen is a batch that is not over, as this process last saw it.
type seen struct {
	batch    Batch
	revision uint64
	at       time.Time // when it saw it, by its own clock
	retry    time.Time // not before
	busy     bool
	vigil    *vigil // of Run's goroutine
}

// Run carries batches out until ctx ends. What is not done then another daemon does, or the next one on this queue.
func (s *Batches) Run(ctx context.Context) {
	s.working.Go(func() { s.follow(ctx) })
	s.working.Go(func() { s.sweepNowAndThen(ctx) })
	slots := make(chan struct{}, atOnce)
	tick := time.NewTicker(min(lookEvery, s.o.Takeover/3))
	defer tick.Stop()
	for ctx.Err() == nil {
		progress := s.o.Tracker.Changed()
		s.begin(ctx, slots)
		select {
		case <-ctx.Done():
		case <-s.changed:
		case <-progress:
		case <-tick.C:
		}
	}
	s.working.Wait()
}

// follow keeps known in step with what is stored.
func (s *Batches) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.o.Queue.EnsureBatches(ctx)
		if err == nil {
			err = s.o.Queue.FollowRecords(ctx, jobs.KindBatch, func(r queue.Record) error { s.see(ctx, r); return nil })
		}
		if ctx.Err() != nil {
			return
		}
		s.o.Log.WarnContext(ctx, "batches cannot be followed, trying again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryAfter):
		}
	}
}

func (s *Batches) see(ctx context.Context, r queue.Record) {
	b, err := readBatch(r)
	if err != nil {
		s.o.Log.WarnContext(ctx, "a record of a batch cannot be read", "error", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.known[b.ID]
	if one == nil {
		one = &seen{vigil: &vigil{}}
		s.known[b.ID] = one
	}
	one.batch, one.revision, one.at = b, r.Revision, time.Now()
	s.tell()
}

func (s *Batches) tell() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// begin starts work on batches that are due, as long as there are slots.
func (s *Batches) begin(ctx context.Context, slots chan struct{}) {
	for id, one := range s.idle() {
		due, end := s.due(ctx, &one)
		if !due {
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			return // a later look has them in another order
		}
		s.mu.Lock()
		s.known[id].busy = true
		s.mu.Unlock()
		s.working.Go(func() {
			defer func() { <-slots; s.tell() }()
			s.rest(id, s.drive(ctx, id, one.revision, end))
		})
	}
}

// idle are the batches that nobody here works on, and that may be tried now.
func (s *Batches) idle() map[string]seen {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]seen, len(s.known))
	for id, one := range s.known {
		switch {
		case one.busy:
		case one.batch.Status.Over():
			delete(s.known, id)
		case time.Now().After(one.retry):
			all[id] = *one
		}
	}
	return all
}

// rest ends the work on a batch for now.
func (s *Batches) rest(id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.known[id]
	one.busy = false
	if err != nil {
		one.retry = time.Now().Add(retryAfter)
	}
}

// due says whether this process has something to do for a batch, and which end its job has come to.
func (s *Batches) due(ctx context.Context, one *seen) (due bool, end Status) {
	b := &one.batch
	switch {
	case b.Status == InProgress && b.Published:
		end = s.comesToEnd(ctx, b, one.vigil)
		return end != "", end
	case b.Driver == s.me:
		return true, ""
	}
	return time.Since(one.at) >= s.o.Takeover, ""
}

// errTaken ends a step whose batch somebody else has changed.
var errTaken = errors.New("the batch was changed by another")

// drive does what is next for a batch, step by step, as long as it is this process's to do. While the batch has a
// revision it may be taken over, and its job has come to an end, if there is one.
func (s *Batches) drive(ctx context.Context, id string, revision uint64, end Status) error {
	published := false // something of its job, perhaps after another has ended it
	for {
		b, now, err := s.batch(ctx, id)
		if errors.Is(err, ErrNotFound) || err == nil && (b.Status.Over() || now != revision && b.Driver != s.me) {
			return s.leave(ctx, &b, published)
		}
		if err != nil {
			return err
		}
		step := s.next(&b, end)
		if step.do == nil {
			return nil
		}
		published = published || b.Status == InProgress && !b.Published
		h := &held{s: s, batch: b, revision: now}
		err = h.change(ctx, func(*Batch) {})
		if err == nil {
			begun := time.Now()
			if err = s.alive(ctx, h, step.do); err == nil {
				s.o.Tracer.Step(b.Trace, step.name, begun, map[string]string{"textmill.job": id})
			}
		}
		revision, end = 0, ""
		switch {
		case err == nil, errors.Is(err, queue.ErrChanged), errors.Is(err, errTaken):
			continue
		case ctx.Err() == nil:
			s.o.Log.WarnContext(ctx, "a batch cannot go on, trying again", "batch", id, "status", string(b.Status), "error", err)
		}
		return err // where it stops another goes on
	}
}

// leave ends the job again of a batch that another has ended while this process, which may have slept, published it.
func (s *Batches) leave(ctx context.Context, b *Batch, published bool) error {
	if !published || b.End != Cancelled && b.End != Expired {
		return nil
	}
	_, err := s.cancelJob(ctx, b.ID)
	return err
}

// step is something to be done for a batch, by the name that traces have for it.
type step struct {
	name string
	do   func(context.Context, *held) error
}

// next is what is to be done for a batch; nothing where it waits for its job.
func (s *Batches) next(b *Batch, end Status) step {
	if b.Status == InProgress && end == "" && !b.Published && b.expired() {
		end = Expired
	}
	switch {
	case b.Status == Validating:
		return step{"validate", s.validate}
	case b.Status == InProgress && end != "":
		return step{"end", func(ctx context.Context, h *held) error { return s.end(ctx, h, end) }}
	case b.Status == InProgress && b.Published:
		return step{}
	case b.Status == InProgress:
		return step{"publish-batch", s.publish}
	case !b.Settled:
		return step{"settle", s.settle}
	case !b.Collected:
		return step{"collect", s.collect}
	}
	return step{"finish", s.finish}
}

// alive does a step while others see that somebody is at it. The step ends where another has changed the batch.
func (s *Batches) alive(ctx context.Context, h *held, do func(context.Context, *held) error) error {
	working, stop := context.WithCancelCause(ctx)
	beats := make(chan struct{})
	go func() {
		defer close(beats)
		tick := time.NewTicker(s.o.Takeover / 6)
		defer tick.Stop()
		for {
			select {
			case <-working.Done():
				return
			case <-tick.C:
			}
			if err := h.change(working, func(*Batch) {}); errors.Is(err, queue.ErrChanged) {
				stop(errTaken)
			}
		}
	}()
	err := do(working, h)
	if errors.Is(context.Cause(working), errTaken) {
		err = errTaken
	}
	stop(nil)
	<-beats
	return err
}
