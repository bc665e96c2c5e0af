package housekeeping

import (
	"context"
	"time"

	"textmill/jobs/queue"
)

// lagEvery is how often it is looked what waits: as fine as an alert needs, and a few questions each time.
const lagEvery = 5 * time.Second

// watchLag tells the metrics what waits, until ctx ends.
func (k *Keeper) watchLag(ctx context.Context) {
	look := time.NewTicker(lagEvery)
	defer look.Stop()
	for {
		k.LookAtLag(ctx)
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// LookAtLag asks once. Where there is no answer, what was known stays: ready says why.
func (k *Keeper) LookAtLag(ctx context.Context) {
	k.o.Metrics.Ready(k.o.Ready())
	for _, s := range k.o.Served() {
		b, err := k.o.Queue.Backlog(ctx, s.Task, s.Model)
		if err != nil {
			return
		}
		var oldest time.Duration
		if !b.Oldest.IsZero() {
			oldest = time.Since(b.Oldest)
		}
		k.o.Metrics.Model(s.Model).Lag(b.Messages, oldest)
	}
	sizes, err := k.o.Queue.StreamSizes(ctx)
	if err != nil {
		return
	}
	for _, s := range sizes {
		k.o.Metrics.Stream(s.Name, s.Bytes, s.MaxBytes)
		if s.Name == queue.DeadStream {
			k.o.Metrics.Letters(s.Messages)
		}
	}
}
