// Package questions answers questions with the rows of a table that are nearest to them.
package questions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"textmill/config"
	"textmill/export"
	"textmill/export/scan"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/local"
	"textmill/models/vector"
	"textmill/open"
	"textmill/search"
)

// Options say what is asked of which table.
type Options struct {
	Table     string // a path or a URI
	Questions local.Texts
	K         int               // rows for each question, at most
	Where     []string          // NAME=VALUE
	Model     string            // NAME or NAME@HASH; "" is the table's only one
	Metric    string            // "" is the model's, or what the table's precision needs
	Params    map[string]string // how questions are embedded, where the model's own files do not say it
	Log       *slog.Logger
}

// An Answer is what became of one question.
type Answer struct {
	ID, Text string
	Failed   *jobs.RecordError
	Hits     []search.Hit // the nearest first
	Version  int64        // of the table
}

// atOnce is how many questions a pass over the table answers.
const atOnce = 1024

// mostHits is how many rows a pass answers at most, of all questions together.
const mostHits = 1 << 16

// Each calls answered with the answer to each question, in their order. It reads one version of the table, once for
// as many questions as atOnce and mostHits allow.
func Each(ctx context.Context, cfg config.Config, o Options, answered func(Answer) error) (err error) {
	if o.K < 1 || o.K > mostHits {
		return fmt.Errorf("%w: -k %d: must be between 1 and %d", local.ErrUsage, o.K, mostHits)
	}
	table, err := export.OpenReading(ctx, o.Table)
	if err != nil {
		return err
	}
	defer table.Close()
	a := &asker{o: o, table: table, answered: answered}
	if err := a.prepare(ctx); err != nil {
		return err
	}
	if a.options.Vectors == (export.Vectors{}) {
		o.Log.WarnContext(ctx, "the table holds no vectors", "path", table.Path)
		return o.Questions.Each(ctx, int(cfg.Limits.RecordBytes), func(l local.Line) error {
			r := l.Record(naming.TaskEmbed, int(cfg.Limits.RecordBytes))
			return answered(Answer{ID: r.ID, Text: r.Text, Failed: r.Err, Version: table.Version})
		})
	}
	m, err := openModel(ctx, cfg, a.model, table.Path, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.End()) }()
	return a.ask(ctx, cfg, m)
}

// asker is one run.
type asker struct {
	o        Options
	table    *export.Reading
	model    search.Model
	options  search.Options
	answered func(Answer) error

	failed, questions int
	stats             search.Stats
	took              time.Duration
}

// prepare finds out what the log tells, before a model is loaded.
func (a *asker) prepare(ctx context.Context) error {
	vectors, err := a.table.Holds(ctx)
	if err != nil {
		return err
	}
	if vectors.PerToken {
		return fmt.Errorf("%s holds %s, which are not searched: embed the texts with another pooling than none",
			a.table.Path, vectors)
	}
	where, err := search.Where(a.table.Schema, a.table.By, a.o.Where)
	if err != nil {
		return fmt.Errorf("%w: --where: %w", local.ErrUsage, err)
	}
	models, err := search.Models(ctx, a.table)
	if err != nil {
		return fmt.Errorf("read the models of %s: %w", a.table.Path, err)
	}
	if len(models) == 0 {
		return nil
	}
	if a.model, err = search.Choose(models, a.o.Model); err != nil {
		return fmt.Errorf("%w: %w", local.ErrUsage, err)
	}
	a.options = search.Options{Vectors: vectors, K: a.o.K, Where: append(scan.Conditions{}, where...),
		Workers: runtime.GOMAXPROCS(0)}
	a.options.Where = append(a.options.Where, a.model.Rows()...)
	return nil
}

// metric is how vectors of a precision are compared, where nothing else is asked for.
func metric(precision, similarity string) string {
	switch precision {
	case vector.Binary, vector.Ubinary:
		return search.Hamming
	case vector.Int8, vector.Uint8:
		return search.Cosine
	}
	if similarity == "" {
		return search.Cosine // as sentence-transformers has it
	}
	return similarity
}

// ask embeds questions, some at a time, and answers them.
func (a *asker) ask(ctx context.Context, cfg config.Config, m *open.Embedder) error {
	a.options.Metric = a.o.Metric
	if a.options.Metric == "" {
		a.options.Metric = metric(a.options.Vectors.Precision, m.Spec.Similarity)
	}
	e, err := newEmbedding(m, a.options.Vectors.Dim, a.o)
	if err != nil {
		return err
	}
	limit := int(cfg.Limits.RecordBytes)
	var waiting []jobs.Record
	few := max(1, min(atOnce, mostHits/a.o.K))
	err = a.o.Questions.Each(ctx, limit, func(l local.Line) error {
		waiting = append(waiting, l.Record(naming.TaskEmbed, limit))
		if len(waiting) < few {
			return nil
		}
		err := a.pass(ctx, e, waiting)
		waiting = waiting[:0]
		return err
	})
	if err == nil && len(waiting) > 0 {
		err = a.pass(ctx, e, waiting)
	}
	if err != nil {
		return err
	}
	if a.questions > 0 && a.stats.Rows == 0 {
		a.o.Log.WarnContext(ctx, "no row with a vector meets the conditions", "path", a.table.Path, "where", a.o.Where)
	}
	a.o.Log.Log(ctx, a.o.Questions.Level(a.failed), "searched", "questions", a.questions, "errors", a.failed, "rows",
		a.stats.Rows, "files", a.stats.Files, "bytes", a.stats.Bytes, "version", a.table.Version, "metric",
		a.options.Metric, "model", a.model.Name, "model_sha256", a.model.SHA256, "took", a.took)
	return nil
}

// pass answers some questions by going over the table once.
func (a *asker) pass(ctx context.Context, e *embedding, list []jobs.Record) error {
	answers := make([]Answer, len(list))
	vectors, err := e.vectors(ctx, list, answers)
	if err != nil {
		return err
	}
	var asked [][]float32
	var whose []int
	for i := range list {
		a.questions++
		answers[i].Version = a.table.Version
		if answers[i].Failed != nil {
			a.failed++
			continue
		}
		asked, whose = append(asked, vectors[i]), append(whose, i)
	}
	if len(asked) > 0 {
		begun := time.Now()
		hits, stats, err := search.Nearest(ctx, a.table, asked, a.options)
		if err != nil {
			return fmt.Errorf("search %s: %w", a.table.Path, err)
		}
		a.took += time.Since(begun)
		a.stats.Files, a.stats.Rows, a.stats.Bytes = stats.Files, stats.Rows, a.stats.Bytes+stats.Bytes
		for i, h := range hits {
			answers[whose[i]].Hits = h
		}
	}
	for _, one := range answers {
		if err := a.answered(one); err != nil {
			return err
		}
	}
	return nil
}
