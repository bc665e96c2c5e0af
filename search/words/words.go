// Package words finds the rows of a table that are nearest to what questions say.
package words

import (
	"context"
	"errors"
	"fmt"

	"textmill/export"
	"textmill/export/scan"
	"textmill/jobs"
	"textmill/models"
	"textmill/models/vector"
	"textmill/search"
	"textmill/work/rows"
)

// Options say how a table is asked.
type Options struct {
	K       int               // rows for each question, at most
	Where   scan.Conditions   // that rows meet, as search.Where reads them
	Model   string            // NAME or NAME@HASH; "" is the table's only one
	Metric  string            // "" is the model's, or what the table's precision needs
	Params  *jobs.EmbedParams // of a question, where the model's own files do not say it
	Workers int               // that read and compare side by side
}

// Search is a table that may be asked.
type Search struct {
	Model   search.Model // whose rows answer; the zero Model where the table has no vectors
	Vectors export.Vectors

	table  *export.Reading
	o      Options
	metric string
	work   rows.Work
}

// An Answer is what became of one question.
type Answer struct {
	ID, Text string
	Failed   *jobs.RecordError
	Dropped  int          // tokens of the question that the model did not read
	Hits     []search.Hit // the nearest first
}

// ErrStopped ends questions whose model was stopped.
var ErrStopped = errors.New("the model was stopped")

// Prepare finds out what the log tells, before a model is needed. Its errors are of the classes search.ErrModels,
// search.ErrPerToken and export.ErrSchema, or the storage's.
func Prepare(ctx context.Context, t *export.Reading, o Options) (*Search, error) {
	vectors, err := t.Holds(ctx)
	if err != nil {
		return nil, err
	}
	if vectors.PerToken {
		return nil, search.PerToken(t.Path, vectors)
	}
	s := &Search{Vectors: vectors, table: t, o: o}
	all, err := search.Models(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("read the models of %s: %w", t.Path, err)
	}
	if len(all) == 0 {
		s.Vectors = export.Vectors{}
		return s, nil
	}
	s.Model, err = search.Choose(all, o.Model)
	return s, err
}

// None tells that the table has no vectors that a question could be compared with.
func (s *Search) None() bool { return s.Vectors == (export.Vectors{}) }

// By says which model embeds the questions, and by what works: the very one that made the rows, cut to the table's
// dimensions, with the prompt for queries where the model has one.
func (s *Search) By(spec *models.Spec, works func(*jobs.Shard, rows.Origin) rows.Work, origin rows.Origin) error {
	dim := s.Vectors.Dim
	if dim > spec.Dim {
		return fmt.Errorf("the table's vectors have %d dimensions, those of model %s have %d", dim, spec.Name, spec.Dim)
	}
	params := jobs.EmbedParams{}
	if s.o.Params != nil {
		params = *s.o.Params
	}
	if dim < spec.Dim || spec.Truncate != 0 {
		params.Dimensions = dim
	}
	if _, has := spec.Prompts[queryPrompt]; has && params.Prompt == nil && params.PromptName == nil {
		name := queryPrompt
		params.PromptName = &name
	}
	if s.metric = s.o.Metric; s.metric == "" {
		s.metric = metric(s.Vectors, spec.Similarity)
	}
	s.work = works(&jobs.Shard{Embed: params}, origin)
	return nil
}

// queryPrompt is what sentence-transformers calls the prompt of queries.
const queryPrompt = "query"

// Metric is how vectors are compared; By settles it.
func (s *Search) Metric() string { return s.metric }

// metric is how vectors are compared, where nothing else is asked for.
func metric(v export.Vectors, similarity string) string {
	switch p := v.Precision; {
	case p == vector.Binary || p == vector.Ubinary:
		return search.Hamming
	case (p == vector.Int8 || p == vector.Uint8) && v.Ranges == "":
		return search.Cosine
	}
	if similarity == "" {
		return search.Cosine // as sentence-transformers has it
	}
	return similarity
}

// Ask answers questions by going over the table once. By was called before.
func (s *Search) Ask(ctx context.Context, questions []jobs.Record) ([]Answer, search.Stats, error) {
	answers := make([]Answer, len(questions))
	vectors, err := s.embed(ctx, questions, answers)
	if err != nil {
		return nil, search.Stats{}, err
	}
	var asked [][]float32
	var whose []int
	for i := range questions {
		if answers[i].Failed == nil {
			asked, whose = append(asked, vectors[i]), append(whose, i)
		}
	}
	if len(asked) == 0 {
		return answers, search.Stats{}, nil
	}
	hits, stats, err := search.Nearest(ctx, s.table, asked, search.Options{Vectors: s.Vectors, Metric: s.metric, K: s.o.K,
		Where: append(append(scan.Conditions{}, s.o.Where...), s.Model.Rows()...), Workers: s.o.Workers})
	if err != nil {
		return nil, stats, fmt.Errorf("search %s: %w", s.table.Path, err)
	}
	for i, h := range hits {
		answers[whose[i]].Hits = h
	}
	return answers, stats, nil
}

// embed makes vectors of questions and says of each which it is, and why it failed.
func (s *Search) embed(ctx context.Context, list []jobs.Record, answers []Answer) ([][]float32, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		question int
		rows     []export.Row
	}
	results := make(chan result, len(list))
	for i, r := range list {
		answers[i].ID, answers[i].Text = r.ID, r.Text
		if err := s.work.Do(ctx, r, func(rows []export.Row) { results <- result{i, rows} }); err != nil {
			return nil, err
		}
	}
	vectors := make([][]float32, len(list))
	for range list {
		var got result
		select {
		case got = <-results:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if len(got.rows) == 0 {
			return nil, errors.Join(ErrStopped, context.Cause(ctx))
		}
		row := &got.rows[0]
		if row.Error != "" {
			answers[got.question].Failed = jobs.ParseRecordError(row.Error)
			continue
		}
		if row.Truncated.V {
			answers[got.question].Dropped = int(row.NDropped.V)
		}
		vectors[got.question] = row.Embedding
	}
	return vectors, nil
}
