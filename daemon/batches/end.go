package batches

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"textmill/client"
	"textmill/jobs/queue"
	"textmill/work/batchlines"
)

// end begins the end of a batch.
func (s *Batches) end(ctx context.Context, h *held, end Status) error {
	return h.change(ctx, func(b *Batch) {
		b.End = end
		if end == Cancelled {
			b.enter(Cancelling)
		} else {
			b.enter(Finalizing)
		}
		b.Settled = end == Completed // every message has its verdict
	})
}

const (
	cancelTries = 3
	confirmWait = 10 * time.Second
)

// settle ends the job of a batch before its time: what is not committed then never is.
func (s *Batches) settle(ctx context.Context, h *held) error {
	b := h.now()
	for try := 0; b.Model != "" && try < cancelTries; try++ {
		settled, err := s.cancelJob(ctx, b.ID)
		if err != nil {
			return err
		}
		if settled {
			break
		}
	}
	s.o.Point("batch-settled")
	return h.change(ctx, func(b *Batch) { b.Settled = true })
}

// cancelJob ends a batch's job, and says whether one who commits has confirmed it or there is nothing to end.
func (s *Batches) cancelJob(ctx context.Context, id string) (settled bool, err error) {
	c, err := client.Cancel(ctx, s.o.Queue, client.CancelOptions{Job: id, Wait: confirmWait, Stdout: io.Discard,
		Stderr: io.Discard})
	switch {
	case errors.Is(err, client.ErrDone), errors.Is(err, client.ErrUnknownJob):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("end the job of batch %s: %w", id, err)
	}
	return len(c.Tables) > 0, nil
}

// finish makes files of what was collected, and then says that the batch is over.
func (s *Batches) finish(ctx context.Context, h *held) error {
	b := h.now()
	for _, f := range []*File{b.Output, b.Errors} {
		if f == nil {
			continue
		}
		if err := s.putFile(ctx, f, 0); err != nil && !errors.Is(err, queue.ErrChanged) { // who was here before has made it
			return fmt.Errorf("make the files of batch %s: %w", b.ID, err)
		}
	}
	s.o.Point("batch-files")
	err := h.change(ctx, func(b *Batch) { b.enter(b.End) })
	if err == nil {
		s.o.Log.InfoContext(ctx, "batch is over", "batch", b.ID, "status", string(b.End), "requests", b.Counts.Total,
			"completed", b.Counts.Completed, "failed", b.Counts.Failed)
	}
	return err
}

// unanswered is what the line of a request says that has no row.
func unanswered(end Status, why string) *batchlines.Failure {
	switch end {
	case Expired:
		return &batchlines.Failure{Code: "batch_expired",
			Message: "This request could not be executed before the completion window expired."}
	case Cancelled:
		return &batchlines.Failure{Code: "batch_cancelled",
			Message: "This request was not executed, since the batch was cancelled."}
	}
	return &batchlines.Failure{Code: "no_answer", Message: "This request has no row in the table: " + why}
}
