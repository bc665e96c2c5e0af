package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"textmill/crash"
	"textmill/daemon/inflight"
	"textmill/daemon/lately"
	"textmill/daemon/letters"
	"textmill/daemon/metrics"
	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// errLookAgain: the table's log got something meanwhile that only a look at its rows explains.
var errLookAgain = errors.New("the delivery must be looked up again")

// settler ends deliveries. No other code acks.
type settler struct {
	queue   *queue.Queue
	letters *letters.Writer
	claims  *claims
	log     *slog.Logger
	metrics *metrics.Metrics
	lately  *lately.Memory
}

// settle says what becomes of a delivery, tells the world, and ends it, in the order that makes every step repeatable:
// the verdict is in the table's log first, then come dead letter and event, each confirmed by the server, then the
// ack. If a step fails the delivery stays unsettled, comes again and is skipped. It has no table where none is to be
// had.
func (s *settler) settle(ctx context.Context, d *inflight.Delivery, t *export.Table, r result) {
	r.attempt = d.Message.Delivered
	begun := time.Now()
	o, err := s.judge(ctx, d, t, decide(r.finding))
	if err == nil && o.kind == committed { // before the event, on which somebody may look
		s.lately.Failed(d.Job, r.counts.Classes, r.counts.Examples)
	}
	if err == nil {
		err = s.conclude(ctx, d, t, r, o)
	}
	d.Trace.Span("ack", begun, time.Now())
	d.Trace.End(o.kind.String(), r.counts.Rows, r.counts.Errors, errors.Join(err, o.cause))
	attrs := []any{"job", d.Job, "shard", d.Shard, "dataset", d.Dataset, "sequence", d.Message.Sequence,
		"attempt", d.Message.Delivered, "verdict", o.kind.String(), "rows", r.counts.Rows, "errors", r.counts.Errors}
	if d.Trace.Told() {
		attrs = append(attrs, "trace_id", d.Trace.ID())
	}
	if o.cause != nil {
		attrs = append(attrs, "cause", o.cause.Error())
	}
	if o.kind == dead {
		attrs = append(attrs, "class", o.class, "reason", o.reason)
	}
	if err != nil {
		s.unsettled(ctx, d, err, attrs)
		return
	}
	s.metrics.Settled(o.kind.String(), o.class)
	if n := r.counts; o.kind == committed {
		s.metrics.Model(d.Model).Committed(metrics.Made{Records: n.Rows + n.LeftOut, Truncated: n.Truncated,
			Dropped: n.Dropped, Errors: n.Classes})
	}
	level := slog.LevelInfo
	if o.kind == dead || o.kind == handedBack {
		level = slog.LevelWarn
	}
	s.log.Log(ctx, level, "delivery settled", attrs...)
}

// unsettled leaves a delivery to come again: at the end of its lease, or a while after it met a stream that was full.
func (s *settler) unsettled(ctx context.Context, d *inflight.Delivery, err error, attrs []any) {
	s.metrics.Settled(handedBack.String(), "")
	level := slog.LevelWarn
	if errors.Is(err, queue.ErrFull) {
		level = slog.LevelDebug // letters tells of all of them
		err = errors.Join(err, d.Message.Nak(refusedDelay(d.Message.Delivered)))
	}
	s.log.Log(ctx, level, "delivery not settled, it will come again", append(attrs, "error", err)...)
}

// judge writes the verdict on what becomes a dead letter into the table's log, so that nobody can commit its rows any
// more, and gives what the log says then: another daemon may have committed them before.
func (s *settler) judge(ctx context.Context, d *inflight.Delivery, t *export.Table, o outcome) (outcome, error) {
	if !o.judge || t == nil {
		return o, nil
	}
	if err := s.letters.Room(ctx, d.Message.Size); err != nil {
		return o, fmt.Errorf("publish dead letter: %w", err)
	}
	judged, err := t.Judge(ctx, []export.Verdict{export.DeadVerdict(d.Key)})
	if err != nil {
		return o, fmt.Errorf("write verdict: %w", err)
	}
	switch logged := judged.Outcomes[d.Key.AppID]; logged {
	case export.Dead:
		return o, nil
	case export.Committed:
		return decide(finding{logged: logged, version: judged.Version}), nil
	}
	return o, fmt.Errorf("write verdict: %w", errLookAgain)
}

func (s *settler) conclude(ctx context.Context, d *inflight.Delivery, t *export.Table, r result, o outcome) error {
	switch o.kind {
	case committed, skipped:
		return s.ack(ctx, d, t, r, o)
	case dead:
		return s.deadLetter(ctx, d, t, r, o)
	case cancelled:
		if err := s.queue.PublishEvent(ctx, d.Event(jobs.EventDropped)); err != nil {
			return fmt.Errorf("publish event: %w", err)
		}
		s.metrics.Dropped(1)
		return s.endClaim(ctx, d, d.Message.Term(ctx, "cancelled"))
	default:
		return d.Message.Nak(o.after)
	}
}

