// Package letters is the way into the stream of dead letters, which may be full.
package letters

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"textmill/daemon/metrics"
	"textmill/jobs/queue"
)

// tellFullEvery is how often it is logged that the stream of dead letters stays full.
const tellFullEvery = time.Minute

// Writer keeps letters. While there is no room, what would become one waits in the queue, is tried again now and then,
// and is told of once a minute, not each time.
type Writer struct {
	queue   *queue.Queue
	metrics *metrics.Metrics
	log     *slog.Logger

	mu    sync.Mutex
	full  error // nil where it takes letters
	tries int   // that it has refused since it was told last
	told  time.Time
}

// New makes a Writer that believes in room until it is told otherwise.
func New(q *queue.Queue, m *metrics.Metrics, log *slog.Logger) *Writer {
	return &Writer{queue: q, metrics: m, log: log}
}

// Publish keeps a letter.
func (w *Writer) Publish(ctx context.Context, letter queue.DeadLetter) error {
	err := w.queue.PublishDead(ctx, letter)
	if err == nil || errors.Is(err, queue.ErrFull) {
		w.note(ctx, err)
	}
	return err
}

// Room refuses what would not get in, so that no verdict is in a table's log whose reason is kept nowhere.
func (w *Writer) Room(ctx context.Context, payload int) error {
	have, err := w.queue.DeadRoom(ctx)
	if err != nil {
		return err
	}
	if err = have.For(payload); err != nil {
		w.note(ctx, err)
	}
	return err
}

func (w *Writer) note(ctx context.Context, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		if w.full != nil {
			w.log.InfoContext(ctx, "dead letters are taken again")
		}
		w.full, w.tries, w.told = nil, 0, time.Time{}
		w.metrics.LettersFull(false)
		return
	}
	w.full = err
	w.metrics.LettersFull(true)
	if w.tries++; time.Since(w.told) >= tellFullEvery {
		w.log.ErrorContext(ctx, "the stream of dead letters is full; what would become one waits in the queue",
			"error", err, "tries", w.tries, "remedy", queue.RemedyFull)
		w.tries, w.told = 0, time.Now()
	}
}

// Trouble is why letters are not taken, "" where they are.
func (w *Writer) Trouble() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.full == nil {
		return ""
	}
	return w.full.Error() + "; " + queue.RemedyFull
}

// LookAgain notices that there is room again where nothing waits that would.
func (w *Writer) LookAgain(ctx context.Context) {
	if w.Trouble() == "" {
		return
	}
	if have, err := w.queue.DeadRoom(ctx); err == nil && have.For(0) == nil {
		w.note(ctx, nil)
	}
}
