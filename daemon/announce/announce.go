// Package announce publishes what commits did to tables.
package announce

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs/queue"
	"textmill/work/commits"
)

// within bounds what a commit's rows wait for its announcement; what was not told is told with the next commit.
const within = 5 * time.Second

// Announcer tells each commit of a table that its daemon writes to, those of other writers too, in their order.
type Announcer struct {
	queue *queue.Queue
	log   *slog.Logger

	mu   sync.Mutex
	told map[string]*told // by dataset
}

type told struct {
	mu      sync.Mutex
	known   bool // what the stream has was asked
	tableID string
	version int64
}

// New makes one that has told nothing.
func New(q *queue.Queue, log *slog.Logger) *Announcer {
	return &Announcer{queue: q, log: log, told: map[string]*told{}}
}

// UpTo publishes the commits that are not in the stream yet, up to a version. Where the stream has none of the table,
// it begins with that version.
func (a *Announcer) UpTo(ctx context.Context, dataset string, t *export.Table, version int64) {
	if _, _, staging := naming.OfStaging(dataset); staging {
		return // nobody else's until it is swapped in
	}
	a.mu.Lock()
	one := a.told[dataset]
	if one == nil {
		one = &told{}
		a.told[dataset] = one
	}
	a.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := a.upTo(ctx, one, dataset, t, version); err != nil {
		a.log.WarnContext(ctx, "a commit is not announced yet", "dataset", dataset, "version", version, "error", err)
	}
}

func (a *Announcer) upTo(ctx context.Context, one *told, dataset string, t *export.Table, version int64) error {
	if !one.known {
		last, err := a.queue.LastTableCommit(ctx, dataset)
		if err != nil && !errors.Is(err, queue.ErrNotFound) {
			return err
		}
		one.known, one.tableID, one.version = true, last.TableID, last.Version
	}
	for v := one.version + 1; v <= version || one.tableID == ""; v++ {
		if one.tableID == "" {
			v = version
		}
		c, err := t.LogCommit(ctx, v)
		if errors.Is(err, export.ErrForgotten) && v < version {
			v = version - 1 // what was cleaned away cannot be told
			continue
		}
		if err != nil || c == nil {
			return err
		}
		if one.tableID != "" && one.tableID != c.TableID { // made anew
			one.tableID = ""
			continue
		}
		if err := a.queue.PublishTableCommit(ctx, commits.Describe(dataset, t.Path(), c)); err != nil {
			return err
		}
		one.tableID, one.version = c.TableID, v
	}
	return nil
}
