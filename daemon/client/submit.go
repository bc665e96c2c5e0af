// Package client asks of jobs from outside: submit, status, watch, cancel and the dead letters.
package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"textmill/daemon/input"
	"textmill/jobs"
	"textmill/jobs/queue"
)

var (
	// ErrUsage: the request itself is wrong; nothing was done (exit 2).
	ErrUsage = errors.New("wrong usage")
	// ErrDeadLetters: the job is over, but shards of it ended as dead letters (exit 1).
	ErrDeadLetters = errors.New("shards ended as dead letters")
	// ErrCancelled: the job was cancelled (exit 1).
	ErrCancelled = errors.New("the job is cancelled")
	// ErrInterrupted: the wait was broken off; what was published goes on (exit 1).
	ErrInterrupted = errors.New("interrupted")
)

const announceWait = time.Second

// SubmitOptions say what to submit.
type SubmitOptions struct {
	Task    string            // "" = embed
	Model   string            // "" = the one that the first OpenAI-batch request names
	Dataset string            // "" = default
	Job     string            // "" = derived from the rest and each file's path, size and time
	Params  map[string]string // --param k=v
	Files   []string          // "-" is Stdin
	Stdin   io.Reader
	Input   input.Options       // --format, --text-column, --id-column; MaxRecordBytes is limits.record_bytes
	Streams queue.StreamOptions // for streams that no daemon has made yet
	Limits  jobs.Limits         // those of the configuration, so that what a daemon would refuse is known here

	// LocalModels are the bundles in the cache. A model that is not among them and that no daemon announces
	// is refused, unless Force. Force also embeds OpenAI-batch requests that name another model.
	LocalModels []string
	Force       bool

	NoWait bool // return when all is published
	DryRun bool // count and show problems; publish nothing (the queue may be nil)

	JSON     bool      // the Summary as one JSON object instead of the job's name
	Stdout   io.Writer // the result
	Stderr   io.Writer // progress
	Terminal bool      // Stderr is a terminal: draw a bar
}

// Submit cuts the inputs into shards, publishes those that are not settled yet, and waits until the rows of
// all are committed. Running it again after a crash repeats nothing. The job's name goes to Stdout, all else to
// Stderr. Rows with errors are no error of Submit; ErrDeadLetters, ErrCancelled and ErrInterrupted are.
// A ctx that ends while it waits gives ErrInterrupted; the job goes on.
func Submit(ctx context.Context, q *queue.Queue, o SubmitOptions) (Summary, error) {
	s, err := prepare(o)
	if err != nil {
		return Summary{}, err
	}
	if o.DryRun {
		return s.dryRun(ctx, q)
	}
	if err := errors.Join(s.checkModel(ctx, q), q.EnsureStreams(ctx, o.Streams)); err != nil {
		return s.summary, errors.Join(err, s.src.close())
	}
	fmt.Fprintf(o.Stderr, "job %s: %s with %s into dataset %s\n", s.o.Job, s.o.Task, s.o.Model, s.o.Dataset)
	err = s.run(ctx, q)
	if s.note != "" {
		fmt.Fprintln(o.Stderr, s.note)
	}
	return s.summary, errors.Join(err, s.summary.write(s.o))
}

// submission is one Submit under way.
type submission struct {
	o        SubmitOptions
	src      *sources
	named    bool // the job's name stands for its content, so that settled shards need not be sent again
	summary  Summary
	progress *progress
	note     string // to say when the progress is no longer shown
}

