package daemon

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

// errCancelled is why the deliveries of a cancelled job are dropped.
var errCancelled = errors.New("the job was cancelled")

// cancels are the requests to cancel that nobody has carried out yet, by job.
type cancels struct {
	mu        sync.Mutex
	requested map[string]jobs.Event
}

// see takes in an event: a request names no table, its confirmation does.
func (c *cancels) see(e jobs.Event) {
	if e.Type != jobs.EventCancelled {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Table == "" {
		c.requested[e.Job] = e
	} else {
		delete(c.requested, e.Job)
	}
}

func (c *cancels) all() []jobs.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.requested))
}

// follow watches the events of all jobs until ctx ends: it carries out cancels
// and announces jobs that are done.
func (d *Daemon) follow(ctx context.Context) {
	open := &cancels{requested: map[string]jobs.Event{}}
	tracker, err := d.queue.Track(ctx, queue.TrackOptions{OnEvent: func(e jobs.Event) {
		open.see(e)
		if e.Type == jobs.EventCancelled {
			d.dropJob(e.Job)
		}
	}})
	if err != nil {
		if ctx.Err() == nil {
			d.log.ErrorContext(ctx, "cannot follow events", "error", err.Error())
		}
		return
	}
	defer tracker.Close()
	for {
		changed := tracker.Changed()
		for _, request := range open.all() {
			d.cancelJob(ctx, tracker, request)
		}
		d.announce(ctx, tracker)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// announce publishes `done` for each job whose last shard is settled. Another
// daemon may do the same; the event is the same one.
func (d *Daemon) announce(ctx context.Context, tracker *queue.Tracker) {
	for _, job := range tracker.Settled() {
		e := jobs.Event{Type: jobs.EventDone, Job: job.Job, Shards: job.Shards, Rows: job.Rows, Errors: job.Errors,
			Table: job.Table, Version: job.Version, Time: time.Now()}
		if err := d.queue.PublishEvent(ctx, e); err != nil && ctx.Err() == nil {
			d.log.WarnContext(ctx, "done event not published", "job", job.Job, "error", err.Error())
		}
	}
}
