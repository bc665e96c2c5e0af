package local

import (
	"context"

	"golang.org/x/sync/semaphore"
)

// What may be under way between input and output.
const (
	maxWaiting      = 8192
	maxWaitingBytes = 64 << 20
)

// ordered hands out the results of concurrent work in the order in which the work was added.
type ordered[T any] struct {
	ctx   context.Context
	space *semaphore.Weighted
	slots chan *slot[T]
	end   error // why nothing more is added; set before slots is closed
}

// slot is the place of one result, which is sent to it exactly once.
type slot[T any] struct {
	result chan T
	cost   int64
}

func newOrdered[T any](ctx context.Context) *ordered[T] {
	return &ordered[T]{ctx: ctx, space: semaphore.NewWeighted(maxWaitingBytes), slots: make(chan *slot[T], maxWaiting)}
}

// add takes the next place, waiting while too much is under way. cost is about what the work and its result hold.
func (o *ordered[T]) add(cost int64) (*slot[T], error) {
	s := &slot[T]{result: make(chan T, 1), cost: min(max(cost, 1), maxWaitingBytes)}
	if err := o.space.Acquire(o.ctx, s.cost); err != nil {
		return nil, context.Cause(o.ctx)
	}
	select {
	case o.slots <- s:
		return s, nil
	case <-o.ctx.Done():
		return nil, context.Cause(o.ctx)
	}
}

// finish says that nothing more is added, and why; nil at the end of the input.
func (o *ordered[T]) finish(err error) {
	o.end = err
	close(o.slots)
}

// drain passes results to emit until finish, and calls idle before it waits for one. It returns when the context ends
// even if the input still blocks in a read.
func (o *ordered[T]) drain(emit func(T) error, idle func() error) error {
	for {
		s, more, err := receive(o.ctx, o.slots, idle)
		if err != nil {
			return err
		}
		if !more {
			return o.end
		}
		result, _, err := receive(o.ctx, s.result, idle)
		if err != nil {
			return err
		}
		if err := emit(result); err != nil {
			return err
		}
		o.space.Release(s.cost)
	}
}

func receive[T any](ctx context.Context, from <-chan T, idle func() error) (v T, more bool, err error) {
	select {
	case v, more = <-from:
		return v, more, nil
	default:
	}
	if err := idle(); err != nil {
		return v, false, err
	}
	select {
	case v, more = <-from:
		return v, more, nil
	case <-ctx.Done():
		return v, false, context.Cause(ctx)
	}
}
