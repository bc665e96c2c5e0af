package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"textmill/crash"
	"textmill/daemon/letters"
	"textmill/daemon/metrics"
	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// errLookAgain: the table's log got something meanwhile that only a look at its rows explains.
var errLookAgain = errors.New("the delivery must be looked up again")

// settleAtOnce bounds the confirmations that one dataset waits for at a time.
const settleAtOnce = 64

// settler ends deliveries. No other code acks.
type settler struct {
	queue   *queue.Queue
	letters *letters.Writer
	log     *slog.Logger
	metrics *metrics.Metrics
}

// settle tells the world of an outcome and ends the delivery, in the order that
// makes every step repeatable: the verdict is in the table's log first, then
// come dead letter and event, each confirmed by the server, then the ack. If a
// step fails the delivery stays unsettled, comes again and is skipped.
func (s *settler) settle(ctx context.Context, f *flight, o outcome) {
	o, err := s.judge(ctx, f, o)
	if err == nil {
		err = s.conclude(ctx, f, o)
	}
	attrs := []any{"job", f.job, "shard", f.shard, "dataset", f.dataset, "sequence", f.delivery.Sequence,
		"attempt", f.delivery.Delivered, "verdict", o.kind.String(), "rows", f.rows, "errors", f.errors}
	if o.cause != nil {
		attrs = append(attrs, "cause", o.cause.Error())
	}
	if o.kind == dead {
		attrs = append(attrs, "class", o.class, "reason", o.reason)
	}
	if err != nil {
		s.unsettled(ctx, f, err, attrs)
		return
	}
	s.metrics.Settled(o.kind.String(), o.class)
	level := slog.LevelInfo
	if o.kind == dead || o.kind == handedBack {
		level = slog.LevelWarn
	}
	s.log.Log(ctx, level, "delivery settled", attrs...)
}

// unsettled leaves a delivery to come again: at the end of its lease, or a while after it met a stream that was full.
func (s *settler) unsettled(ctx context.Context, f *flight, err error, attrs []any) {
	s.metrics.Settled(handedBack.String(), "")
	level := slog.LevelWarn
	if errors.Is(err, queue.ErrFull) {
		level = slog.LevelDebug // letters tells of all of them
		err = errors.Join(err, f.delivery.Nak(refusedDelay(f.delivery.Delivered)))
	}
	s.log.Log(ctx, level, "delivery not settled, it will come again", append(attrs, "error", err.Error())...)
}

// judge writes the verdict on what becomes a dead letter into the table's log, so that nobody can commit its rows any more,
// and gives what the log says then: another daemon may have committed them before. There is none to write when the delivery
// never had a table.
func (s *settler) judge(ctx context.Context, f *flight, o outcome) (outcome, error) {
	if !o.judge || f.lane == nil {
		return o, nil
	}
	if err := s.letters.Room(ctx, f.delivery.Size); err != nil {
		return o, fmt.Errorf("publish dead letter: %w", err)
	}
	result, err := f.lane.table.Judge(ctx, []export.Verdict{export.DeadVerdict(f.key)})
	if err != nil {
		return o, fmt.Errorf("write verdict: %w", err)
	}
	switch logged := result.Outcomes[f.key.AppID]; logged {
	case export.Dead:
		return o, nil
	case export.Committed:
		return decide(finding{logged: logged, version: result.Version}), nil
	}
	return o, fmt.Errorf("write verdict: %w", errLookAgain)
}

func (s *settler) conclude(ctx context.Context, f *flight, o outcome) error {
	switch o.kind {
	case dead:
		return s.bury(ctx, f, o)
	case committed, skipped:
		e := f.event(jobs.EventCommitted)
		e.Version, e.Table, e.DeadRecords = o.version, f.lane.table.Path(), int64(len(f.letters))
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
	case cancelled:
		if err := s.queue.PublishEvent(ctx, f.event(jobs.EventDropped)); err != nil {
			return fmt.Errorf("publish event: %w", err)
		}
		s.metrics.Dropped(1)
		return f.delivery.Term(ctx, "cancelled")
	default:
		return f.delivery.Nak(o.after)
	}
}

// bury makes a delivery a dead letter.
func (s *settler) bury(ctx context.Context, f *flight, o outcome) error {
	payload, err := f.delivery.Payload(ctx)
	if err != nil {
		return fmt.Errorf("read payload of dead letter: %w", err)
	}
	letter := queue.DeadLetter{
		Key: f.letterKey(), Class: o.class, Reason: o.reason, Delivery: f.delivery, Payload: payload, ModelSHA256: f.weights,
	}
	crash.Point("before-letter")
	known, err := s.letterOf(ctx, f, o)
	if err == nil && known == nil {
		err = s.letters.Publish(ctx, letter)
	}
	if err != nil {
		return fmt.Errorf("publish dead letter: %w", err)
	}
	e := f.event(jobs.EventDead)
	e.Class, e.Reason = o.class, o.reason
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
	return f.delivery.Term(ctx, o.class)
}

// letterOf finds the letter of a delivery that was judged dead before it came, also under the name that an older version
// gave it; nil where there is none. It says why it died.
func (s *settler) letterOf(ctx context.Context, f *flight, o outcome) (*queue.DeadEntry, error) {
	if o.class != classJudged {
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
		if err := s.letters.Publish(ctx, letter); err != nil {
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
