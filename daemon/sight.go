package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"textmill/client"
	"textmill/daemon/lately"
	"textmill/daemon/page"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// sight is what pages see of a daemon. What is asked of the queue is kept for a while, so that it is the same work
// whether one looks or many.
type sight struct {
	d       *Daemon
	jobs    kept[[]page.Job]
	letters kept[deadLetters]
	devices kept[[]page.Device]
}

type deadLetters struct {
	newest []page.Letter
	all    uint64
}

const (
	lettersSeen = 200
	// keptFor is how long an answer of the queue holds at least; one that takes long holds longer.
	keptFor = time.Second
	share   = 20
)

// kept is an answer that is asked for once in a while, by one at a time.
type kept[T any] struct {
	mu    sync.Mutex
	until time.Time
	value T
}

func (k *kept[T]) get(ask func() (T, error)) (T, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	begun := time.Now()
	if begun.Before(k.until) {
		return k.value, nil
	}
	value, err := ask()
	if err == nil {
		now := time.Now()
		k.value, k.until = value, now.Add(max(keptFor, share*now.Sub(begun)))
	}
	return value, err
}

// forget has the next look ask again.
func (k *kept[T]) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until = time.Time{}
}

// sample remembers what was counted, every so often, until ctx ends.
func (d *Daemon) sample(ctx context.Context) {
	tick := time.NewTicker(lately.Every)
	defer tick.Stop()
	for {
		now := lately.Sample{At: time.Now(), Sums: d.metrics.Sums()}
		now.Processor = processor()
		d.lately.Sampled(now)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Now is how the daemon is.
func (s *sight) Now() page.Now {
	state, m := s.d.state(), s.d.lately
	n := page.Now{Problems: state.NotReady, Since: m.Since(), Samples: m.Samples(), Commits: m.Commits(),
		Troubles: m.Troubles()}
	if state.LettersFull != "" {
		n.Problems = append(n.Problems, "dead letters: "+state.LettersFull)
	}
	for _, subject := range state.Unserved {
		n.Problems = append(n.Problems, "no daemon serves "+subject+", where messages wait")
	}
	for _, why := range state.Refused {
		n.Problems = append(n.Problems, why)
	}
	slices.Sort(n.Problems)
	n.Devices, _ = s.devices.get(func() ([]page.Device, error) { return s.d.devices(), nil })
	return n
}

// Jobs are all, those too of which only waiting messages are known.
func (s *sight) Jobs(ctx context.Context) ([]page.Job, error) {
	return s.jobs.get(func() ([]page.Job, error) {
		list, _, err := s.d.queue.WithWaiting(ctx, s.d.events.Tracker().Jobs(), "")
		if err != nil {
			return nil, err
		}
		all := make([]page.Job, len(list))
		for i := range list {
			all[i] = seen(&list[i])
		}
		return all, nil
	})
}

func seen(j *queue.JobStatus) page.Job {
	return page.Job{Name: j.Job, State: j.State, Task: j.Task, Model: j.Model, Dataset: j.Dataset, Shards: j.Shards,
		Done: j.ShardsDone, Dead: j.Dead, Resolved: j.Resolved, Rows: j.Rows, Errors: j.Errors, Truncated: j.Truncated,
		Cut: j.CutTokens, Dropped: j.Dropped, ETASeconds: j.ETASeconds, RowsPerSecond: j.RowsPerSecond, Updated: j.Updated,
		Shared: jobs.Shared(j.Job)}
}

// Job is one of them, with what this daemon knows of its error rows.
func (s *sight) Job(ctx context.Context, name string) (page.Job, error) {
	if status, ok := s.d.events.Tracker().Job(name); ok {
		j := seen(&status)
		j.Classes = s.d.lately.Errors(name)
		return j, nil
	}
	all, err := s.Jobs(ctx)
	if err != nil {
		return page.Job{}, err
	}
	if i := slices.IndexFunc(all, func(j page.Job) bool { return j.Name == name }); i >= 0 {
		return all[i], nil
	}
	return page.Job{}, noSuch("job", name)
}

func noSuch(what, name string) *page.Failure {
	return &page.Failure{Status: http.StatusNotFound, Message: fmt.Sprintf("There is no %s %q.", what, name)}
}

func conflict(err error) *page.Failure {
	return &page.Failure{Status: http.StatusConflict, Message: err.Error()}
}

// cancelWait is how long somebody on a page waits for a daemon to confirm; his page tells when it does.
const cancelWait = 5 * time.Second

// Cancel cancels a job as the command does.
func (s *sight) Cancel(ctx context.Context, name string) error {
	defer s.jobs.forget()
	_, err := client.Cancel(ctx, s.d.queue, client.CancelOptions{Job: name, Wait: cancelWait, Stdout: io.Discard,
		Stderr: io.Discard})
	switch {
	case errors.Is(err, client.ErrUnknownJob):
		return noSuch("job", name)
	case errors.Is(err, client.ErrDone), errors.Is(err, client.ErrUsage):
		return conflict(err)
	}
	return err
}

// Letters are the newest dead letters.
func (s *sight) Letters(ctx context.Context) ([]page.Letter, uint64, error) {
	got, err := s.letters.get(func() (l deadLetters, err error) {
		newest, all, err := s.d.queue.NewestDead(ctx, lettersSeen)
		l.all = all
		for i := range newest {
			l.newest = append(l.newest, letterOf(&newest[i]))
		}
		return l, err
	})
	return got.newest, got.all, err
}

func letterOf(e *queue.DeadEntry) page.Letter {
	l := page.Letter{ID: e.ID, Task: e.Task, Model: e.Model, Subject: e.Subject, Class: e.Class, Reason: e.Reason,
		Attempts: e.Attempts, Retry: e.Retry, Size: e.Size, Sequence: e.Sequence, Time: e.Time,
		Conflict: e.Class == jobs.IdentityConflict}
	if subject, err := jobs.ParseSubject(e.Subject); err == nil {
		l.Job = subject.Job
	}
	return l
}

// Letter is one of them with its payload.
func (s *sight) Letter(ctx context.Context, id string) (page.Letter, []byte, error) {
	e, err := s.d.queue.GetDead(ctx, id)
	if errors.Is(err, queue.ErrNotFound) {
		return page.Letter{}, nil, noSuch("dead letter", id)
	}
	if err != nil {
		return page.Letter{}, nil, err
	}
	return letterOf(&e), e.Payload, nil
}

// Settle retries a letter, or does what else is said, as the command does.
func (s *sight) Settle(ctx context.Context, id string, how page.Settlement) error {
	defer s.letters.forget()
	defer s.jobs.forget()
	o := client.DeadOptions{AsNewJob: how.AsNewJob, Stdout: io.Discard, Stderr: io.Discard}
	if how.Drop {
		o.Keep = client.KeepCommitted
	}
	err := client.DeadRetry(ctx, s.d.queue, []string{id}, o)
	switch {
	case errors.Is(err, queue.ErrNotFound):
		return noSuch("dead letter", id)
	case errors.Is(err, client.ErrConflict), errors.Is(err, client.ErrUsage):
		return conflict(err)
	}
	return err
}
