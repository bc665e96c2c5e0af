package batches

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"textmill/client"
	"textmill/ground/naming"
	"textmill/input"
	"textmill/jobs/queue"
)

// errExpired ends the publication of a batch whose time is over.
var errExpired = errors.New("the time of the batch is over")

// publish sends the job of a batch, as textmill submit does: the same shards whoever sends them and however often, so
// that what is in the table or on its way is not made again.
func (s *Batches) publish(ctx context.Context, h *held) error {
	b := h.now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A deadline of hours would be what each question to the server has, whose own are seconds.
	defer time.AfterFunc(time.Until(time.Unix(b.Expires, 0)), func() { cancel(errExpired) }).Stop()
	o := s.o.Submit
	o.Task, o.Model, o.Dataset, o.Job = b.Task, b.Model, b.Dataset, b.ID
	o.Params = paramsOf(b.Task, 0) // each request says its dimensions
	o.OnRepeat, o.Tracer, o.Trace = naming.RepeatAppend, s.o.Tracer, b.Trace
	o.Files, o.Stdin = []string{"-"}, s.o.Queue.Content(ctx, b.Input)
	o.Input.Format = input.OpenAIBatch
	o.Force = true // it was validated, and what is wrong with a request's body is answered
	o.NoWait, o.Quiet = true, true
	o.Stdout, o.Stderr = io.Discard, io.Discard
	done, err := client.Submit(ctx, s.o.Queue, o)
	switch {
	case errors.Is(err, client.ErrCancelled): // by textmill cancel
		return s.end(ctx, h, Cancelled)
	case errors.Is(err, queue.ErrNotWhole):
		return h.change(ctx, func(b *Batch) {
			b.Problems = []Problem{inputGone(err)}
			b.enter(Failed)
		})
	case errors.Is(context.Cause(ctx), errExpired): // what is next is its end
		return nil
	case done.Shards > 0 && (errors.Is(err, client.ErrErrorRows) || errors.Is(err, client.ErrDeadLetters)):
	case err != nil:
		return fmt.Errorf("publish batch %s: %w", b.ID, err)
	}
	s.o.Point("batch-published")
	return h.change(ctx, func(b *Batch) { b.Published, b.Shards = true, done.Shards })
}
