package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"textmill/ground/naming"
	"textmill/ground/plain"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// ErrDone: the job was done before it could be cancelled (exit 1).
var ErrDone = errors.New("the job is done already")

const confirmWait = 10 * time.Second

// CancelOptions say which job to cancel and where to say so.
type CancelOptions struct {
	Job    string
	Wait   time.Duration // for a daemon's confirmation; 0 = 10 s
	JSON   bool
	Stdout io.Writer
	Stderr io.Writer
}

// Cancellation is what Cancel has done.
type Cancellation struct {
	Job    string `json:"job"`
	Purged uint64 `json:"purged"` // messages that nobody had fetched
	// Shared counts the messages that wait on subjects without a job: which of them are the job's is seen when they are
	// fetched, and those are dropped then.
	Shared uint64 `json:"shared,omitempty"`
	// Tables name where the verdict is in the log; none yet when no daemon has answered.
	Tables []string `json:"tables"`
}

// Cancel asks the daemons by an event to write the verdict into the log of each table that knows the job, and
// removes the messages that wait on the job's own subjects. Rows that are committed stay. The event lasts, so that
// daemons which are not running now see it when they start; Cancel waits a while for the first confirmation. A job
// that gathers what publishers gave no job is refused.
func Cancel(ctx context.Context, q *queue.Queue, o CancelOptions) (Cancellation, error) {
	c := Cancellation{Job: o.Job, Tables: []string{}}
	if err := naming.CheckJob(o.Job); err != nil {
		return c, fmt.Errorf("%w: job %w", ErrUsage, err)
	}
	if jobs.Shared(o.Job) {
		return c, fmt.Errorf("%w: the job %s gathers the messages that name no job, so it is not one publisher's to cancel; "+
			"give messages a job of their own (subject textmill.jobs.<task>.<model>.<job>, or header %s), or remove one that waits: "+
			"nats stream rmm %s SEQUENCE", ErrUsage, o.Job, jobs.HeaderJob, queue.JobStream)
	}
	if err := q.EnsureStreams(ctx, queue.StreamOptions{}); err != nil {
		return c, err
	}
	confirmed := confirmations{first: make(chan struct{})}
	tracker, err := q.Track(ctx, queue.TrackOptions{Job: o.Job, OnEvent: confirmed.event})
	if err != nil {
		return c, err
	}
	defer tracker.Close()
	status, known := tracker.Job(o.Job)
	if status.State == queue.StateDone || status.State == queue.StateFailed {
		return c, fmt.Errorf("%w: %s", ErrDone, o.Job)
	}
	waiting, err := q.UnservedSubjects(ctx, func(string, string) bool { return false })
	if err != nil {
		return c, err
	}
	for _, s := range waiting {
		if s.Job == "" {
			c.Shared += s.Messages
		}
	}
	if !known && c.Shared == 0 && !waits(waiting, o.Job) {
		return c, fmt.Errorf("%w: %s", ErrUnknownJob, o.Job)
	}
	last, err := q.LastSequence(ctx)
	if err != nil {
		return c, err
	}
	_, claimed, err := q.Claims(ctx)
	if err != nil {
		return c, err
	}
	confirmed.expect()
	request := jobs.Event{Type: jobs.EventCancelled, Job: o.Job, Shards: status.Shards, Time: time.Now()}
	if err := q.PublishEvent(ctx, request); err != nil {
		return c, fmt.Errorf("ask to cancel job %s: %w", o.Job, err)
	}
	if err := c.purge(ctx, q, last, claimed); err != nil {
		return c, err
	}
	if status.ShardsDone < status.Shards || status.Shards == 0 {
		confirmed.wait(ctx, o.Wait)
	}
	c.Tables = confirmed.list()
	return c, c.write(o)
}

// purge removes what waits on the job's own subjects, and its claims, up to a sequence of either stream.
func (c *Cancellation) purge(ctx context.Context, q *queue.Queue, last, claimed uint64) (err error) {
	if c.Purged, err = q.PurgeJob(ctx, c.Job, last+1); err != nil {
		return err
	}
	if err := q.PurgeClaims(ctx, c.Job, claimed); err != nil || c.Purged == 0 {
		return err
	}
	dropped := jobs.Event{Type: jobs.EventDropped, Job: c.Job, Messages: int64(c.Purged), Time: time.Now()}
	if err := q.PublishEvent(ctx, dropped); err != nil {
		return fmt.Errorf("say what the cancel of job %s dropped: %w", c.Job, err)
	}
	return nil
}

func (c *Cancellation) write(o CancelOptions) error {
	if len(c.Tables) == 0 {
		fmt.Fprintln(o.Stderr, "no daemon has confirmed it yet: what one has fetched already ends when it reads the request")
	}
	if c.Shared > 0 {
		fmt.Fprintf(o.Stderr, "%d messages wait on subjects that name no job: those of %s among them are dropped when they are fetched\n", c.Shared, c.Job)
	}
	if o.JSON {
		return plain.JSON(o.Stdout, c)
	}
	_, err := fmt.Fprintf(o.Stdout, "cancelled %s: %d waiting messages removed\n", c.Job, c.Purged)
	return err
}

// confirmations gathers the tables in whose log daemons have put the verdict. Those of an earlier cancel of the job
// come before the request.
type confirmations struct {
	mu        sync.Mutex
	expecting bool // the request that comes next
	requested bool // it has come
	tables    []string
	first     chan struct{} // closed when one is confirmed
}

// expect says that the request is about to be published.
func (c *confirmations) expect() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expecting = true
}

func (c *confirmations) event(e jobs.Event) {
	if e.Type != jobs.EventCancelled {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case e.Table == "":
		c.requested = c.requested || c.expecting
	case c.requested:
		if len(c.tables) == 0 {
			close(c.first)
		}
		c.tables = append(c.tables, e.Table)
	}
}

func (c *confirmations) wait(ctx context.Context, most time.Duration) {
	if most <= 0 {
		most = confirmWait
	}
	late := time.NewTimer(most)
	defer late.Stop()
	select {
	case <-c.first:
	case <-late.C:
	case <-ctx.Done():
	}
}

func (c *confirmations) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.tables...)
}
