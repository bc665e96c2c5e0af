// Package housekeeping does for a daemon what no delivery asks for.
package housekeeping

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"textmill/daemon/metrics"
	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

const (
	sweepEvery    = time.Hour
	unservedEvery = 10 * time.Second
	restoreEvery  = 2 * time.Second
)

// Options are what is kept.
type Options struct {
	Queue   *queue.Queue
	Streams queue.StreamOptions // how streams are made where they are absent
	Store   *export.Store
	Look    func(context.Context) // looks again at what was refused
	// CompactFrom is when each day, counted from midnight, small files are put together, for CompactFor; 0 is never.
	CompactFrom, CompactFor time.Duration
	Served                  func() []queue.Served // what is looked after
	Ready                   func() bool           // whether work can be taken and committed
	Metrics                 *metrics.Metrics
	Log                     *slog.Logger
}

// Keeper keeps one daemon's house.
type Keeper struct {
	o Options

	mu       sync.Mutex
	unserved []string
}

// New makes one that has not looked yet.
func New(o Options) *Keeper { return &Keeper{o: o} }

// Run removes orphaned parts, reports subjects that no daemon serves, and makes streams anew that were deleted, until
// ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	sweep, look, restore := time.NewTicker(sweepEvery), time.NewTicker(unservedEvery), time.NewTicker(restoreEvery)
	defer sweep.Stop()
	defer look.Stop()
	defer restore.Stop()
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { k.compactDaily(ctx) })
	beside.Go(func() { k.watchLag(ctx) })
	k.sweep(ctx)
	k.lookForUnserved(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			k.sweep(ctx)
		case <-look.C:
			k.lookForUnserved(ctx)
			k.o.Look(ctx)
		case <-restore.C:
			err := k.o.Queue.RestoreStreams(ctx, k.o.Streams)
			if err != nil && ctx.Err() == nil && k.o.Queue.Connected() {
				k.o.Log.WarnContext(ctx, "cannot look after the streams", "error", err)
			}
		}
	}
}

func (k *Keeper) sweep(ctx context.Context) {
	removed, err := k.o.Store.Sweep(ctx)
	if err != nil && ctx.Err() == nil {
		k.o.Log.WarnContext(ctx, "sweep of orphaned parts", "error", err)
	}
	if len(removed) > 0 {
		k.o.Log.InfoContext(ctx, "orphaned parts removed", "parts", len(removed))
	}
}

// lookForUnserved finds subjects with messages for models that no daemon serves: they wait, and somebody should know.
func (k *Keeper) lookForUnserved(ctx context.Context) {
	announced, err := k.o.Queue.Serving(ctx, time.Second)
	if err != nil {
		return
	}
	announced = append(announced, k.o.Served()...)
	states, err := k.o.Queue.UnservedSubjects(ctx, func(task, model string) bool {
		return slices.ContainsFunc(announced, func(s queue.Served) bool { return s.Task == task && s.Model == model })
	})
	if err != nil {
		return
	}
	known := k.Unserved()
	var subjects []string
	for _, s := range states {
		subjects = append(subjects, s.Subject)
		if !slices.Contains(known, s.Subject) {
			k.tellUnserved(ctx, s)
		}
	}
	k.mu.Lock()
	k.unserved = subjects
	k.mu.Unlock()
	k.o.Metrics.Unserved(len(subjects))
}

func (k *Keeper) tellUnserved(ctx context.Context, s queue.SubjectState) {
	k.o.Log.WarnContext(ctx, "messages wait for a model that no daemon serves",
		"subject", s.Subject, "messages", s.Messages)
	e := jobs.Event{Type: jobs.EventUnserved, Job: cmp.Or(s.Job, jobs.DefaultJob), Time: time.Now()}
	if err := k.o.Queue.PublishEvent(ctx, e); err != nil && ctx.Err() == nil {
		k.o.Log.WarnContext(ctx, "event not published", "job", e.Job, "error", err)
	}
}

// Unserved are the subjects with messages that no daemon served when it looked last.
func (k *Keeper) Unserved() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.unserved)
}