// prepare checks the request and finds the job's model and name.
func prepare(o SubmitOptions) (*submission, error) {
	if o.Task == "" {
		o.Task = jobs.TaskEmbed
	}
	if o.Dataset == "" {
		o.Dataset = jobs.DefaultDataset
	}
	var errs []error
	if o.Task != jobs.TaskEmbed && o.Task != jobs.TaskGenerate {
		errs = append(errs, fmt.Errorf("task %q: it is embed or generate", o.Task))
	}
	if o.Job != "" && !jobs.ValidJob(o.Job) {
		errs = append(errs, fmt.Errorf("job %q does not match [A-Za-z0-9_-]{1,128}", o.Job))
	}
	if !jobs.ValidDataset(o.Dataset) {
		errs = append(errs, fmt.Errorf("dataset %q does not match [A-Za-z0-9_-]{1,64}, or begins with _", o.Dataset))
	}
	if o.Model != "" && !jobs.ValidModel(o.Model) {
		errs = append(errs, fmt.Errorf("model %q does not match [A-Za-z0-9_-]{1,128}", o.Model))
	}
	params, err := jobs.ParamsJSON(o.Task, o.Params)
	errs = append(errs, err, checkFiles(o.Files))
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	s := &submission{src: &sources{files: o.Files, stdin: o.Stdin, o: o.Input,
		warn: func(what string) { fmt.Fprintln(o.Stderr, what) }}}
	if o.Model == "" {
		if o.Model, err = s.modelOfFirst(); err != nil {
			return nil, errors.Join(err, s.src.close())
		}
	}
	name, derived, err := jobName(o, params)
	switch {
	case err != nil:
		return nil, errors.Join(fmt.Errorf("name the job: %w", err), s.src.close())
	case o.Job == "" && derived:
		o.Job, s.named = name, true
	case o.Job == "":
		o.Job = o.Dataset + "-" + time.Now().UTC().Format("20060102T150405.000000000Z")
		o.Job = strings.ReplaceAll(o.Job, ".", "-")
		fmt.Fprintf(o.Stderr, "standard input without --job cannot be resumed: run again, it would be another job\n")
	}
	s.o = o
	s.summary = Summary{Job: o.Job, Task: o.Task, Model: o.Model, Dataset: o.Dataset}
	return s, nil
}

// modelOfFirst takes the model from the first record, where that is a request that names one.
func (s *submission) modelOfFirst() (string, error) {
	first, err := s.src.peek()
	if err != nil {
		return "", err
	}
	if first == nil || first.Model == "" {
		return "", fmt.Errorf("%w: --model is missing", ErrUsage)
	}
	model := first.Model[strings.LastIndexByte(first.Model, '/')+1:]
	if !jobs.ValidModel(model) {
		return "", fmt.Errorf("%w: the first request names the model %q, which is no name here; choose one with --model", ErrUsage, first.Model)
	}
	return model, nil
}

// checkModel refuses a model that nobody here knows.
func (s *submission) checkModel(ctx context.Context, q *queue.Queue) error {
	if s.o.Force || slices.Contains(s.o.LocalModels, s.o.Model) {
		return nil
	}
	served, err := q.Serving(ctx, announceWait)
	if err != nil {
		return fmt.Errorf("ask which models are served: %w", err)
	}
	known := slices.Clone(s.o.LocalModels)
	for _, d := range served {
		if d.Model == s.o.Model && d.Task == s.o.Task {
			return nil
		}
		if !slices.Contains(known, d.Model) {
			known = append(known, d.Model)
		}
	}
	slices.Sort(known)
	all := "none is known"
	if len(known) > 0 {
		all = "known are " + strings.Join(known, ", ")
	}
	return fmt.Errorf("%w: no daemon serves the model %q for %s, and the cache has no such bundle; %s (--force submits all the same)",
		ErrUsage, s.o.Model, s.o.Task, all)
}

