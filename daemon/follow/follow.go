// Package follow acts on what events say: it cancels jobs, and announces those that are done.
package follow

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"textmill/daemon/metrics"
	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// Options are what a Follower acts on.
type Options struct {
	Queue    *queue.Queue
	Store    *export.Store
	InFlight inFlight
	Metrics  *metrics.Metrics
	Log      *slog.Logger
}

// inFlight is what the process holds.
type inFlight interface {
	// Cancel stops work on what was published of a job until then.
	Cancel(job string, until time.Time)
	// Datasets are those that deliveries of a job here write to.
	Datasets(job string) []string
}

// Follower knows how far each job is, and which were cancelled.
type Follower struct {
	o        Options
	requests *requests
	tracker  *queue.Tracker
}

// New reads the events that there are, and goes on reading until Close.
func New(ctx context.Context, o Options) (*Follower, error) {
	requests := newRequests()
	onEvent := func(e jobs.Event) { heard(e, requests, o.InFlight) }
	tracker, err := o.Queue.Track(ctx, queue.TrackOptions{OnEvent: onEvent})
	if err != nil {
		return nil, fmt.Errorf("follow events: %w", err)
	}
	return &Follower{o: o, requests: requests, tracker: tracker}, nil
}

// heard takes in an event. Only a request ends work: its confirmation is dated later, and what was published between
// the two lives.
func heard(e jobs.Event, r *requests, held inFlight) {
	r.see(e)
	if e.Type == jobs.EventCancelled && e.Table == "" {
		held.Cancel(e.Job, e.Time)
	}
}

// Close ends the reading.
func (f *Follower) Close() error {
	f.tracker.Close()
	return nil
}

// Tracker says how far each job is.
func (f *Follower) Tracker() *queue.Tracker { return f.tracker }

// EndsJob reports whether so many shards are all that is left of a job.
func (f *Follower) EndsJob(job string, shards int) bool {
	status, ok := f.tracker.Job(job)
	return ok && status.Shards > 0 && status.ShardsDone+shards >= status.Shards
}

// Cancelled reports whether what was published of a job then was cancelled later, and when, by the server's clock.
func (f *Follower) Cancelled(job string, published time.Time) (at time.Time, cancelled bool) {
	at, cancelled = f.requests.end(job)
	return at, cancelled && !published.After(at)
}

// retryEvery is how long what failed waits to be tried again.
const retryEvery = 5 * time.Second

// Run carries out cancels and announces jobs that are done, until ctx ends.
func (f *Follower) Run(ctx context.Context) {
	for {
		changed := f.tracker.Changed()
		for _, request := range f.requests.due() {
			f.requests.tried(request, f.cancel(ctx, request))
		}
		var again <-chan time.Time
		if told := f.announce(ctx); !told || f.requests.left() {
			again = time.After(retryEvery)
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-again:
		}
	}
}

// announce publishes `done` for each job whose last shard is settled, and reports whether that went well. Another
// daemon may do the same; the event is the same one.
func (f *Follower) announce(ctx context.Context) (told bool) {
	told = true
	for _, job := range f.tracker.Settled() {
		task, model, dataset := job.Sole()
		e := jobs.Event{Type: jobs.EventDone, Job: job.Job, Shards: job.Shards, Rows: job.Rows, Errors: job.Errors,
			Task: task, Model: model, Dataset: dataset, Table: job.Table, Version: job.Version, Time: time.Now()}
		if err := f.o.Queue.PublishEvent(ctx, e); err != nil && ctx.Err() == nil {
			told = false
			f.o.Log.WarnContext(ctx, "done event not published", "job", job.Job, "error", err)
		}
	}
	return told
}
