// Package client asks of jobs from outside: submit, status, watch, cancel and the dead letters.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"textmill/export"
	"textmill/input"
	"textmill/jobs"
	"textmill/jobs/queue"
	"textmill/open/telemetry"
)

var (
	// ErrUsage: the request itself is wrong; nothing was done (exit 2).
	ErrUsage = errors.New("wrong usage")
	// ErrDeadLetters: the job is over, but shards of it ended as dead letters (exit 1).
	ErrDeadLetters = errors.New("shards ended as dead letters")
	// ErrErrorRows: more records are error rows than are allowed, or all are (exit 1).
	ErrErrorRows = errors.New("too many error rows")
	// ErrCancelled: the job was cancelled (exit 1).
	ErrCancelled = errors.New("the job is cancelled")
	// ErrUnanswered: nobody told what became of shards (exit 1).
	ErrUnanswered = errors.New("cannot tell what became of all shards")
	// ErrInterrupted: the wait was broken off; what was published goes on. The cause is wrapped too.
	ErrInterrupted = errors.New("interrupted")
)

// SubmitOptions say what to submit.
type SubmitOptions struct {
	Task    string            // "" = the one that the model was made for
	Model   string            // "" = the one that the first OpenAI-batch request names
	Dataset string            // "" = default
	Job     string            // "" = derived from the content of all else
	Params  map[string]string // --param k=v
	Files   []string          // "-" is Stdin
	// WholeFiles makes one record of each file, with its name of Names as id.
	WholeFiles bool
	Part       Part // what is sent of the job; others send the others
	Names      []string
	Stdin      io.Reader
	Input      input.Options       // --format, --text-column, --id-column; MaxRecordBytes is limits.record_bytes
	Streams    queue.StreamOptions // for streams that no daemon has made yet
	Limits     jobs.Limits         // those of the configuration, so that what a daemon would refuse is known here

	// Local are the models in the cache. A model that is not among them and that no daemon announces is refused,
	// unless Force. Force also sends OpenAI-batch requests that name another model, and records that all look bad.
	Local []LocalModel
	Force bool
	// Tables is where this machine's daemons keep their tables, "" where this process cannot see them.
	Tables string

	// Sync makes the dataset equal to the input: new and changed records are computed, and swapped in with one commit.
	// DeleteMissing also deletes what is not in the input, DeleteAll even where the input is empty.
	Sync, DeleteMissing, DeleteAll bool
	// Export is how the tables are opened for a sync; Unseen says why this process cannot see them.
	Export export.Options
	Unseen string

	// OnRepeat says what becomes of records that the dataset holds already: append, replace or skip; "" leaves it to the
	// daemon's configuration.
	OnRepeat string

	MaxErrors string // so many error rows may be, a number or a percentage; "" = any, but not all
	NoWait    bool   // return when all is published
	DryRun    bool   // count and show problems; publish nothing (the queue may be nil)

	Tracer *telemetry.Tracer // nil: nobody is told
	Trace  telemetry.Trace   // what the publication is a part of; nil: shards may be of a sample

	JSON     bool      // the Summary as one JSON object instead of the job's name
	Stdout   io.Writer // the result
	Stderr   io.Writer // progress
	Terminal bool      // Stderr is a terminal: draw a bar
	Quiet    bool      // no progress
}

// progress is where it is told how far the work is.
func (o *SubmitOptions) progress() io.Writer {
	if o.Quiet {
		return io.Discard
	}
	return o.Stderr
}

// Submit cuts the inputs into shards, publishes those that are not settled yet, and waits until each has its verdict:
// committed, dead or cancelled. What it says, and whether it returns an error, goes by this submission's own shards,
// each known by its name and its payload. Running it again after a crash repeats nothing. The job's name goes to
// Stdout, all else to Stderr. A ctx that ends while it waits gives ErrInterrupted; the job goes on.
func Submit(ctx context.Context, q *queue.Queue, o SubmitOptions) (Summary, error) {
	s, err := prepare(ctx, q, o)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w before anything was published", interruption(ctx))
	}
	if err != nil {
		return s.summary, errors.Join(err, s.src.close())
	}
	switch {
	case o.Sync:
		return s.sync(ctx, q)
	case o.DryRun:
		return s.dryRun(ctx)
	}
	if err := q.EnsureStreams(ctx, s.o.Streams); err != nil {
		return s.summary, errors.Join(err, s.src.close())
	}
	share := ""
	if o.Part.Of > 0 {
		share = fmt.Sprintf(", part %v of its shards", o.Part)
	}
	fmt.Fprintf(o.progress(), "job %s: %s with %s into dataset %s%s\n", s.o.Job, s.o.Task, s.o.Model, s.o.Dataset, share)
	err = s.run(ctx, q)
	s.tell()
	return s.summary, errors.Join(err, s.summary.write(s.o))
}

// tell says in a line what came of the shards.
func (s *submission) tell() {
	switch {
	case s.summary.Shards > 0:
		fmt.Fprintln(s.o.Stderr, s.summary.line(s.o.NoWait, s.published))
	case s.cutShards > 0:
		fmt.Fprintf(s.o.Stderr, "part %v holds none of the job's %d shards\n", s.o.Part, s.cutShards)
	}
}

// submission is one Submit under way.
type submission struct {
	o         SubmitOptions
	src       *sources
	maxErrors maxErrors
	sha256    string         // of the model's files, "" = not known
	served    []queue.Served // of the model, where its bundle is not here
	whole     *content       // what the inputs hold, where they could be read beforehand
	refused   error          // why a dry run's job would not be published
	summary   Summary
	progress  *progress
	published int // shards
	cutShards int // of all parts

	maxPayload int64
	vectors    export.Vectors      // that the job makes, where that is known
	table      string              // of a sync: the path or URI of the dataset's
	generation string              // that the dataset has after the swap
	syncID     string              // whose staging table the rows go into
	feed       func(*cutter) error // has the records cut in place of src's
}

