package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"textmill/crash"
	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// errDraining is why work is handed back when the daemon stops.
var errDraining = errors.New("the daemon is stopping")

// errLookAgain: the table's log got something meanwhile that only a look at its rows explains.
var errLookAgain = errors.New("the delivery must be looked up again")

// verdict is the one outcome of a delivery.
type verdict struct {
	outcome export.Outcome // Absent: not settled, handed back
	version int64          // of the table, when the rows are in it
	skipped bool           // settled before this delivery came
	dead    *jobs.Invalid  // set when the delivery becomes a dead letter
	delay   time.Duration  // before a delivery handed back comes again
	cause   error          // why it is handed back
}

// handBackDelay keeps a delivery that failed for a passing reason from coming
// straight back.
const handBackDelay = 5 * time.Second

// settleAtOnce bounds the confirmations that one dataset waits for at a time.
const settleAtOnce = 64

// settler ends deliveries. No other code acks.
type settler struct {
	queue   *queue.Queue
	log     *slog.Logger
	metrics *metrics
}

// settle tells the world of a verdict and ends the delivery, in the order that
// makes every step repeatable: the verdict is in the table's log already, then
// come dead letter and event, each confirmed by the server, then the ack. If a
// step fails the delivery stays unsettled, comes again and is skipped.
func (s *settler) settle(ctx context.Context, f *flight, v verdict) {
	err := s.conclude(ctx, f, v)
	attrs := []any{"job", f.job, "shard", f.shard, "dataset", f.dataset, "sequence", f.delivery.Sequence,
		"attempt", f.delivery.Delivered, "verdict", v.name(), "rows", f.rows, "errors", f.errors}
	if v.cause != nil {
		attrs = append(attrs, "cause", v.cause.Error())
	}
	if v.dead != nil {
		attrs = append(attrs, "class", v.dead.Class, "reason", v.dead.Reason)
	}
	s.metrics.settled(v)
	if err != nil {
		s.log.WarnContext(ctx, "delivery not settled, it will come again", append(attrs, "error", err.Error())...)
		return
	}
	level := slog.LevelInfo
	if v.dead != nil || v.outcome == export.Absent {
		level = slog.LevelWarn
	}
	s.log.Log(ctx, level, "delivery settled", attrs...)
}

func (s *settler) conclude(ctx context.Context, f *flight, v verdict) error {
	switch {
	case v.dead != nil:
		return s.bury(ctx, f, v.dead)
	case v.outcome == export.Committed:
		e := f.event(jobs.EventCommitted)
		e.Version, e.Table, e.DeadRecords = v.version, f.lane.table.Path(), int64(len(f.letters))
		crash.Point("before-event")
		if err := s.buryRecords(ctx, f); err != nil {
			return err
		}
		if err := s.queue.PublishEvent(ctx, e); err != nil {
			return fmt.Errorf("publish event: %w", err)
		}
		if err := s.acquit(ctx, f); err != nil {
			return err
		}
		crash.Point("before-ack")
		err := f.delivery.Ack(ctx)
		crash.Point("after-ack")
		return err
	case v.outcome == export.Cancelled:
		if err := s.queue.PublishEvent(ctx, f.event(jobs.EventDropped)); err != nil {
			return fmt.Errorf("publish event: %w", err)
		}
		s.metrics.dropped.Inc()
		return f.delivery.Term(ctx, "cancelled")
	default:
		if errors.Is(v.cause, export.ErrRefused) {
			v.delay = refusedDelay(f.delivery.Delivered)
		}
		return f.delivery.Nak(v.delay)
	}
}

