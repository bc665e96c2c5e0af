package queue

import (
	"context"
	"errors"
	"sync"
)

// link ends the waits for answers that a lost connection will never bring.
type link struct {
	mu    sync.Mutex
	down  bool
	waits map[*context.CancelCauseFunc]struct{}
}

func (l *link) made() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
	if l.waits == nil {
		l.waits = map[*context.CancelCauseFunc]struct{}{}
	}
}

func (l *link) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for cut := range l.waits {
		(*cut)(ErrDisconnected)
	}
}

// bind gives a context that ends with ctx and, for the reason ErrDisconnected,
// with the connection.
func (l *link) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	bound, cut := context.WithCancelCause(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		cut(ErrDisconnected)
	} else {
		l.waits[&cut] = struct{}{}
	}
	return bound, func() {
		l.mu.Lock()
		delete(l.waits, &cut)
		l.mu.Unlock()
		cut(context.Canceled)
	}
}

// reason is why a bound wait ended: the lost connection where it was that.
func reason(bound context.Context, err error) error {
	if errors.Is(context.Cause(bound), ErrDisconnected) {
		return ErrDisconnected
	}
	return err
}