func (s *submission) run(ctx context.Context, q *queue.Queue) (err error) {
	defer func() { err = errors.Join(err, s.src.close()) }()
	s.progress = newProgress(s.o)
	defer s.progress.close()
	if s.whole != nil {
		s.progress.expect(s.whole.own)
	}
	tracker, err := s.track(ctx, q)
	if err != nil {
		return err
	}
	if tracker != nil {
		defer tracker.Close()
		s.progress.tracker.Store(tracker)
	}
	if s.progress.isCancelled() {
		return fmt.Errorf("%w: %s; give another --job to submit it anew", ErrCancelled, s.o.Job)
	}
	err = s.publish(ctx, q)
	if err == nil && !s.o.NoWait {
		s.progress.allCut()
		err = s.wait(ctx, q)
	}
	s.progress.fill(&s.summary)
	if err == nil {
		err = s.summary.verdict(s.maxErrors, s.o.NoWait)
	}
	return err
}

// track follows the job's events. A user who may publish and not read them gets none, if he does not mean to wait.
func (s *submission) track(ctx context.Context, q *queue.Queue) (*queue.Tracker, error) {
	t, err := q.Track(ctx, queue.TrackOptions{Job: s.o.Job, OnEvent: s.progress.event, Pieces: true})
	switch {
	case err == nil || !errors.Is(err, queue.ErrRefused):
		return t, err
	case !s.o.NoWait:
		return nil, fmt.Errorf("nothing is published, since what becomes of it could not be told (--no-wait does without): %w", err)
	}
	s.summary.Unfollowed = true
	fmt.Fprintf(s.o.Stderr, "this user may not read the events of job %s: all of it is sent, and daemons leave out what the table has already\n", s.o.Job)
	return nil, nil
}

// publish cuts the inputs and sends what is not settled. That the job was submitted is told once its first shard is
// accepted, so that a submission that gets nowhere leaves nothing behind.
func (s *submission) publish(ctx context.Context, q *queue.Queue) error {
	subject := jobs.Subject{Task: s.o.Task, Model: s.o.Model, Job: s.o.Job}.String()
	total, told := 0, -1
	if s.whole != nil {
		total = s.whole.shards
	}
	tell := func() error {
		told = total
		if s.summary.Unfollowed { // who may not read events may not write them
			return nil
		}
		return q.PublishEvent(ctx, s.submitted(total))
	}
	err := s.cut(ctx, q.MaxPayload(), func(c *cutter, one shard) error {
		if err := s.whole.compare(one.number, c.content(one)); err != nil {
			return err
		}
		sum := one.sum()
		if s.progress.add(one, sum) {
			return s.findTable()
		}
		m := queue.JobMessage{Subject: subject, MsgID: c.msgID(one, sum), Data: slices.Clone(one.payload)}
		header, sent := s.o.Tracer.Publish(telemetry.Names{Job: s.o.Job, Shard: strconv.Itoa(one.number),
			Dataset: s.o.Dataset, Task: s.o.Task, Model: s.o.Model}, s.o.Trace)
		m.Header = header
		err := q.PublishJob(ctx, m)
		if sent(err); err != nil {
			return err
		}
		s.published++
		if told >= 0 {
			return nil
		}
		if err := q.Flush(ctx); err != nil {
			return err
		}
		return tell()
	})
	if err == nil {
		err = q.Flush(ctx)
	}
	if err == nil && s.whole != nil && s.cutShards != s.whole.shards {
		err = errChanged
	}
	if err != nil {
		return s.broken(ctx, err)
	}
	if total = s.cutShards; told != total && (told >= 0 || s.progress.lacksEnd(s.o.Job, total)) {
		if err := tell(); err != nil {
			return s.broken(ctx, err)
		}
	}
	return nil
}

// findTable refuses to take for there what is in a table that is no more.
func (s *submission) findTable() error {
	if gone := s.progress.lostTable(s.o.Tables); gone != "" {
		return fmt.Errorf("%w: the events of job %s say that its rows are in %s, and that is not there any more; give another --job to make them anew",
			errTableGone, s.o.Job, gone)
	}
	return nil
}

var errTableGone = errors.New("the table is gone")

var errNoRecords = fmt.Errorf("%w: the input has no records", ErrUsage)

func (s *submission) submitted(shards int) jobs.Event {
	return jobs.Event{Type: jobs.EventSubmitted, Job: s.o.Job, Shards: shards, Task: s.o.Task, Model: s.o.Model,
		Dataset: s.o.Dataset, Time: now()}
}

// broken says what a submission that was cut off has left behind.
func (s *submission) broken(ctx context.Context, err error) error {
	advice := "run the same command again to send the rest"
	switch {
	case errors.Is(err, errTableGone):
		return err
	case errors.Is(err, errChanged):
		advice = "run it again when the input is at rest; what it holds then is another job"
	case s.whole == nil:
		advice = "give the same input and --job " + s.o.Job + " again to send the rest"
	}
	if ctx.Err() != nil {
		err = interruption(ctx)
	}
	return fmt.Errorf("%w after %d shards were published; %s", err, s.published, advice)
}

// interruption is ErrInterrupted, and why.
func interruption(ctx context.Context) error {
	return fmt.Errorf("%w (%w)", ErrInterrupted, context.Cause(ctx))
}
