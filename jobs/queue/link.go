package queue

import (
	"context"
	"errors"
	"sync"
)

// link ends the waits for answers that a lost connection will never bring.
type link struct {
	mu  sync.Mutex
	up  context.Context
	cut context.CancelCauseFunc
}

func (l *link) made() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.up, l.cut = context.WithCancelCause(context.Background())
}

func (l *link) lost() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut(ErrDisconnected)
}

// bind gives a context that ends with ctx and, for the reason ErrDisconnected,
// with the connection.
func (l *link) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	l.mu.Lock()
	up := l.up
	l.mu.Unlock()
	bound, cut := context.WithCancelCause(ctx)
	stop := context.AfterFunc(up, func() { cut(ErrDisconnected) })
	return bound, func() {
		stop()
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
