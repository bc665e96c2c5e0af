package daemon

import (
	"context"
	"errors"
	"time"

	"textmill/export"
	"textmill/jobs"
)

// cancelJob carries out a request to cancel: the verdict goes into the log of
// every table that may get rows of the job, so that no daemon commits any from
// then on; then this daemon's deliveries of it are dropped, its waiting
// messages are purged, and the verdict is confirmed to whoever asked.
//
// The request stays open, to be tried again, unless it was carried out.
func (d *Daemon) cancelJob(ctx context.Context, request jobs.Event) {
	datasets := d.datasetsOf(request.Job)
	confirmed := jobs.Event{Type: jobs.EventCancelled, Job: request.Job, Table: d.store.Path(), Time: time.Now()}
	for _, dataset := range datasets {
		version, err := d.judgeCancelled(ctx, dataset, request)
		if err != nil {
			d.log.ErrorContext(ctx, "cancel not written", "job", request.Job, "dataset", dataset, "error", err.Error())
			return
		}
		confirmed.Table, confirmed.Version = d.store.TablePath(dataset), version
	}
	d.dropJob(request.Job)
	purged, err := d.queue.PurgeJob(ctx, request.Job)
	if err == nil {
		err = d.queue.PublishEvent(ctx, confirmed)
	}
	if err != nil && ctx.Err() == nil {
		d.log.WarnContext(ctx, "cancel not confirmed", "job", request.Job, "error", err.Error())
		return
	}
	d.log.InfoContext(ctx, "job cancelled", "job", request.Job, "datasets", len(datasets), "purged", purged)
}

// dropJob stops this daemon's own work on a job.
func (d *Daemon) dropJob(job string) {
	for _, f := range d.ledger.all(func(f *flight) bool { return f.job == job }) {
		f.halt(errCancelled)
	}
}

func (d *Daemon) judgeCancelled(ctx context.Context, dataset string, request jobs.Event) (int64, error) {
	table, err := d.store.Table(dataset)
	if err != nil {
		return 0, err
	}
	result, err := table.Judge(ctx, []export.Verdict{export.CancelVerdict(request.Job, request.Time)})
	if errors.Is(err, export.ErrRefused) { // nothing of this version's can be committed there; the messages are still to be purged
		d.log.WarnContext(ctx, "cancel not written", "job", request.Job, "dataset", dataset, "error", err.Error())
		err = nil
	}
	return result.Version, errors.Join(err, table.Close())
}

// datasetsOf lists the datasets that a job writes to: those of its deliveries
// here and of its events; where neither says, all there are.
func (d *Daemon) datasetsOf(job string) []string {
	known := map[string]bool{}
	for _, f := range d.ledger.all(func(f *flight) bool { return f.job == job && f.dataset != "" }) {
		known[f.dataset] = true
	}
	if status, ok := d.tracker.Job(job); ok {
		if dataset, ours := d.store.Dataset(status.Table); ours {
			known[dataset] = true
		}
	}
	var datasets []string
	for dataset := range known {
		datasets = append(datasets, dataset)
	}
	if len(datasets) > 0 {
		return datasets
	}
	datasets, err := d.store.Datasets()
	if err != nil {
		d.log.Warn("cannot list tables", "error", err.Error())
	}
	return datasets
}
