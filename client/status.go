package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"textmill/ground/plain"
	"textmill/jobs/queue"
)

// ErrUnknownJob: no event and no waiting message names the job (exit 1).
var ErrUnknownJob = errors.New("no such job")

// StatusOptions say which jobs to list and where to.
type StatusOptions struct {
	Job    string // "" = all
	JSON   bool   // one queue.JobStatus a line
	Stdout io.Writer
	Stderr io.Writer // subjects with messages that no daemon serves
}

// Status lists how far jobs are, the one with the latest news first. A job of which only waiting messages are
// known is queued.
func Status(ctx context.Context, q *queue.Queue, o StatusOptions) error {
	if err := q.EnsureStreams(ctx, queue.StreamOptions{}); err != nil {
		return err
	}
	tracker, err := q.Track(ctx, queue.TrackOptions{Job: o.Job})
	if err != nil {
		return err
	}
	defer tracker.Close()
	list, waiting, err := q.WithWaiting(ctx, tracker.Jobs(), o.Job)
	if err != nil {
		return err
	}
	if o.Job != "" && len(list) == 0 {
		return fmt.Errorf("%w: %s", ErrUnknownJob, o.Job)
	}
	if err := writeStatus(o, list); err != nil {
		return err
	}
	if err := lettersFull(ctx, q, o); err != nil {
		return err
	}
	return unserved(ctx, q, o, waiting)
}

// lettersFull warns of a stream that takes no more dead letters, or soon will not.
func lettersFull(ctx context.Context, q *queue.Queue, o StatusOptions) error {
	room, err := q.DeadRoom(ctx)
	if err == nil && room.Scarce() {
		fmt.Fprintf(o.Stderr, "%s is nearly full (%s); once it is, what would become a dead letter waits in the queue: %s\n",
			queue.DeadStream, room, queue.RemedyFull)
	}
	return err
}

func writeStatus(o StatusOptions, list []queue.JobStatus) error {
	if o.JSON {
		for i := range list {
			if err := plain.JSON(o.Stdout, &list[i]); err != nil {
				return err
			}
		}
		return nil
	}
	if len(list) == 0 {
		fmt.Fprintln(o.Stderr, "no jobs")
		return nil
	}
	t := tabwriter.NewWriter(o.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "JOB\tSTATE\tDATASET\tMODEL\tSHARDS\tROWS\tERRORS\tCUT\tDEAD\tETA")
	for _, s := range list {
		shards := strconv.Itoa(s.ShardsDone) + "/"
		if s.Shards > 0 {
			shards += strconv.Itoa(s.Shards)
		} else {
			shards += "?"
		}
		err := plain.Row(t, s.Job, s.State, orDash(s.Dataset), orDash(s.Model), shards, s.Rows, s.Errors, s.Truncated,
			s.Dead, eta(s.ETASeconds))
		if err != nil {
			return err
		}
	}
	return t.Flush()
}

// orDash shows what is not known.
func orDash(name string) string {
	if name == "" {
		return "-"
	}
	return name
}

func eta(seconds *float64) string {
	if seconds == nil {
		return "-"
	}
	return time.Duration(*seconds * float64(time.Second)).Round(time.Second).String()
}

// unserved warns of subjects whose messages nobody fetches.
func unserved(ctx context.Context, q *queue.Queue, o StatusOptions, waiting []queue.SubjectState) error {
	if len(waiting) == 0 {
		return nil
	}
	served, err := q.Serving(ctx, announceWait)
	if err != nil {
		return fmt.Errorf("ask which models are served: %w", err)
	}
	type work struct{ task, model string }
	by := make(map[work]bool, len(served))
	for _, s := range served {
		by[work{s.Task, s.Model}] = true
	}
	for _, w := range waiting {
		if (o.Job == "" || o.Job == w.Job) && !by[work{w.Task, w.Model}] {
			fmt.Fprintf(o.Stderr, "nobody serves %s, where %d messages wait: start a daemon that has this model\n",
				plain.Text(w.Subject), w.Messages)
		}
	}
	return nil
}
