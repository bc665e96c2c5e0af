package export

import (
	"context"
	"errors"
	"fmt"
	"os"

	"textmill/export/delta"
)

// SyncEntry makes durable what settles a delivery: whoever committed it may have died, or may still be, before its own
// fsync. It is to be called before a redelivery that is skipped gets acked.
func (t *Table) SyncEntry(ctx context.Context, k Key) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	// A table that was deleted meanwhile has nothing that could be relied on.
	if err := t.refresh(ctx); err != nil {
		return err
	}
	if t.h == nil || t.h.ledger.look(k) == Absent {
		return fmt.Errorf("%w: %s is not settled in %s", ErrGone, k, t.path)
	}
	h := t.h
	target := h.snap.Version
	if h.durable >= target {
		return nil
	}
	err := errors.New("unknown")
	if h.durable >= 0 {
		err = h.syncEntries(ctx, h.durable+1, target)
	}
	if err != nil {
		// Nothing is known of older entries, or one was cleaned away: make sure of everything at once.
		err = h.dir.SyncAll()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	h.durable = target
	return nil
}

// syncEntries fsyncs the entries from..to, their parts and both directories.
func (h *handle) syncEntries(ctx context.Context, from, to int64) error {
	for v := from; v <= to; v++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		e, _, err := h.log.Read(v)
		if err != nil {
			return err
		}
		for _, a := range e.Adds {
			if err := h.dir.SyncFile(a.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		if err := h.log.Dir().SyncFile(delta.EntryName(v)); err != nil {
			return err
		}
	}
	return errors.Join(h.dir.Sync(), h.log.Dir().Sync())
}
