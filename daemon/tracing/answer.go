package tracing

import (
	"context"
	"errors"
	"iter"

	"textmill/work/trace"
)

// An Answer is what is told, an event at a time as the model runs. It is for one goroutine, which has to close it.
type Answer struct {
	// Waits, when set, is called before each event that is waited for.
	Waits func()

	next  trace.Event
	ready bool
	pull  func() (trace.Event, bool)
	close func()
	err   error
}

// errLeft ends the work for an answer that was closed.
var errLeft = errors.New("nobody reads the answer")

func answer(ctx context.Context, m Model, texts []string, params []byte, done func()) *Answer {
	ctx, cancel := context.WithTimeout(ctx, Time)
	a := &Answer{}
	pull, stop := iter.Pull(func(yield func(trace.Event) bool) {
		a.err = m.run(ctx, texts, params, func(e trace.Event) error {
			if !yield(e) {
				return errLeft
			}
			return nil
		})
	})
	a.pull = pull
	a.close = func() {
		defer done()
		defer cancel()
		stop()
	}
	return a
}

// Peek is the next event, nil at the end.
func (a *Answer) Peek() trace.Event {
	if !a.ready {
		if a.Waits != nil {
			a.Waits()
		}
		a.next, _ = a.pull()
		a.ready = true
	}
	return a.next
}

// Next takes the next event, nil at the end.
func (a *Answer) Next() trace.Event {
	e := a.Peek()
	a.ready = e == nil
	return e
}

// Err is why the answer ended before it was whole; nil if it was, or has not ended.
func (a *Answer) Err() error { return a.err }

// Close ends the work.
func (a *Answer) Close() { a.close() }

// Each takes the next events as long as they are of type E.
func Each[E trace.Event](a *Answer) iter.Seq[E] {
	return func(yield func(E) bool) {
		for {
			e, ok := a.Peek().(E)
			if !ok {
				return
			}
			a.Next()
			if !yield(e) {
				return
			}
		}
	}
}

// One takes the next event if it is of type E.
func One[E trace.Event](a *Answer) *E {
	e, ok := a.Peek().(E)
	if !ok {
		return nil
	}
	a.Next()
	return &e
}
