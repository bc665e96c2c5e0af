package follow

import (
	"context"
	"errors"
	"slices"
	"time"

	"textmill/export"
	"textmill/jobs"
)

// cancel carries out a request to cancel: the verdict goes into the log of
// every table that may get rows of the job, so that no daemon commits any from
// then on; then this daemon's deliveries of it are dropped, its waiting
// messages are purged, and the verdict is confirmed to whoever asked. What was
// published after the request, by the server's clock, is not purged.
//
// It reports whether all of that was done.
func (f *Follower) cancel(ctx context.Context, request jobs.Event) bool {
	datasets := f.datasets(request.Job)
	confirmed := jobs.Event{Type: jobs.EventCancelled, Job: request.Job, Table: f.o.Store.Path(), Time: time.Now()}
	for _, dataset := range datasets {
		version, err := f.judgeCancelled(ctx, dataset, request)
		if err != nil {
			f.o.Log.ErrorContext(ctx, "cancel not written", "job", request.Job, "dataset", dataset, "error", err)
			return false
		}
		confirmed.Table, confirmed.Version = f.o.Store.TablePath(dataset), version
	}
	f.o.InFlight.Cancel(request.Job, request.Time)
	purged, err := f.purge(ctx, request)
	if err == nil {
		err = f.o.Queue.PublishEvent(ctx, confirmed)
	}
	if err != nil {
		if ctx.Err() == nil {
			f.o.Log.WarnContext(ctx, "cancel not confirmed", "job", request.Job, "error", err)
		}
		return false
	}
	f.o.Log.InfoContext(ctx, "job cancelled", "job", request.Job, "datasets", len(datasets), "purged", purged)
	return true
}

// purge removes the messages of a cancelled job that nobody has fetched, and says so.
func (f *Follower) purge(ctx context.Context, request jobs.Event) (uint64, error) {
	before, err := f.o.Queue.SequenceAfter(ctx, request.Job, request.Time)
	if err != nil {
		return 0, err
	}
	purged, err := f.o.Queue.PurgeJob(ctx, request.Job, before)
	if err != nil || purged == 0 {
		return 0, err
	}
	f.o.Metrics.Dropped(int(purged))
	return purged, f.o.Queue.PublishEvent(ctx, jobs.Event{Type: jobs.EventDropped, Job: request.Job,
		Messages: int64(purged), Time: time.Now()})
}

func (f *Follower) judgeCancelled(ctx context.Context, dataset string, request jobs.Event) (int64, error) {
	table, err := f.o.Store.Table(dataset)
	if err != nil {
		return 0, err
	}
	result, err := table.Judge(ctx, []export.Verdict{export.CancelVerdict(request.Job, request.Time)})
	// Nothing of this version's can be committed to a table that refuses it; the messages are still to be purged.
	if errors.Is(err, export.ErrRefused) {
		f.o.Log.WarnContext(ctx, "cancel not written", "job", request.Job, "dataset", dataset, "error", err)
		err = nil
	}
	return result.Version, errors.Join(err, table.Close())
}

// datasets lists the datasets that a job writes to: those of its deliveries
// here and of its events; where neither says, all there are.
func (f *Follower) datasets(job string) []string {
	datasets := f.o.InFlight.Datasets(job)
	if status, ok := f.tracker.Job(job); ok {
		if dataset, ours := f.o.Store.Dataset(status.Table); ours && !slices.Contains(datasets, dataset) {
			datasets = append(datasets, dataset)
		}
	}
	if len(datasets) > 0 {
		return datasets
	}
	datasets, err := f.o.Store.Datasets()
	if err != nil {
		f.o.Log.Warn("cannot list tables", "error", err)
	}
	return datasets
}
