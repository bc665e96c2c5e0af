package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"textmill/ground/naming"
	"textmill/jobs"
)

// TrackOptions choose what a Tracker follows.
type TrackOptions struct {
	Job     string           // "" = all jobs
	OnEvent func(jobs.Event) // called for each event in order, from one goroutine, once it is counted; nil = none
	Pieces  bool             // keep what became of each piece of the job, for Fate; wants a Job
}

// Tracker follows the events of jobs and keeps how far each is.
type Tracker struct {
	q       *Queue
	onEvent func(jobs.Event)

	mu     sync.Mutex
	jobs   map[string]*progress
	pieces *pieces // nil unless asked for
	// those whose shards are all settled and that nobody has announced: looked through with each event
	settled map[string]*progress
	changed chan struct{}

	noEvents, refused seldom // anybody who may publish events can send any number of either

	cancel context.CancelFunc
	ended  chan struct{}
}

const (
	mostJobs    = 50_000 // of which the oldest done ones are forgotten first
	followBatch = 1_000
)

// Track reads the events that there are and then follows new ones, through lost
// connections, until Close. It returns when it has caught up. Where the user may not
// read them, that is ErrRefused.
func (q *Queue) Track(ctx context.Context, o TrackOptions) (*Tracker, error) {
	f := &follower{q: q, stream: EventStream, filter: jobs.JobEvents}
	if o.Job != "" {
		if err := naming.CheckJob(o.Job); err != nil {
			return nil, fmt.Errorf("track: job %w", err)
		}
		f.filter = jobs.EventSubject(o.Job)
	}
	if o.Pieces && o.Job == "" {
		return nil, errors.New("track: the pieces of all jobs are too many")
	}
	t := &Tracker{q: q, onEvent: o.OnEvent, jobs: make(map[string]*progress), settled: make(map[string]*progress),
		changed: make(chan struct{}), ended: make(chan struct{})}
	if o.Pieces {
		t.pieces = newPieces()
	}
	for again := true; again; again = f.pending > 0 {
		denied := q.denied.Load()
		if err := f.read(ctx, followBatch, 0, t.see); err != nil && !errors.Is(err, errGap) {
			f.close()
			if q.denied.Load() != denied {
				err = fmt.Errorf("follow %s: %w: the user lacks a permission", f.filter, ErrRefused)
			}
			return nil, err
		}
	}
	run, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	go t.follow(run, f)
	return t, nil
}

func (t *Tracker) follow(ctx context.Context, f *follower) {
	defer close(t.ended)
	defer f.close()
	for failures := 0; ctx.Err() == nil; {
		err := f.read(ctx, followBatch, followWait, t.see)
		if err == nil || ctx.Err() != nil {
			failures = 0
			continue
		}
		if failures++; failures == 3 { // one or two are a server that restarts
			t.q.log.WarnContext(ctx, "events cannot be followed, trying again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-t.q.closed:
			return
		case <-time.After(delay(failures)):
		}
	}
}

// see takes in one event; what is no event is left out.
func (t *Tracker) see(msg *nats.Msg, a ackSubject) error {
	e, ok := t.event(msg)
	if !ok {
		return nil
	}
	// Whoever may publish an event may date it as he likes, so what it ends by its date goes by the server's clock.
	if e.Type == jobs.EventCancelled || e.Time.After(a.timestamp) {
		e.Time = a.timestamp
	}
	if e.Published.After(a.timestamp) {
		e.Published = a.timestamp
	}
	if e.Type == jobs.EventCancelled && jobs.Shared(e.Job) {
		if n := t.refused.due(); n > 0 {
			t.q.log.Warn("a request to cancel is refused: the job is everybody's", "job", e.Job, "time", e.Time, "requests", n)
		}
		return nil
	}
	t.mu.Lock()
	p := t.progress(e.Job)
	p.apply(e)
	if t.pieces != nil {
		t.pieces.see(e)
	}
	t.file(p)
	t.signal()
	t.mu.Unlock()
	if t.onEvent != nil {
		t.onEvent(e)
	}
	return nil
}

func (t *Tracker) event(msg *nats.Msg) (jobs.Event, bool) {
	e, err := jobs.ParseEvent(msg.Data)
	if err == nil && jobs.EventSubject(e.Job) != msg.Subject {
		err = fmt.Errorf("it names the job %s", e.Job)
	}
	if err != nil {
		if n := t.noEvents.due(); n > 0 {
			t.q.log.Warn("a message on the event stream is not an event", "subject", msg.Subject, "error", err, "messages", n)
		}
	}
	return e, err == nil
}

func (t *Tracker) progress(job string) *progress {
	p := t.jobs[job]
	if p == nil {
		if len(t.jobs) >= mostJobs {
			t.forget()
		}
		p = newProgress(job)
		t.jobs[job] = p
	}
	return p
}

// file keeps settled in step with a job that changed.
func (t *Tracker) file(p *progress) {
	if p.complete() && !p.isAnnounced() && !p.isCancelled() {
		t.settled[p.status.Job] = p
	} else {
		delete(t.settled, p.status.Job)
	}
}

// forget drops the tenth of the jobs that were done longest ago, or that were
// heard of longest ago if none is done.
func (t *Tracker) forget() {
	all := make([]*progress, 0, len(t.jobs))
	for _, p := range t.jobs {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *progress) int {
		if a.complete() != b.complete() {
			if a.complete() {
				return -1
			}
			return 1
		}
		return a.status.Updated.Compare(b.status.Updated)
	})
	for _, p := range all[:len(all)/10+1] {
		delete(t.jobs, p.status.Job)
		delete(t.settled, p.status.Job)
	}
}

func (t *Tracker) signal() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// Changed is closed when anything changes after this call: take it first, then
// read the state.
func (t *Tracker) Changed() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.changed
}

// Expect says how many shards a job has, as its messages tell.
func (t *Tracker) Expect(job string, shards int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.progress(job)
	if shards > p.total() {
		p.expect(laneName{}, shards)
		t.file(p)
		t.signal()
	}
}

// Job is a job's state; false if no event has named it.
func (t *Tracker) Job(job string) (JobStatus, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.jobs[job]
	if p == nil {
		return JobStatus{}, false
	}
	return p.report(time.Now()), true
}

// Fate is what became of a piece of the job that is tracked with Pieces.
func (t *Tracker) Fate(of Piece) (Fate, Untold) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pieces.fates[of], t.pieces.untold[of.Shard]
}

// Jobs lists all jobs, the one with the latest event first.
func (t *Tracker) Jobs() []JobStatus {
	return t.list(t.jobs)
}

// Settled lists the jobs whose shards are all settled and whose `done` event is
// not in the stream yet.
func (t *Tracker) Settled() []JobStatus {
	return t.list(t.settled)
}

// list reports on some jobs, which mu guards.
func (t *Tracker) list(some map[string]*progress) []JobStatus {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []JobStatus
	for _, p := range some {
		out = append(out, p.report(now))
	}
	slices.SortFunc(out, func(a, b JobStatus) int { return b.Updated.Compare(a.Updated) })
	return out
}

// Close ends the following; it is safe to call it twice.
func (t *Tracker) Close() {
	t.cancel()
	<-t.ended
}
