package daemon

import (
	"context"
	"fmt"
	"slices"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

const (
	sweepEvery    = time.Hour
	unservedEvery = 10 * time.Second
	restoreEvery  = 2 * time.Second
)

// housekeep removes orphaned parts, reports subjects nobody here serves, and makes streams anew that were deleted, until
// ctx ends.
func (d *Daemon) housekeep(ctx context.Context) {
	sweep, look, restore := time.NewTicker(sweepEvery), time.NewTicker(unservedEvery), time.NewTicker(restoreEvery)
	defer sweep.Stop()
	defer look.Stop()
	defer restore.Stop()
	d.sweep(ctx)
	d.lookForUnserved(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			d.sweep(ctx)
		case <-look.C:
			d.lookForUnserved(ctx)
			d.lanes.refused.lookAgain(ctx, d.store)
			d.letters.lookAgain(ctx)
		case <-restore.C:
			if err := d.queue.RestoreStreams(ctx, d.streams()); err != nil && ctx.Err() == nil && d.queue.Connected() {
				d.log.WarnContext(ctx, "cannot look after the streams", "error", err.Error())
			}
		}
	}
}

// streams is how streams are made where they are absent.
func (d *Daemon) streams() queue.StreamOptions {
	return queue.StreamOptions{MaxBytes: int64(d.cfg.NATS.JobsMaxBytes)}
}

func (d *Daemon) sweep(ctx context.Context) {
	removed, err := d.store.Sweep(ctx)
	if err != nil && ctx.Err() == nil {
		d.log.WarnContext(ctx, "sweep of orphaned parts", "error", err.Error())
	}
	if len(removed) > 0 {
		d.log.InfoContext(ctx, "orphaned parts removed", "parts", len(removed))
	}
}

// lookForUnserved finds subjects with messages for models that no daemon
// serves: they wait, and somebody should know.
func (d *Daemon) lookForUnserved(ctx context.Context) {
	announced, err := d.queue.Serving(ctx, time.Second)
	if err != nil {
		return
	}
	states, err := d.queue.UnservedSubjects(ctx, func(task, model string) bool {
		return slices.ContainsFunc(announced, func(s queue.Served) bool { return s.Task == task && s.Model == model })
	})
	if err != nil {
		return
	}
	var subjects []string
	for _, s := range states {
		subjects = append(subjects, s.Subject)
		if !slices.Contains(d.unservedSubjects(), s.Subject) {
			d.tellUnserved(ctx, s)
		}
	}
	d.mu.Lock()
	d.unserved = subjects
	d.mu.Unlock()
	d.metrics.unserved.Set(float64(len(subjects)))
}

func (d *Daemon) tellUnserved(ctx context.Context, s queue.SubjectState) {
	d.log.WarnContext(ctx, "messages wait for a model that no daemon serves", "subject", s.Subject, "messages", s.Messages)
	job := s.Job
	if job == "" {
		job = jobs.DefaultJob
	}
	e := jobs.Event{Type: jobs.EventUnserved, Job: job, Time: time.Now()}
	if err := d.queue.PublishEvent(ctx, e); err != nil && ctx.Err() == nil {
		d.log.WarnContext(ctx, "event not published", "job", job, "error", err.Error())
	}
}

func (d *Daemon) unservedSubjects() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.unserved)
}

// served is what this daemon tells those who ask.
func (d *Daemon) served() []queue.Served {
	var all []queue.Served
	for _, s := range d.servers {
		all = append(all, queue.Served{Task: s.spec.Task, Model: s.spec.Name, ModelSHA256: s.spec.SHA256})
	}
	return all
}

// notReady says why the daemon cannot take work now, or nothing.
func (d *Daemon) notReady() []string {
	var reasons []string
	if !d.queue.Connected() {
		reasons = append(reasons, "nats: not connected")
	}
	if err := d.lanes.trouble(); err != nil {
		reasons = append(reasons, fmt.Sprintf("export: %v", err))
	}
	return reasons
}
