package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/jobs/queue"
)

const announceWait = time.Second

// LocalModel is what the cache, or the configuration, knows of a model; Task and SHA256 are "" where its bundle cannot
// be opened.
type LocalModel struct {
	Name, Task, SHA256 string
	// Check says what vectors params ask of the model, or why it cannot make such; nil for a model that nothing more is
	// known of.
	Check func(params []byte) (export.Vectors, error)
}

// prepare checks the request as far as it can be checked before anything is published, and finds the job's task, model
// and name. The submission that it returns has inputs to close, whatever the error.
func prepare(ctx context.Context, q *queue.Queue, o SubmitOptions) (*submission, error) {
	if o.Dataset == "" {
		o.Dataset = jobs.DefaultDataset
	}
	s := &submission{o: o, src: &sources{files: o.Files, stdin: interruptible(ctx, o.Stdin), o: o.Input,
		warn: func(what string) { fmt.Fprintln(o.Stderr, what) }}}
	if o.WholeFiles {
		s.src.names = o.Names
	}
	if err := s.checkOptions(); err != nil {
		return s, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if s.o.remote() {
		s.src.files = nil
	}
	if err := s.findModel(ctx, q); err != nil {
		return s, err
	}
	params, err := jobs.ParamsJSON(s.o.Task, o.Params)
	if err == nil {
		err = s.checkFit(ctx, params)
	}
	if err != nil {
		return s, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	s.maxPayload = unknownMaxPayload
	if q != nil {
		s.maxPayload = q.MaxPayload()
	}
	s.summary = Summary{Task: s.o.Task, Model: s.o.Model, Dataset: s.o.Dataset, Part: s.o.Part.String()}
	if s.o.remote() {
		s.refer(ctx)
	} else {
		err = s.judgeFirst(s.maxPayload)
	}
	if s.o.Sync {
		return s, s.prepareSync(ctx, q, err)
	}
	if err != nil {
		return s, err
	}
	err = s.name(ctx, q, s.maxPayload, params)
	s.summary.Job = s.o.Job
	return s, err
}

func (s *submission) checkOptions() error {
	o := s.o
	var errs []error
	for _, name := range []struct {
		what, given string
		optional    bool
		check       func(string) error
	}{
		{"task", o.Task, true, naming.CheckTask}, {"job", o.Job, true, naming.CheckJob},
		{"dataset", o.Dataset, false, naming.CheckDataset}, {"model", o.Model, true, naming.CheckModel},
	} {
		if name.optional && name.given == "" {
			continue
		}
		if err := name.check(name.given); err != nil {
			errs = append(errs, fmt.Errorf("%s %w", name.what, err))
		}
	}
	if o.OnRepeat != "" {
		if err := naming.CheckOnRepeat(o.OnRepeat); err != nil {
			errs = append(errs, fmt.Errorf("--on-repeat %w", err))
		}
	}
	var err error
	s.maxErrors, err = parseMaxErrors(o.MaxErrors)
	return errors.Join(append(errs, err, o.checkInputs(), o.Input.Check(), o.checkSync())...)
}

// findModel finds the model where the request does not name it, and the task: that of the model, else of the first
// OpenAI-batch request, else embed.
func (s *submission) findModel(ctx context.Context, q *queue.Queue) error {
	first, err := s.src.peek(0)
	if err != nil {
		return err
	}
	asked := ""
	if first != nil {
		asked = first.Task
		if s.o.Model == "" && first.Model != "" {
			s.o.Model = first.Model[strings.LastIndexByte(first.Model, '/')+1:]
			if naming.CheckModel(s.o.Model) != nil {
				return fmt.Errorf("%w: the first request names the model %q, which is no name here; choose one with --model",
					ErrUsage, first.Model)
			}
		}
	}
	if s.o.Model == "" {
		return fmt.Errorf("%w: --model is missing", ErrUsage)
	}
	tasks, known, err := s.modelTasks(ctx, q)
	if err != nil {
		return err
	}
	if len(tasks) == 0 && !s.o.Force && q != nil && !slices.Contains(known, s.o.Model) {
		return s.unknownModel(known)
	}
	if err := s.chooseTask(tasks, asked); err != nil {
		return err
	}
	if s.sha256 == "" {
		s.sha256 = s.servedFiles()
	}
	return nil
}

// modelTasks says which tasks the model is for, from its bundle here, else from the daemons' answers: none where
// neither says. known are the names of all models.
func (s *submission) modelTasks(ctx context.Context, q *queue.Queue) (tasks, known []string, err error) {
	for _, m := range s.o.Local {
		if known = append(known, m.Name); m.Name == s.o.Model && m.Task != "" {
			s.sha256 = m.SHA256
			return []string{m.Task}, known, nil
		}
	}
	if q == nil {
		return nil, known, nil
	}
	served, err := q.ServingUntil(ctx, announceWait, func(d queue.Served) bool { return d.Model == s.o.Model })
	if err != nil {
		return nil, nil, fmt.Errorf("ask which models are served: %w", err)
	}
	for _, d := range served {
		known = append(known, d.Model)
		if d.Model == s.o.Model {
			tasks = append(tasks, d.Task)
			s.served = append(s.served, d)
		}
	}
	slices.Sort(tasks)
	return slices.Compact(tasks), known, nil
}

// servedFiles is the hash of the model's files where daemons name one.
func (s *submission) servedFiles() string {
	sole := ""
	for _, d := range s.served {
		switch {
		case d.Task != s.o.Task:
		case sole != "" && sole != d.ModelSHA256: // two daemons, with other weights under one name
			return ""
		default:
			sole = d.ModelSHA256
		}
	}
	return sole
}

func (s *submission) unknownModel(known []string) error {
	slices.Sort(known)
	all := "none is known"
	if known = slices.Compact(known); len(known) > 0 {
		all = "known are " + strings.Join(known, ", ")
	}
	return fmt.Errorf("%w: no daemon serves the model %q, and the cache has no such bundle; %s (--force submits all the same)",
		ErrUsage, s.o.Model, all)
}

// chooseTask refuses what cannot fit; asked is what the first record is a request for.
func (s *submission) chooseTask(tasks []string, asked string) error {
	fits := func(task string) bool { return len(tasks) == 0 || s.o.Force || slices.Contains(tasks, task) }
	switch {
	case s.o.Task != "":
		if !fits(s.o.Task) {
			return fmt.Errorf("%w: --task %s: the model %s is one for the task %s", ErrUsage, s.o.Task, s.o.Model,
				strings.Join(tasks, ", "))
		}
	case asked != "":
		if s.o.Task = asked; !fits(asked) {
			return fmt.Errorf("%w: the first request is for the task %s, and the model %s is one for %s; choose another with --model",
				ErrUsage, asked, s.o.Model, strings.Join(tasks, ", "))
		}
	case len(tasks) > 1:
		return fmt.Errorf("%w: the model %s is served for %s; choose with --task", ErrUsage, s.o.Model,
			strings.Join(tasks, " and "))
	case len(tasks) == 1:
		s.o.Task = tasks[0]
	default:
		s.o.Task = naming.TaskEmbed
	}
	return nil
}

// mostJudged is how many records are looked at before any is published.
const mostJudged = 200

// judgeFirst stops a job whose first records all fail in a way that can be told from here.
func (s *submission) judgeFirst(maxPayload int64) error {
	c, err := s.cutter("", maxPayload)
	if err != nil {
		return err
	}
	n, first, class := 0, "", ""
	for ; n < mostJudged; n++ {
		it, err := s.src.peek(n)
		if err != nil {
			return err
		}
		if it == nil {
			break
		}
		if c.judge(it); it.Record.Err == nil {
			return nil
		}
		if n == 0 {
			first, class = fmt.Sprintf("%s: %v", s.src.name(), it.Record.Err), it.Record.Err.Class
		}
	}
	if n == 0 {
		return errNoRecords
	}
	if s.o.Force {
		return nil
	}
	err = fmt.Errorf("%w: none of the first %d records can be used, so nothing is published; the first is %s; %s",
		ErrErrorRows, n, first, remedy(class))
	if s.o.DryRun { // which counts them all first
		s.refused, err = err, nil
	}
	return err
}

// remedy says how to go on where all records fail with a class.
func remedy(class string) string {
	const anyway = "; --force publishes them all the same"
	switch class {
	case jobs.BadUTF8:
		return "convert the input to UTF-8" + anyway
	case jobs.TooLong:
		return "split the texts, or raise limits.record_bytes" + anyway
	case jobs.InvalidParam:
		return "choose the model or params that the requests ask for" + anyway
	}
	return "name the key of the text with --text-column, or the kind of input with --format" + anyway
}