// bury makes a delivery a dead letter. The verdict goes into the table's log
// first, so that nobody can commit its rows any more; there is none to write
// when the delivery never had a table, or when its table or identity is what
// stands in the way.
func (s *settler) bury(ctx context.Context, f *flight, why *jobs.Invalid) error {
	if f.lane != nil && why.Class != jobs.Schema && why.Class != jobs.IdentityConflict && why.Class != classJudged {
		result, err := f.lane.table.Judge(ctx, []export.Verdict{export.DeadVerdict(f.key)})
		if err != nil {
			return fmt.Errorf("write verdict: %w", err)
		}
		switch result.Outcomes[f.key.AppID] {
		case export.Committed: // by another daemon
			return s.conclude(ctx, f, verdict{outcome: export.Committed, version: result.Version})
		case export.Dead:
		default:
			return fmt.Errorf("write verdict: %w", errLookAgain)
		}
	}
	payload, err := f.delivery.Payload(ctx)
	if err != nil {
		return fmt.Errorf("read payload of dead letter: %w", err)
	}
	letter := queue.DeadLetter{
		Key: f.letterKey(), Class: why.Class, Reason: why.Reason, Delivery: f.delivery, Payload: payload, ModelSHA256: f.weights,
	}
	crash.Point("before-letter")
	known, err := s.letterOf(ctx, f, why)
	if err == nil && known == nil {
		err = s.queue.PublishDead(ctx, letter)
	}
	if err != nil {
		return fmt.Errorf("publish dead letter: %w", err)
	}
	e := f.event(jobs.EventDead)
	e.Class, e.Reason = why.Class, why.Reason
	if known != nil {
		e.Class, e.Reason = known.Class, known.Reason
	}
	if err := s.queue.PublishEvent(ctx, e); err != nil {
		return fmt.Errorf("publish event: %w", err)
	}
	if err := s.acquit(ctx, f); err != nil {
		return err
	}
	crash.Point("before-term")
	return f.delivery.Term(ctx, why.Class)
}

// letterOf finds the letter of a delivery that was judged dead before it came, also under the name that an older version
// gave it; nil where there is none. It says why.
func (s *settler) letterOf(ctx context.Context, f *flight, why *jobs.Invalid) (*queue.DeadEntry, error) {
	if why.Class != classJudged {
		return nil, nil
	}
	for _, key := range []string{f.letterKey(), f.key.Older()} {
		known, err := s.queue.GetDead(ctx, jobs.KeyHash(key))
		switch {
		case errors.Is(err, queue.ErrNotFound):
		case err != nil:
			return nil, err
		case known.Task == f.task && known.Model == f.model:
			return &known, nil
		}
	}
	return nil, nil
}

// buryRecords publishes the letters of records that were given up while their neighbours became rows.
func (s *settler) buryRecords(ctx context.Context, f *flight) error {
	for _, letter := range f.letters {
		if err := s.queue.PublishDead(ctx, letter); err != nil {
			return fmt.Errorf("publish dead letter of a record: %w", err)
		}
		s.log.WarnContext(ctx, "a record is a dead letter", "job", f.job, "shard", f.shard, "class", letter.Class, "reason", letter.Reason)
	}
	return nil
}

// acquit forgets that a delivery was a suspect, once everything that became of it is known elsewhere.
func (s *settler) acquit(ctx context.Context, f *flight) error {
	if f.delivery.Delivered <= suspectAfter || f.lane == nil {
		return nil
	}
	err := f.lane.table.EndTrial(ctx, f.key, f.vectors.Kind())
	if errors.Is(err, export.ErrSchema) || errors.Is(err, export.ErrRefused) {
		return nil // a table that is not ours to write to has no trials
	}
	return err
}

// name is the verdict's word in logs and metrics.
func (v verdict) name() string {
	switch {
	case v.dead != nil:
		return "dead"
	case v.outcome == export.Committed && v.skipped:
		return "skipped"
	case v.outcome == export.Committed:
		return "committed"
	case v.outcome == export.Cancelled:
		return "cancelled"
	}
	return "handed_back"
}

// judge turns what the table's log says of a key into a verdict. An Absent
// outcome is none: the delivery is still to be worked on.
func judge(o export.Outcome, version int64) verdict {
	switch o {
	case export.Conflict:
		return verdict{dead: &jobs.Invalid{Class: jobs.IdentityConflict,
			Reason: "this job and shard are in the table already, from a message with another payload; publish it under another job or shard name"}}
	case export.Dead:
		return verdict{dead: &jobs.Invalid{Class: classJudged, Reason: "judged dead earlier; see the table's log"}}
	}
	return verdict{outcome: o, version: version}
}
