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
// messages are purged, and the verdict is confirmed to whoever asked. What was
// published after the request, by the server's clock, is not purged.
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
	d.dropJob(request)
	purged, err := d.purge(ctx, request)
	if err == nil {
		err = d.queue.PublishEvent(ctx, confirmed)
	}
	if err != nil && ctx.Err() == nil {
		d.log.WarnContext(ctx, "cancel not confirmed", "job", request.Job, "error", err.Error())
		return
	}
	d.log.InfoContext(ctx, "job cancelled", "job", request.Job, "datasets", len(datasets), "purged", purged)
}

// purge removes the messages of a cancelled job that nobody has fetched, and says so.
func (d *Daemon) purge(ctx context.Context, request jobs.Event) (uint64, error) {
	before, err := d.queue.SequenceAfter(ctx, request.Job, request.Time)
	if err != nil {
		return 0, err
	}
	purged, err := d.queue.PurgeJob(ctx, request.Job, before)
	if err != nil || purged == 0 {
		return 0, err
	}
	d.metrics.dropped.Add(float64(purged))
	return purged, d.queue.PublishEvent(ctx, jobs.Event{Type: jobs.EventDropped, Job: request.Job, Messages: int64(purged), Time: time.Now()})
}

// dropJob stops this daemon's own work on what a request to cancel ends.
func (d *Daemon) dropJob(request jobs.Event) {
	for _, f := range d.ledger.all(func(f *flight) bool { return f.job == request.Job && !f.delivery.Timestamp.After(request.Time) }) {
		f.halt(errCancelled)
	}
}

// ended carries out a cancel on a delivery whose table has not heard of it, as when its job shares a subject and its dataset
// was unknown. The verdict goes into the table's log first, as for any other.
func (s *server) ended(ctx context.Context, t *export.Table, f *flight) (finding, bool, error) {
	at, ended := s.cancels.end(f.job)
	if !ended || f.delivery.Timestamp.After(at) {
		return finding{}, false, nil
	}
	result, err := t.Judge(ctx, []export.Verdict{export.CancelVerdict(f.job, at)})
	return finding{logged: export.Cancelled, version: result.Version}, err == nil, err
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