// ack ends a delivery whose rows are in the table.
func (s *settler) ack(ctx context.Context, d *inflight.Delivery, t *export.Table, r result, o outcome) error {
	e := d.Event(jobs.EventCommitted)
	e.Rows, e.Errors, e.Tokens = int64(r.counts.Rows), int64(r.counts.Errors), int64(r.counts.Tokens)
	e.Truncated, e.Dropped, e.Uncounted = int64(r.counts.Truncated), int64(r.counts.Dropped), r.counts.Uncounted
	e.LeftOut = int64(r.counts.LeftOut)
	e.Version, e.Table, e.DeadRecords = o.version, t.Path(), int64(len(r.letters))
	crash.Point("before-event")
	for _, letter := range r.letters {
		if err := s.letters.Publish(ctx, letter); err != nil {
			return fmt.Errorf("publish dead letter of a record: %w", err)
		}
		s.log.WarnContext(ctx, "a record is a dead letter",
			"job", d.Job, "shard", d.Shard, "class", letter.Class, "reason", letter.Reason)
	}
	if err := s.queue.PublishEvent(ctx, e); err != nil {
		return fmt.Errorf("publish event: %w", err)
	}
	if err := s.endQuarantine(ctx, d, t, r); err != nil {
		return err
	}
	crash.Point("before-ack")
	err := d.Message.Ack(ctx)
	crash.Point("after-ack")
	return s.endClaim(ctx, d, err)
}

// endClaim removes the payload that a message claimed once the message itself is over: before that it is needed.
func (s *settler) endClaim(ctx context.Context, d *inflight.Delivery, ended error) error {
	if ended != nil {
		return ended
	}
	if err := d.Message.EndClaim(ctx); err != nil {
		s.log.WarnContext(ctx, "the payload of a settled delivery is not removed, and goes with its age",
			"job", d.Job, "shard", d.Shard, "error", err)
	}
	return nil
}

// deadLetter makes a delivery one.
func (s *settler) deadLetter(ctx context.Context, d *inflight.Delivery, t *export.Table, r result, o outcome) error {
	payload, redeemed, err := s.claims.payload(ctx, d.Message)
	if err != nil {
		return fmt.Errorf("read payload of dead letter: %w", err)
	}
	defer redeemed()
	letter := queue.DeadLetter{
		Key: d.LetterKey(), Class: o.class, Reason: o.reason, Delivery: d.Message,
		Payload: payload, ModelSHA256: d.Weights,
	}
	crash.Point("before-letter")
	known, err := s.letterOf(ctx, d, o)
	if err == nil && known == nil {
		err = s.letters.Publish(ctx, letter)
	}
	if err != nil {
		return fmt.Errorf("publish dead letter: %w", err)
	}
	e := d.Event(jobs.EventDead)
	e.Class, e.Reason = o.class, o.reason
	if known != nil {
		e.Class, e.Reason = known.Class, known.Reason
	}
	if err := s.queue.PublishEvent(ctx, e); err != nil {
		return fmt.Errorf("publish event: %w", err)
	}
	if err := s.endQuarantine(ctx, d, t, r); err != nil {
		return err
	}
	crash.Point("before-term")
	err = d.Message.Term(ctx, o.class)
	if payload == nil { // the letter keeps the claim
		return err
	}
	return s.endClaim(ctx, d, err)
}

// letterOf finds the letter of a delivery that was judged dead before it came, also under the name that an older
// version gave it; nil where there is none. It says why it died.
func (s *settler) letterOf(ctx context.Context, d *inflight.Delivery, o outcome) (*queue.DeadEntry, error) {
	if o.class != classJudged {
		return nil, nil
	}
	for _, key := range []string{d.LetterKey(), d.Key.Older()} {
		known, err := s.queue.GetDead(ctx, jobs.KeyHash(key))
		switch {
		case errors.Is(err, queue.ErrNotFound):
		case err != nil:
			return nil, err
		case known.Task == d.Task && known.Model == d.Model:
			return &known, nil
		}
	}
	return nil, nil
}

// endQuarantine forgets that a delivery ran alone, once everything that became of it is known elsewhere.
func (s *settler) endQuarantine(ctx context.Context, d *inflight.Delivery, t *export.Table, r result) error {
	if !quarantined(d.Message) || t == nil {
		return nil
	}
	err := t.EndIsolation(ctx, d.Key, r.vectors.Kind())
	if errors.Is(err, export.ErrSchema) || errors.Is(err, export.ErrRefused) {
		return nil // a table that is not ours to write to has none
	}
	return err
}
