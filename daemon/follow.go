package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

// cancels are the requests to cancel that nobody has carried out yet, by job.
type cancels struct {
	mu        sync.Mutex
	requested map[string]jobs.Event
	ended     map[string]time.Time // of the latest request for each job, carried out or not
}

// mostEnded bounds the jobs of which a request is remembered.
const mostEnded = 50_000

// see takes in an event: a request names no table, its confirmation does.
func (c *cancels) see(e jobs.Event) {
	if e.Type != jobs.EventCancelled {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.Table != "" {
		delete(c.requested, e.Job)
		return
	}
	c.requested[e.Job] = e
	if _, known := c.ended[e.Job]; !known && len(c.ended) >= mostEnded {
		c.forgetOldest()
	}
	c.ended[e.Job] = e.Time
}

// forgetOldest needs c.mu.
func (c *cancels) forgetOldest() {
	oldest := ""
	for job, at := range c.ended {
		if oldest == "" || at.Before(c.ended[oldest]) {
			oldest = job
		}
	}
	delete(c.ended, oldest)
}

// end is when a job was cancelled last, by the server's clock.
func (c *cancels) end(job string) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ended := c.ended[job]
	return at, ended
}

func (c *cancels) all() []jobs.Event {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.requested))
}

// openTracker reads the events that there are, so that the daemon knows how far
// each job is, and goes on reading.
func (d *Daemon) openTracker(ctx context.Context) error {
	d.cancels = &cancels{requested: map[string]jobs.Event{}, ended: map[string]time.Time{}}
	tracker, err := d.queue.Track(ctx, queue.TrackOptions{OnEvent: d.heard})
	if err != nil {
		return fmt.Errorf("follow events: %w", err)
	}
	d.tracker = tracker
	d.onClose("events", func() error { tracker.Close(); return nil })
	return nil
}

// heard takes in an event. Only a request ends work: its confirmation is dated later, and what was published between the two lives.
func (d *Daemon) heard(e jobs.Event) {
	d.cancels.see(e)
	if e.Type == jobs.EventCancelled && e.Table == "" {
		d.dropJob(e)
	}
}

// follow carries out cancels and announces jobs that are done, until ctx ends.
func (d *Daemon) follow(ctx context.Context) {
	for {
		changed := d.tracker.Changed()
		for _, request := range d.cancels.all() {
			d.cancelJob(ctx, request)
		}
		d.announce(ctx)
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// announce publishes `done` for each job whose last shard is settled. Another
// daemon may do the same; the event is the same one.
func (d *Daemon) announce(ctx context.Context) {
	for _, job := range d.tracker.Settled() {
		task, model, dataset := job.Sole()
		e := jobs.Event{Type: jobs.EventDone, Job: job.Job, Shards: job.Shards, Rows: job.Rows, Errors: job.Errors,
			Task: task, Model: model, Dataset: dataset, Table: job.Table, Version: job.Version, Time: time.Now()}
		if err := d.queue.PublishEvent(ctx, e); err != nil && ctx.Err() == nil {
			d.log.WarnContext(ctx, "done event not published", "job", job.Job, "error", err.Error())
		}
	}
}
