package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"textmill/export/delta"
)

// Result is what became of a batch or of verdicts.
type Result struct {
	Version  int64              // of the commit; the newest one seen when there was nothing to commit
	Rows     int64              // rows committed by this call
	Errors   int64              // those among them whose error is set
	Outcomes map[string]Outcome // by Key.AppID: what now holds for each delivery
}

// commit appends one entry. plan is called with t.mu held and the newest state for each attempt, and gives the actions but
// for commitInfo; no actions end the commit without an entry. maybe is called when an entry may have been left in the log.
func (t *Table) commit(ctx context.Context, h *handle, operation string, plan func() ([]delta.Action, error), maybe func()) (int64, error) {
	t.commits.Lock()
	defer t.commits.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		version, done, err := t.attempt(ctx, h, operation, plan, maybe)
		err = h.blame(err)
		if errors.Is(err, ErrGone) {
			t.mu.Lock()
			t.forget(h)
			t.mu.Unlock()
		}
		if done || err != nil {
			return version, err
		}
	}
}

// attempt tries the next version once. Not done and no error: another took it.
func (t *Table) attempt(ctx context.Context, h *handle, operation string, plan func() ([]delta.Action, error), maybe func()) (int64, bool, error) {
	t.mu.Lock()
	actions, base, err := t.prepare(ctx, h, plan)
	t.mu.Unlock()
	if err != nil {
		return 0, false, err
	}
	if len(actions) == 0 {
		return base.Version, true, nil
	}
	now, id, version := t.store.o.Now().UnixMilli(), newID(), base.Version+1
	data, err := delta.Encode(append([]delta.Action{{CommitInfo: t.commitInfo(operation, id, now)}}, actions...))
	if err != nil {
		return 0, false, err
	}
	temp, err := h.writeTemp(data)
	if err != nil {
		return 0, false, err
	}
	done, moved, err := h.publish(&base, temp, id, maybe)
	if unlinkErr := h.aux.Unlink(temp); unlinkErr != nil {
		t.log.Warn("a temporary file stays until the next sweep", "file", temp, "error", unlinkErr)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	h.stale = h.stale || moved
	if !done || err != nil {
		return 0, false, err
	}
	if err := h.refresh(ctx); err != nil && ctx.Err() == nil {
		t.log.Warn("read back the log", "version", version, "error", err) // the commit stands; the next refresh tells
	}
	if h.durable == version-1 {
		h.durable = version
	}
	if n := t.store.o.CheckpointEvery; n > 0 && version%n == 0 {
		t.work.Go(func() { t.checkpoint(context.WithoutCancel(ctx), h) })
	}
	return version, true, nil
}

// prepare needs t.mu.
func (t *Table) prepare(ctx context.Context, h *handle, plan func() ([]delta.Action, error)) ([]delta.Action, delta.Snapshot, error) {
	if t.h != h {
		return nil, delta.Snapshot{}, fmt.Errorf("%w: %s", ErrGone, t.path)
	}
	if err := h.refresh(ctx); err != nil {
		return nil, delta.Snapshot{}, err
	}
	if h.refused != nil {
		return nil, delta.Snapshot{}, h.refused
	}
	if !h.lock.Held() {
		return nil, delta.Snapshot{}, fmt.Errorf("%w: lock file %s.lock was removed", ErrGone, h.id)
	}
	actions, err := plan()
	return actions, *h.snap, err
}

// publish links the entry and decides whether it counts. Not done and no error: try again, and where moved from a state that
// is read anew.
func (h *handle) publish(base *delta.Snapshot, temp, id string, maybe func()) (done, moved bool, err error) {
	version := base.Version + 1
	err = h.log.Publish(h.aux, temp, version, id)
	if errors.Is(err, delta.ErrExists) {
		return false, false, nil
	}
	if errors.Is(err, ErrUnknown) {
		maybe()
	}
	if err != nil {
		return false, false, err
	}
	err = h.log.Confirm(base)
	gone, moved := errors.Is(err, ErrGone), delta.IsStale(err)
	switch {
	case gone || moved:
		if wErr := h.log.Withdraw(version); wErr != nil {
			maybe()
			return false, moved, fmt.Errorf("%w: %w, then %w", ErrUnknown, err, wErr)
		}
		if gone {
			return false, false, err
		}
		return false, true, nil
	case err != nil:
		maybe()
		return false, false, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if err := h.log.Sync(); err != nil {
		maybe()
		return false, false, err
	}
	return true, false, nil
}

// VerdictKind is why a delivery or a job ends without rows.
type VerdictKind int

const (
	VerdictDead   VerdictKind = iota // the delivery Key is given up
	VerdictCancel                    // the job Job is cancelled
)

// Verdict is an end without rows, to be put into the log so that no other daemon commits what it names.
type Verdict struct {
	Kind VerdictKind
	Key  Key       // of VerdictDead
	Job  string    // of VerdictCancel
	At   time.Time // of VerdictCancel; the zero time is now
}

// DeadVerdict gives a delivery up.
func DeadVerdict(k Key) Verdict { return Verdict{Kind: VerdictDead, Key: k} }

// CancelVerdict ends a job: none of its shards is committed any more, nor what it published by sequence before at.
func CancelVerdict(job string, at time.Time) Verdict {
	return Verdict{Kind: VerdictCancel, Job: job, At: at}
}

// id is the verdict's place in Result.Outcomes.
func (v Verdict) id() string {
	if v.Kind == VerdictCancel {
		return cancelPrefix + v.Job
	}
	return v.Key.AppID
}

// Judge commits verdicts, making the table where it is absent. A delivery whose rows are in the table already keeps its
// outcome Committed; one that must be looked up again is Absent. Outcomes are by Key.AppID, and by textmill/cancel/<job> for cancels.
func (t *Table) Judge(ctx context.Context, verdicts []Verdict) (Result, error) {
	h, err := t.ensure(ctx, EmbeddingFloat32)
	if err != nil {
		return Result{}, err
	}
	res := Result{}
	plan := func() ([]delta.Action, error) {
		res.Outcomes = map[string]Outcome{}
		now := t.store.o.Now()
		var actions []delta.Action
		c := claims{}
		for _, v := range verdicts {
			if _, seen := res.Outcomes[v.id()]; seen {
				continue
			}
			if v.Kind == VerdictCancel {
				at := v.At
				if at.IsZero() {
					at = now
				}
				res.Outcomes[v.id()] = Cancelled
				if end, ok := h.ledger.ends[v.Job]; !ok || end < at.UnixNano() {
					actions = append(actions, txnAction(v.id(), at.UnixNano(), now.UnixMilli()))
				}
				continue
			}
			outcome := h.ledger.look(v.Key)
			switch outcome {
			case Committed, Dead:
			case unclear: // since it was looked up
				outcome = Absent
			default:
				outcome = Dead
				for _, name := range h.ledger.verdicts(v.Key, c) {
					actions = append(actions, txnAction(name, v.Key.Version, now.UnixMilli()))
				}
			}
			res.Outcomes[v.id()] = outcome
		}
		return append(actions, c.actions(now.UnixMilli())...), nil
	}
	res.Version, err = t.commit(ctx, h, "TXN", plan, func() {})
	if err != nil {
		return Result{}, fmt.Errorf("commit verdicts to %s: %w", t.path, err)
	}
	return res, nil
}
