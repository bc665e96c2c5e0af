package batches

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"textmill/client"
	"textmill/export"
	"textmill/ground/naming"
	"textmill/ground/ondisk"
	"textmill/input"
	"textmill/jobs"
	"textmill/jobs/queue"
)

const (
	mostProblems  = 100 // that a batch names
	sorterBytes   = 8 << 20
	announceWait  = time.Second
	modelNotFound = "model_not_found"
)

// validate reads the file of a batch once, and finds whether each line is a request that can be made part of one job.
func (s *Batches) validate(ctx context.Context, h *held) error {
	b := h.now()
	v := &validation{endpoint: b.Endpoint}
	err := s.judge(ctx, &b, v)
	if errors.Is(err, queue.ErrNotWhole) {
		v.problem(inputGone(err))
		err = nil
	}
	if err != nil {
		return fmt.Errorf("validate batch %s: %w", b.ID, err)
	}
	s.o.Point("batch-validated")
	return h.change(ctx, func(b *Batch) {
		if len(v.problems) > 0 {
			b.Problems = v.problems
			b.Counts.Total = v.requests
			b.enter(Failed)
			return
		}
		b.Model, b.Task, b.Dataset, b.Dimensions = v.model, v.task, v.dataset, v.dimensions
		b.Records, b.Counts = v.records, Counts{Total: v.requests}
		b.enter(InProgress)
	})
}

// validation is what the lines of a file come to.
type validation struct {
	endpoint          string
	named, model      string // as requests and as textmill call it
	task, dataset     string
	dimensions        int
	requests, records int64
	problems          []Problem
	firstLine         int64
}

func inputGone(err error) Problem {
	return Problem{Code: "invalid_input_file", Param: "input_file_id", Message: "The input file is gone: " + err.Error()}
}

func (v *validation) problem(p Problem) {
	if len(v.problems) < mostProblems {
		v.problems = append(v.problems, p)
	}
}

func (s *Batches) judge(ctx context.Context, b *Batch, v *validation) error {
	ids, err := ondisk.NewSorter(s.o.Scratch, sorterBytes)
	if err != nil {
		return err
	}
	err = s.readLines(ctx, b, v, ids)
	if err == nil {
		err = v.duplicates(ids)
	}
	if err = errors.Join(err, ids.Close()); err != nil {
		return err
	}
	switch {
	case v.requests == 0 && len(v.problems) == 0:
		v.problem(Problem{Code: "empty_file", Param: "input_file_id", Message: "The input file holds no request."})
	case v.named != "":
		if err := s.findModel(ctx, v); err != nil {
			return err
		}
		if err := s.findTable(ctx, b, v); err != nil {
			return err
		}
	}
	slices.SortStableFunc(v.problems, func(a, b Problem) int { return int(a.Line - b.Line) })
	return nil
}

func (s *Batches) readLines(ctx context.Context, b *Batch, v *validation, ids *ondisk.Sorter) error {
	lines := input.NewBatchReader(s.o.Queue.Content(ctx, b.Input), b.Endpoint, s.o.Submit.Input.MaxRecordBytes)
	for {
		l, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		v.requests++
		v.records += int64(l.Records)
		if p := l.Problem; p != nil {
			v.problem(Problem{p.Code, l.Line, p.Message, p.Param})
			continue
		}
		if err := ids.Add([]byte(l.CustomID), binary.BigEndian.AppendUint64(nil, uint64(l.Line))); err != nil {
			return err
		}
		v.compare(&l)
	}
}

// compare holds a request to the first one: a job is of one model, and its vectors are of one length.
func (v *validation) compare(l *input.BatchLine) {
	switch {
	case v.named == "":
		v.named, v.dimensions, v.firstLine = l.Model, l.Dimensions, l.Line
	case l.Model != v.named:
		v.problem(Problem{input.MismatchedModel, l.Line, fmt.Sprintf(
			"The model provided for this request, %s, does not match that of line %d, %s. Each batch must contain requests for a single model.",
			quoted(l.Model), v.firstLine, quoted(v.named)), "body.model"})
	case l.Dimensions != v.dimensions:
		v.problem(Problem{"mismatched_dimensions", l.Line, fmt.Sprintf(
			"This request asks for %s dimensions and that of line %d for %s. The vectors of a batch go into one table, which holds those of one length.",
			dimensions(l.Dimensions), v.firstLine, dimensions(v.dimensions)), "body.dimensions"})
	}
}

func quoted(name string) string { return fmt.Sprintf("%q", name[:min(len(name), 200)]) }

func dimensions(n int) string {
	if n == 0 {
		return "all"
	}
	return fmt.Sprint(n)
}

