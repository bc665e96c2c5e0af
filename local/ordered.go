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

// Ordered hands out the results of concurrent work in the order in which the work was added.
type Ordered[T any] struct {
	space *semaphore.Weighted
	slots chan *Slot[T]
	end   error // why nothing more is added; set before slots is closed
}

// Slot is the place of one result, which is sent to it exactly once.
type Slot[T any] struct {
	Result chan T
	cost   int64
}

// NewOrdered has nothing under way yet.
func NewOrdered[T any]() *Ordered[T] {
	return &Ordered[T]{space: semaphore.NewWeighted(maxWaitingBytes), slots: make(chan *Slot[T], maxWaiting)}
}

// Add takes the next place, waiting while too much is under way or until ctx ends. cost is about what the work and its
// result hold.
func (o *Ordered[T]) Add(ctx context.Context, cost int64) (*Slot[T], error) {
	s := &Slot[T]{Result: make(chan T, 1), cost: min(max(cost, 1), maxWaitingBytes)}
	if err := o.space.Acquire(ctx, s.cost); err != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case o.slots <- s:
		return s, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Finish says that nothing more is added, and why; nil at the end of the input.
func (o *Ordered[T]) Finish(err error) {
	o.end = err
	close(o.slots)
}

// Drain passes results to emit until Finish, and calls idle before it waits for one. It returns when the context ends
// even if the input still blocks in a read.
func (o *Ordered[T]) Drain(ctx context.Context, emit func(T) error, idle func() error) error {
	for {
		s, more, err := receive(ctx, o.slots, idle)
		if err != nil {
			return err
		}
		if !more {
			return o.end
		}
		result, _, err := receive(ctx, s.Result, idle)
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
