package export

import (
	"context"
	"errors"
	"fmt"

	"textmill/export/delta"
)

// Result is what became of a batch or of verdicts.
type Result struct {
	Version  int64              // of the commit; the newest one seen when there was nothing to commit
	Rows     int64              // rows committed by this call
	Errors   int64              // those among them whose error is set
	Bytes    int64              // of the parts that hold them
	Outcomes map[string]Outcome // by Key.AppID: what now holds for each delivery
	Left     map[string]Left    // by Key.AppID: of deliveries that repeat records
}

// Left is how many rows of a delivery were left out, since the table holds their records; see Batch.OnRepeat.
type Left struct{ Rows, Errors int64 }

// change is what one entry brings into the log.
type change struct {
	operation string
	// decide gives the actions, but for commitInfo and parts, from the newest state, whose lock is held: it waits for
	// nothing. No actions end the commit without an entry, unless there always is one.
	decide func() ([]delta.Action, error)
	always bool
	// parts gives those that go with what was decided last, which lie in the table durably.
	parts func() ([]delta.Action, error)
	// maybe is called when an entry may have been left in the log.
	maybe func()
}

// commit appends one entry.
func (t *Table) commit(ctx context.Context, h *handle, c change) (int64, error) {
	t.commits.Lock()
	defer t.commits.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		version, done, err := t.attempt(ctx, h, c)
		if done || err != nil {
			return version, t.blame(h, err)
		}
	}
}

// blame forgets the table where an error comes of it being no more.
func (t *Table) blame(h *handle, err error) error {
	err = h.blame(err)
	if errors.Is(err, ErrGone) {
		t.forget(h)
	}
	return err
}

// attempt tries the next version once. Not done and no error: another took it.
func (t *Table) attempt(ctx context.Context, h *handle, c change) (int64, bool, error) {
	if err := t.is(h); err != nil {
		return 0, false, err
	}
	if err := h.refresh(ctx); err != nil {
		return 0, false, err
	}
	actions, base, err := h.decide(c.decide)
	if err != nil {
		return 0, false, err
	}
	if len(actions) == 0 && !c.always {
		return base.Version, true, nil
	}
	parts, err := c.parts()
	if err != nil {
		return 0, false, err
	}
	done, err := t.append(h, base, c, append(actions, parts...))
	if !done || err != nil {
		return 0, false, err
	}
	version := base.Version + 1
	if err := h.refresh(ctx); err != nil && ctx.Err() == nil {
		// The commit stands; the next refresh tells.
		t.log.WarnContext(ctx, "read back the log", "version", version, "error", err)
	}
	h.committed(version)
	if h.checkpointDue(version, t.store.o.CheckpointEvery) {
		t.work.Go(func() { t.checkpoint(context.WithoutCancel(ctx), h) })
	}
	return version, true, nil
}

// decide has actions made from the state as it is known, and tells which state that was.
func (h *handle) decide(actions func() ([]delta.Action, error)) ([]delta.Action, delta.Snapshot, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.terms.refused != nil {
		return nil, delta.Snapshot{}, h.terms.refused
	}
	made, err := actions()
	return made, *h.snap, err
}

// committed takes in that an entry of ours is durable.
func (h *handle) committed(version int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.durable == version-1 {
		h.durable = version
	}
}

// append makes actions the entry after base. Not done and no error: another's is there.
func (t *Table) append(h *handle, base delta.Snapshot, c change, actions []delta.Action) (done bool, err error) {
	now, id := t.store.o.Now().UnixMilli(), newID()
	data, err := delta.Encode(append([]delta.Action{{CommitInfo: t.commitInfo(c.operation, id, now)}}, actions...))
	if err != nil {
		return false, err
	}
	s := h.stage()
	temp, err := s.write(data)
	if err != nil {
		return false, err
	}
	done, err = h.publish(&base, s, temp, id, c.maybe)
	if unlinkErr := s.dir.Unlink(temp); unlinkErr != nil {
		t.log.Warn("a temporary file stays until the next sweep", "file", temp, "error", unlinkErr)
	}
	return done, err
}

// publish links the entry and decides whether it counts. Not done and no error: try again.
func (h *handle) publish(base *delta.Snapshot, s *stage, temp, id string, maybe func()) (done bool, err error) {
	version := base.Version + 1
	err = h.log.Publish(s.dir, temp, version, id)
	if errors.Is(err, delta.ErrExists) {
		return false, nil
	}
	if errors.Is(err, ErrUnknown) {
		maybe()
	}
	if err != nil {
		return false, err
	}
	err = h.log.Confirm(base)
	gone, moved := errors.Is(err, ErrGone), delta.IsStale(err)
	switch {
	case gone || moved:
		if moved {
			defer h.moved()
		}
		if wErr := h.log.Withdraw(version); wErr != nil {
			maybe()
			return false, fmt.Errorf("%w: %w, then %w", ErrUnknown, err, wErr)
		}
		if gone {
			return false, err
		}
		return false, nil
	case err != nil:
		maybe()
		return false, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if err := h.log.Sync(); err != nil {
		maybe()
		return false, err
	}
	return true, nil
}

// moved takes in that the log went on in a way that only reading it anew can follow.
func (h *handle) moved() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stale = true
}
