package export

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"textmill/export/delta"
)

// Checkpoint writes a checkpoint of the newest version, so that readers and a starting daemon need not read every
// entry.
func (t *Table) Checkpoint(ctx context.Context) (int64, error) {
	h, err := t.newest(ctx)
	if err != nil {
		return 0, err
	}
	if h == nil {
		return 0, fmt.Errorf("table %s: %w", t.path, os.ErrNotExist)
	}
	return t.writeCheckpoint(ctx, h)
}

func (t *Table) writeCheckpoint(ctx context.Context, h *handle) (int64, error) {
	if err := h.arm(); err != nil {
		return 0, err
	}
	forget, err := t.store.forgettable(ctx)
	if err != nil {
		t.log.WarnContext(ctx, "no key is forgotten: the oldest message is unknown", "error", err)
	}
	s := h.stage()
	version, actions, err := h.log.WriteCheckpoint(ctx, delta.CheckpointOptions{
		TempDir: s.dir, TempName: s.tempName(), Now: t.store.o.Now(), ForgetTxns: forget,
		Ours: func(appID string) bool { return strings.HasPrefix(appID, "textmill/") },
	})
	if err != nil {
		return 0, fmt.Errorf("checkpoint %s: %w", t.path, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.snap.Checkpoint < version {
		h.snap.Checkpoint, h.snap.Actions = version, actions
	}
	return version, nil
}

// checkpointDue says whether a commit is to be followed by a checkpoint. One costs as much as it holds, so a large one
// is written less often, and a commit costs the same whatever the table has become; but no reader reads many entries.
func (h *handle) checkpointDue(version, every int64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return every > 0 && version-max(0, h.snap.Checkpoint) >= max(every, min(5*every, h.snap.Actions/500))
}

// checkpoint is the background form: a checkpoint only saves time, so that its failure is told and nothing else.
func (t *Table) checkpoint(ctx context.Context, h *handle) {
	if !t.points.TryLock() {
		return // the one before is still on its way; the next will do
	}
	defer t.points.Unlock()
	start := time.Now()
	version, err := t.writeCheckpoint(ctx, h)
	switch {
	case errors.Is(err, ErrGone):
	case err != nil:
		t.log.WarnContext(ctx, "checkpoint failed", "error", err)
	default:
		t.log.InfoContext(ctx, "checkpoint written", "version", version, "took", time.Since(start))
	}
}

// forgettable is the time before which keys may be dropped; zero for none.
func (s *Store) forgettable(ctx context.Context) (time.Time, error) {
	if s.o.Remember <= 0 || s.o.Oldest == nil {
		return time.Time{}, nil
	}
	oldest, err := s.o.Oldest(ctx)
	if err != nil || oldest.IsZero() {
		return time.Time{}, err
	}
	before := s.o.Now().Add(-s.o.Remember)
	if oldest.Before(before) {
		before = oldest
	}
	return before, nil
}
