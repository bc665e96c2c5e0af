package commit

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"textmill/daemon/metrics"
	"textmill/export"
)

// refusals are the tables that another tool, or a later textmill, made such that this one must not write to them.
// Their work waits in the queue until it can be done, here or by another version: it is never a dead letter.
type refusals struct {
	log     *slog.Logger
	metrics *metrics.Metrics

	mu  sync.Mutex
	why map[string]string // by dataset
}

// note takes in what a try to write to a dataset's table came to. A new reason is told once.
func (r *refusals) note(dataset string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, was := r.why[dataset]
	switch {
	case errors.Is(err, export.ErrRefused):
		r.why[dataset] = err.Error()
		r.metrics.Refused(dataset, true)
		if !was || before != err.Error() {
			r.log.Error("a table cannot be written to by this version; work for it waits in the queue",
				"dataset", dataset, "error", err)
		}
	case err == nil && was:
		delete(r.why, dataset)
		r.metrics.Refused(dataset, false)
		r.log.Info("a table can be written to again", "dataset", dataset)
	}
}

// reasons are by dataset.
func (r *refusals) reasons() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.why)
}

// lookAgain forgets refusals that hold no longer, also of tables that no work comes for.
func (r *refusals) lookAgain(ctx context.Context, store *export.Store) {
	for _, dataset := range slices.Sorted(maps.Keys(r.reasons())) {
		t, err := store.Table(dataset)
		if err == nil {
			err = t.Writable(ctx)
			r.note(dataset, err)
			err = t.Close()
		}
		if err != nil {
			r.log.WarnContext(ctx, "look at a table that was refused", "dataset", dataset, "error", err)
		}
	}
}