// duplicates finds requests whose custom_id an earlier line has.
func (v *validation) duplicates(ids *ondisk.Sorter) error {
	c, err := ids.Sorted()
	if err != nil {
		return err
	}
	last, first := "", int64(0) // no custom_id is empty
	for {
		key, value, err := c.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		line := int64(binary.BigEndian.Uint64(value))
		if first > 0 && string(key) == last {
			v.problem(Problem{input.DuplicateID, line, fmt.Sprintf(
				"The custom_id %s is that of line %d already. It must be unique for each request in a batch.", quoted(last), first), "custom_id"})
			continue
		}
		last, first = string(key), line
	}
}

// findModel looks for the model among those that daemons serve.
func (s *Batches) findModel(ctx context.Context, v *validation) error {
	want := input.BatchTask(v.endpoint)
	v.model = v.named[strings.LastIndexByte(v.named, '/')+1:]
	var tasks, known []string
	for _, m := range s.o.Submit.Local {
		if known = append(known, m.Name); m.Name == v.model {
			tasks = append(tasks, m.Task)
		}
	}
	if len(tasks) == 0 && naming.CheckModel(v.model) == nil {
		served, err := s.o.Queue.ServingUntil(ctx, announceWait, func(d queue.Served) bool { return d.Model == v.model })
		if err != nil {
			return fmt.Errorf("ask which models are served: %w", err)
		}
		for _, d := range served {
			if known = append(known, d.Model); d.Model == v.model {
				tasks = append(tasks, d.Task)
			}
		}
	}
	slices.Sort(known)
	switch {
	case len(tasks) == 0:
		v.problem(Problem{modelNotFound, v.firstLine, fmt.Sprintf("The model %s is served by no daemon; served are %s.",
			quoted(v.named), strings.Join(slices.Compact(known), ", ")), "body.model"})
	case !slices.Contains(tasks, want):
		v.problem(Problem{"model_not_supported", v.firstLine, fmt.Sprintf(
			"The model %s is for the task %s, and the endpoint %s for %s.", quoted(v.named), tasks[0], v.endpoint, want), "body.model"})
	default:
		v.task = want
	}
	return nil
}

// DatasetKey is the key of a batch's metadata that names the table.
const DatasetKey = "dataset"

// findTable names the dataset, by the batch's metadata or else by model and dimensions, and looks whether its table
// can hold such vectors, where this process sees both.
func (s *Batches) findTable(ctx context.Context, b *Batch, v *validation) error {
	if v.dataset = b.Metadata[DatasetKey]; v.dataset == "" {
		v.dataset = defaultDataset(v.model, v.dimensions)
	}
	at := slices.IndexFunc(s.o.Submit.Local, func(m client.LocalModel) bool {
		return m.Name == v.model && m.Task == v.task && m.Check != nil
	})
	if at < 0 || v.task == "" {
		return nil
	}
	params, err := jobs.ParamsJSON(v.task, paramsOf(v.task, v.dimensions))
	if err != nil {
		return err
	}
	vectors, wrong := s.o.Submit.Local[at].Check(params)
	if wrong == nil {
		return s.fits(ctx, v, vectors)
	}
	v.problem(Problem{"invalid_dimensions", v.firstLine, wrong.Error(), "body.dimensions"})
	return nil
}

// fits looks whether the table of a batch can hold its vectors.
func (s *Batches) fits(ctx context.Context, v *validation, vectors export.Vectors) error {
	err := export.Fits(ctx, s.o.Table(v.dataset), vectors)
	if errors.Is(err, export.ErrSchema) || errors.Is(err, export.ErrRefused) {
		v.problem(Problem{"dataset_mismatch", 0, fmt.Sprintf("The table of dataset %s cannot take %s: %v; name another in metadata.%s.",
			v.dataset, vectors, err, DatasetKey), "metadata." + DatasetKey})
		err = nil
	}
	return err
}

// defaultDataset is one of vectors of one length.
func defaultDataset(model string, dimensions int) string {
	const prefix, most = "batches-", 64
	suffix := ""
	if dimensions > 0 {
		suffix = fmt.Sprintf("-%d", dimensions)
	}
	return prefix + model[:min(len(model), most-len(prefix)-len(suffix))] + suffix
}

// paramsOf are a batch's params: a text that is too long is an error, as OpenAI has it, since an answer does not say
// what was cut.
func paramsOf(task string, dimensions int) map[string]string {
	params := map[string]string{}
	if task == naming.TaskEmbed {
		params["truncate"] = "error"
	}
	if dimensions > 0 {
		params["dimensions"] = fmt.Sprint(dimensions)
	}
	return params
}
