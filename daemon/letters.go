package daemon

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"textmill/jobs/queue"
)

// tellFullEvery is how often it is logged that the stream of dead letters stays full.
const tellFullEvery = time.Minute

// letters is the way into the stream of dead letters, which may be full. Then what would become a letter waits in the queue, is tried
// again now and then, and is told of once a minute, not each time.
type letters struct {
	queue *queue.Queue
	log   *slog.Logger
	gauge prometheus.Gauge // 1 while it is full

	mu    sync.Mutex
	full  error // nil where it takes letters
	tries int   // that it has refused since it was told last
	told  time.Time
}

// publish keeps a letter.
func (l *letters) publish(ctx context.Context, letter queue.DeadLetter) error {
	err := l.queue.PublishDead(ctx, letter)
	if err == nil || errors.Is(err, queue.ErrFull) {
		l.note(ctx, err)
	}
	return err
}

// room refuses what would not get in, so that no verdict is in a table's log whose reason is kept nowhere.
func (l *letters) room(ctx context.Context, payload int) error {
	have, err := l.queue.DeadRoom(ctx)
	if err != nil {
		return err
	}
	if err = have.For(payload); err != nil {
		l.note(ctx, err)
	}
	return err
}

func (l *letters) note(ctx context.Context, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		if l.full != nil {
			l.log.InfoContext(ctx, "dead letters are taken again")
		}
		l.full, l.tries, l.told = nil, 0, time.Time{}
		l.gauge.Set(0)
		return
	}
	l.full = err
	l.gauge.Set(1)
	if l.tries++; time.Since(l.told) >= tellFullEvery {
		l.log.ErrorContext(ctx, "the stream of dead letters is full; what would become one waits in the queue", "error", err.Error(), "tries", l.tries, "remedy", queue.RemedyFull)
		l.tries, l.told = 0, time.Now()
	}
}

// trouble is why letters are not taken, "" where they are.
func (l *letters) trouble() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full == nil {
		return ""
	}
	return l.full.Error() + "; " + queue.RemedyFull
}

// lookAgain notices that there is room again where nothing waits that would.
func (l *letters) lookAgain(ctx context.Context) {
	if l.trouble() == "" {
		return
	}
	if have, err := l.queue.DeadRoom(ctx); err == nil && have.For(0) == nil {
		l.note(ctx, nil)
	}
}
