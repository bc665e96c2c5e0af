package export

import (
	"context"
	"fmt"
	"time"

	"textmill/export/delta"
)

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

// Judge commits verdicts, making the table where it is absent. A delivery whose rows are in the table already keeps
// its outcome Committed; one that must be looked up again is Absent. Outcomes are by Key.AppID, and by
// textmill/cancel/<job> for cancels.
func (t *Table) Judge(ctx context.Context, verdicts []Verdict) (Result, error) {
	h, err := t.ensure(ctx, EmbeddingFloat32)
	if err != nil {
		return Result{}, err
	}
	res := Result{}
	res.Version, err = t.commit(ctx, h, change{
		operation: "TXN",
		decide: func() ([]delta.Action, error) {
			var actions []delta.Action
			actions, res.Outcomes = h.txns.judge(verdicts, t.store.o.Now())
			return actions, nil
		},
		parts: func() ([]delta.Action, error) { return nil, nil },
		maybe: func() {},
	})
	if err != nil {
		return Result{}, fmt.Errorf("commit verdicts to %s: %w", t.path, err)
	}
	return res, nil
}

// judge gives the actions for verdicts, and what then holds for each.
func (x *txnIndex) judge(verdicts []Verdict, now time.Time) ([]delta.Action, map[string]Outcome) {
	outcomes := map[string]Outcome{}
	var actions []delta.Action
	c := claims{}
	for _, v := range verdicts {
		if _, seen := outcomes[v.id()]; seen {
			continue
		}
		if v.Kind == VerdictCancel {
			at := v.At
			if at.IsZero() {
				at = now
			}
			outcomes[v.id()] = Cancelled
			if end, ok := x.ends[v.Job]; !ok || end < at.UnixNano() {
				actions = append(actions, txnAction(v.id(), at.UnixNano(), now.UnixMilli()))
			}
			continue
		}
		outcome := x.look(v.Key)
		switch outcome {
		case Committed, Dead:
		case unclear: // since it was looked up
			outcome = Absent
		default:
			outcome = Dead
			for _, name := range x.verdicts(v.Key, c) {
				actions = append(actions, txnAction(name, v.Key.Version, now.UnixMilli()))
			}
		}
		outcomes[v.id()] = outcome
	}
	return append(actions, c.actions(now.UnixMilli())...), outcomes
}
