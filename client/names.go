package client

import (
	"context"
	"log/slog"

	"textmill/config"
	"textmill/jobs/queue"
)

// JobNames are the jobs that the queue tells of, the one with the latest news first; none where no server answers
// before ctx ends.
func JobNames(ctx context.Context, cfg config.Config) []string {
	q, err := Connect(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil
	}
	defer q.Close()
	tracker, err := q.Track(ctx, queue.TrackOptions{})
	if err != nil {
		return nil
	}
	defer tracker.Close()
	var names []string
	for _, s := range tracker.Jobs() {
		names = append(names, s.Job)
	}
	return names
}

// DeadIDs are the ids of the dead letters, likewise.
func DeadIDs(ctx context.Context, cfg config.Config) []string {
	q, err := Connect(ctx, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil
	}
	defer q.Close()
	var ids []string
	err = q.ListDead(ctx, func(e queue.DeadEntry) bool {
		ids = append(ids, e.ID)
		return true
	})
	if err != nil {
		return nil
	}
	return ids
}
