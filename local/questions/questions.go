// Package questions answers questions with the rows of a table that are nearest to them.
package questions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"

	"textmill/config"
	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/local"
	"textmill/open"
	"textmill/search"
	"textmill/search/words"
	"textmill/work/rows"
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
	words.Answer
	Version int64 // of the table
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
	if o.Metric != "" {
		if err := search.CheckMetric(o.Metric); err != nil {
			return fmt.Errorf("%w: --metric: %w", local.ErrUsage, err)
		}
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
	if a.search.None() {
		o.Log.WarnContext(ctx, "the table holds no vectors", "path", table.Path)
		return o.Questions.Each(ctx, int(cfg.Limits.RecordBytes), func(l local.Line) error {
			r := l.Record(naming.TaskEmbed, int(cfg.Limits.RecordBytes))
			return answered(Answer{words.Answer{ID: r.ID, Text: r.Text, Failed: r.Err}, table.Version})
		})
	}
	m, err := openModel(ctx, cfg, a.search.Model, table.Path, o.Log)
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
	search   *words.Search
	answered func(Answer) error

	failed, questions int
	stats             search.Stats
}

// prepare finds out what the log tells, before a model is loaded.
func (a *asker) prepare(ctx context.Context) error {
	where, err := search.Where(a.table.Schema, a.table.By, a.o.Where)
	if err != nil {
		return fmt.Errorf("%w: --where: %w", local.ErrUsage, err)
	}
	params, err := a.o.params()
	if err != nil {
		return err
	}
	a.search, err = words.Prepare(ctx, a.table, words.Options{K: a.o.K, Where: where, Model: a.o.Model,
		Metric: a.o.Metric, Params: params, Workers: runtime.GOMAXPROCS(0)})
	if errors.Is(err, search.ErrModels) {
		err = fmt.Errorf("%w: %w", local.ErrUsage, err)
	}
	return err
}

// ask embeds questions, some at a time, and answers them.
func (a *asker) ask(ctx context.Context, cfg config.Config, m *open.Embedder) error {
	if err := a.search.By(m.Spec, m.Engine.Work, rows.Origin{}); err != nil {
		return err
	}
	limit := int(cfg.Limits.RecordBytes)
	var waiting []jobs.Record
	few := max(1, min(atOnce, mostHits/a.o.K))
	err := a.o.Questions.Each(ctx, limit, func(l local.Line) error {
		waiting = append(waiting, l.Record(naming.TaskEmbed, limit))
		if len(waiting) < few {
			return nil
		}
		err := a.pass(ctx, waiting)
		waiting = waiting[:0]
		return err
	})
	if err == nil && len(waiting) > 0 {
		err = a.pass(ctx, waiting)
	}
	if err != nil {
		return err
	}
	if a.questions > 0 && a.stats.Rows == 0 {
		a.o.Log.WarnContext(ctx, "no row with a vector meets the conditions", "path", a.table.Path, "where", a.o.Where)
	}
	a.o.Log.Log(ctx, a.o.Questions.Level(a.failed), "searched", "questions", a.questions, "errors", a.failed, "rows",
		a.stats.Rows, "files", a.stats.Files, "bytes", a.stats.Bytes, "version", a.table.Version, "metric",
		a.search.Metric(), "model", a.search.Model.Name, "model_sha256", a.search.Model.SHA256, "took",
		a.stats.Took)
	return nil
}

// pass answers some questions by going over the table once.
func (a *asker) pass(ctx context.Context, list []jobs.Record) error {
	answers, stats, err := a.search.Ask(ctx, list)
	if errors.Is(err, words.ErrStopped) {
		err = errors.Join(local.ErrStopped, err)
	}
	if err != nil {
		return err
	}
	a.questions += len(list)
	if stats.Took > 0 { // there was a question that could be embedded
		stats.Bytes, stats.Took = stats.Bytes+a.stats.Bytes, stats.Took+a.stats.Took
		a.stats = stats
	}
	for i := range answers {
		one := &answers[i]
		if one.Failed != nil {
			a.failed++
		}
		if one.Dropped > 0 {
			a.o.Log.WarnContext(ctx, "the question is longer than the model reads, and was cut", "question", one.ID,
				"n_dropped", one.Dropped)
		}
		if err := a.answered(Answer{*one, a.table.Version}); err != nil {
			return err
		}
	}
	return nil
}
