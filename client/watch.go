package client

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"textmill/ground/plain"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// doneWait is how long Watch gives a daemon to say `done` when all shards are settled.
const doneWait = 3 * time.Second

// WatchOptions say which job to watch and where to.
type WatchOptions struct {
	Job    string
	JSON   bool // events as they are, one a line
	Stdout io.Writer
	Stderr io.Writer
}

// Watch writes the job's events, those that there are and those that come, until the job is done or cancelled.
// It returns ErrDeadLetters or ErrCancelled as Submit does, and ErrInterrupted when ctx ends first.
func Watch(ctx context.Context, q *queue.Queue, o WatchOptions) error {
	if err := q.EnsureStreams(ctx, queue.StreamOptions{}); err != nil {
		return err
	}
	w := watcher{o: o, done: make(chan struct{})}
	tracker, err := q.Track(ctx, queue.TrackOptions{Job: o.Job, OnEvent: w.event})
	if err != nil {
		return err
	}
	defer tracker.Close()
	if _, known := tracker.Job(o.Job); !known {
		waiting, err := q.UnservedSubjects(ctx, func(string, string) bool { return false })
		if err != nil {
			return err
		}
		if !waits(waiting, o.Job) {
			return fmt.Errorf("%w: %s", ErrUnknownJob, o.Job)
		}
	}
	for {
		changed := tracker.Changed()
		if err := w.failed(); err != nil {
			return err
		}
		status, _ := tracker.Job(o.Job)
		switch status.State {
		case queue.StateCancelled:
			return fmt.Errorf("%w: %s", ErrCancelled, o.Job)
		case queue.StateDone, queue.StateFailed:
			return w.finish(ctx, status)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: the job goes on", interruption(ctx))
		case <-changed:
		}
	}
}

func waits(waiting []queue.SubjectState, job string) bool {
	for _, w := range waiting {
		if w.Job == job {
			return true
		}
	}
	return false
}

// watcher writes events from the tracker's goroutine.
type watcher struct {
	o    WatchOptions
	mu   sync.Mutex
	err  error
	over sync.Once
	done chan struct{} // closed at the `done` event
}

func (w *watcher) event(e jobs.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := plain.Text(eventLine(e))
	if w.o.JSON {
		line = string(e.AppendJSON(nil))
	}
	if _, err := fmt.Fprintln(w.o.Stdout, line); err != nil && w.err == nil {
		w.err = err
	}
	if e.Type == jobs.EventDone {
		w.over.Do(func() { close(w.done) })
	}
}

func (w *watcher) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// finish lets the `done` event be written too, where a daemon is there to publish it.
func (w *watcher) finish(ctx context.Context, s queue.JobStatus) error {
	late := time.NewTimer(doneWait)
	defer late.Stop()
	select {
	case <-w.done:
	case <-late.C:
	case <-ctx.Done():
	}
	line := fmt.Sprintf("job %s is %s: %d shards, %d rows, %d of them errors; %d texts cut, %d tokens dropped; %d shards dead",
		s.Job, s.State, s.ShardsDone, s.Rows, s.Errors, s.Truncated, s.CutTokens, s.Dead)
	if s.Resolved > 0 {
		line += fmt.Sprintf("; %d dead shards resolved", s.Resolved)
	}
	fmt.Fprintln(w.o.Stderr, line)
	if s.Dead > 0 {
		return fmt.Errorf("%w: %d; see textmill dead list --job %s", ErrDeadLetters, s.Dead, s.Job)
	}
	return w.failed()
}

// eventLine is an event for people.
func eventLine(e jobs.Event) string {
	at := e.Time.Local().Format(time.TimeOnly)
	switch e.Type {
	case jobs.EventSubmitted:
		if e.Shards == 0 {
			return at + " submitted: being cut"
		}
		return fmt.Sprintf("%s submitted: %d shards", at, e.Shards)
	case jobs.EventCommitted:
		return fmt.Sprintf("%s committed shard %s: %d rows, %d of them errors, %d texts cut, version %d of %s", at, e.Shard,
			e.Rows, e.Errors,
			e.Truncated, e.Version, e.Table)
	case jobs.EventDead:
		return fmt.Sprintf("%s dead shard %s: %s (%s)", at, e.Shard, orUnknown(e.Class), e.Reason)
	case jobs.EventResolved:
		return fmt.Sprintf("%s resolved dead shard %s: %s", at, e.Shard, e.Reason)
	case jobs.EventCancelled:
		if e.Table == "" {
			return at + " cancelled: asked for"
		}
		return fmt.Sprintf("%s cancelled: version %d of %s", at, e.Version, e.Table)
	case jobs.EventDone:
		return fmt.Sprintf("%s done: %d shards, %d rows, %d of them errors", at, e.Shards, e.Rows, e.Errors)
	}
	return at + " " + e.Type
}