func (s *submission) run(ctx context.Context, q *queue.Queue) (err error) {
	defer func() { err = errors.Join(err, s.src.close()) }()
	s.progress = newProgress(s.o)
	defer s.progress.close()
	tracker, err := q.Track(ctx, queue.TrackOptions{Job: s.o.Job, OnEvent: s.progress.event})
	if err != nil {
		return err
	}
	defer tracker.Close()
	if s.progress.isCancelled() {
		return fmt.Errorf("%w: %s; give another --job to submit it anew", ErrCancelled, s.o.Job)
	}
	if s.named && s.progress.isDone() {
		s.progress.fill(&s.summary)
		s.note = fmt.Sprintf("job %s is done already: %d rows, %d of them errors; another --job would do it again", s.o.Job, s.summary.Rows, s.summary.Errors)
		return s.progress.verdict()
	}
	if err := s.publish(ctx, q); err != nil {
		return err
	}
	s.progress.published(s.summary)
	if s.o.NoWait {
		s.note = fmt.Sprintf("%s; see: textmill watch %s", s.summary.published(), s.o.Job)
		return nil
	}
	err = s.progress.wait(ctx)
	s.progress.fill(&s.summary)
	s.note = fmt.Sprintf("%d rows are committed, %d of them errors", s.summary.Rows, s.summary.Errors)
	return err
}

// publish cuts the inputs and sends what is not settled, between the two events that frame it.
func (s *submission) publish(ctx context.Context, q *queue.Queue) error {
	began := jobs.Event{Type: jobs.EventSubmitted, Job: s.o.Job, Time: time.Now()}
	if err := q.PublishEvent(ctx, began); err != nil {
		return s.broken(ctx, err)
	}
	subject := jobs.Subject{Task: s.o.Task, Model: s.o.Model, Job: s.o.Job}.String()
	err := s.cut(ctx, q.MaxPayload(), func(one shard) error {
		if !s.progress.add(one) || !s.named {
			return q.PublishJob(ctx, queue.JobMessage{Subject: subject, MsgID: one.msgID(s.o.Task, s.o.Model, s.o.Job), Data: bytes.Clone(one.payload)})
		}
		return nil
	})
	if err == nil {
		err = q.Flush(ctx)
	}
	if err != nil {
		return s.broken(ctx, err)
	}
	if s.summary.Shards == 0 {
		return fmt.Errorf("%w: the input has no records", ErrUsage)
	}
	whole := jobs.Event{Type: jobs.EventSubmitted, Job: s.o.Job, Shards: s.summary.Shards, Time: time.Now()}
	if err := q.PublishEvent(ctx, whole); err != nil {
		return s.broken(ctx, err)
	}
	return nil
}

// broken says what a submission that was cut off has left behind.
func (s *submission) broken(ctx context.Context, err error) error {
	advice := "run the same command again to send the rest"
	if slices.Contains(s.o.Files, stdinName) {
		advice = "give the same input and --job " + s.o.Job + " again to send the rest"
	}
	if ctx.Err() != nil {
		err = ErrInterrupted
	}
	return fmt.Errorf("%w after %d shards with %d records; %s", err, s.summary.Shards, s.summary.Records, advice)
}

// cut runs all inputs through a cutter.
func (s *submission) cut(ctx context.Context, maxPayload int64, emit func(shard) error) error {
	c, err := newCutter(cutter{task: s.o.Task, model: s.o.Model, job: s.o.Job, dataset: s.o.Dataset, params: s.o.Params,
		limits: s.o.Limits, anyModel: s.o.Force, emit: func(one shard) error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			s.summary.count(one)
			return emit(one)
		}}, maxPayload)
	if err != nil {
		return err
	}
	var it input.Item
	for {
		err := s.src.next(&it)
		if errors.Is(err, io.EOF) {
			return c.flush()
		}
		if err != nil {
			return err
		}
		if err := c.add(&it); err != nil {
			return err
		}
		if e := it.Record.Err; e != nil {
			s.summary.problem(s.src.name(), e)
		}
	}
}

func (s *submission) dryRun(ctx context.Context, q *queue.Queue) (Summary, error) {
	maxPayload := int64(unknownMaxPayload)
	if q != nil {
		maxPayload = q.MaxPayload()
	}
	err := s.cut(ctx, maxPayload, func(shard) error { return nil })
	err = errors.Join(err, s.src.close())
	if err != nil {
		return s.summary, err
	}
	return s.summary, s.summary.writeDryRun(s.o)
}
