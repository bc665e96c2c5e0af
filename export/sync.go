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
	// A table that was deleted meanwhile has nothing that could be relied on.
	h, err := t.newest(ctx)
	if err != nil {
		return err
	}
	if h == nil || h.look(k) == Absent {
		return fmt.Errorf("%w: %s is not settled in %s", ErrGone, k, t.path)
	}
	return h.sync(ctx, h.version())
}

// sync makes all entries up to one durable.
func (h *handle) sync(ctx context.Context, target int64) error {
	h.syncing.Lock()
	defer h.syncing.Unlock()
	durable := h.durableTo()
	if durable >= target {
		return nil
	}
	err := errors.New("unknown")
	if durable >= 0 {
		err = h.syncEntries(ctx, durable+1, target)
	}
	if err != nil {
		// Nothing is known of older entries, or one was cleaned away: make sure of everything at once.
		err = h.dir.SyncAll()
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.durable = max(h.durable, target)
	return nil
}

func (h *handle) durableTo() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.durable
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
			name, err := fileOf(a.Path)
			if err != nil {
				return err
			}
			if err := h.dir.SyncFile(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		if err := h.log.Dir().SyncFile(delta.EntryName(v)); err != nil {
			return err
		}
	}
	return errors.Join(h.dir.Sync(), h.log.Dir().Sync())
}
