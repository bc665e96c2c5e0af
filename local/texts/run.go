package texts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"textmill/config"
	"textmill/export"
	"textmill/jobs"
	"textmill/local"
	"textmill/models"
	"textmill/work/rows"
)

// Options describes one run of `textmill embed` or `textmill generate`.
type Options struct {
	Model  string
	Params map[string]string
	Texts  local.Texts
	Out    io.Writer // JSONL, one line per text in order
	Dir    string    // instead of Out: the Delta table that gets the rows, all in one commit
	Ranges bool      // instead of vectors write the ranges of their dimensions; of texts to embed
	Log    *slog.Logger
	Quiet  bool // do not log how far the work is
}

// A runner feeds texts to a model and takes their rows in the order of the texts.
type runner struct {
	task        string
	recordBytes int // the longest record
	answerBytes int // about what a record's rows take
	log         *slog.Logger
	quiet       bool

	tokens, made int // tokens run, and those among them that a generation model made
	begun        time.Time
}

// work does a command's work and says what came of it: done is the word for it, begin starts work whose rows say where
// they come from, and answered is a record's line.
func (u *runner) work(ctx context.Context, cfg config.Config, o Options, done string, spec *models.Spec,
	begin func(rows.Origin) rows.Work, answered func(id string, list []export.Row) local.Answer) error {
	var about []any
	failed := 0
	if o.Dir != "" {
		job := u.task + "-" + uuid.NewString()
		result, table, err := u.toTable(ctx, cfg, o.Dir, export.JobKey(u.task, spec.Name, job, "0", []byte(job)), o.Texts,
			begin(rows.Origin{Job: job, Shard: "0"}))
		if err != nil {
			return err
		}
		failed = int(result.Errors)
		about = []any{"table", table, "version", result.Version, "rows", result.Rows, "errors", result.Errors, "job", job}
	} else {
		out := local.NewAnswers(o.Out)
		err := u.run(ctx, o.Texts, begin(rows.Origin{}), func(r jobs.Record, list []export.Row) error {
			return out.Write(answered(r.ID, list))
		}, out.Flush)
		if err := errors.Join(err, out.Flush()); err != nil {
			return err
		}
		failed = out.Failed
		about = []any{"records", out.Lines, "errors", failed}
	}
	if u.made > 0 {
		about = append(about, "output_tokens", u.made, "tokens_per_second",
			int(float64(u.made)/time.Since(u.begun).Seconds()))
	}
	o.Log.Log(ctx, o.Texts.Level(failed), done, append(about, "model", spec.Name, "model_sha256", spec.SHA256)...)
	return nil
}

// toldEvery is how often long work says how far it is.
const toldEvery = 10 * time.Second

// run hands each text's rows to emit, and calls idle before it waits for some.
func (u *runner) run(ctx context.Context, t local.Texts, work rows.Work, emit func(jobs.Record, []export.Row) error,
	idle func() error) error {
	type result struct {
		record jobs.Record
		rows   []export.Row
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := local.NewOrdered[result]()
	records, told := 0, time.Now()
	u.begun = told
	tell := func(rows []export.Row) {
		records++
		for i := range rows {
			u.tokens += int(rows[i].NTokens.V + rows[i].NOutputTokens.V)
			u.made += int(rows[i].NOutputTokens.V)
		}
		if !u.quiet && time.Since(told) >= toldEvery {
			told = time.Now()
			u.log.InfoContext(ctx, "at work", "task", u.task, "records", records, "tokens_per_second",
				int(float64(u.tokens)/time.Since(u.begun).Seconds()))
		}
	}
	go func() {
		results.Finish(t.Each(ctx, u.recordBytes, func(l local.Line) error {
			r := l.Record(u.task, u.recordBytes)
			s, err := results.Add(ctx, int64(len(r.Text))+int64(u.answerBytes)+1024)
			if err != nil {
				return err
			}
			return work.Do(ctx, r, func(rows []export.Row) { s.Result <- result{r, rows} })
		}))
	}()
	return results.Drain(ctx, func(r result) error {
		if len(r.rows) == 0 {
			return errors.Join(local.ErrStopped, context.Cause(ctx))
		}
		tell(r.rows)
		return emit(r.record, r.rows)
	}, idle)
}

// rowsAtOnce is how many rows go to the table's part file in one call.
const rowsAtOnce = 256

// toTable appends the rows to the table in dir in a single commit: all of the run or nothing. It returns the table's
// path.
func (u *runner) toTable(ctx context.Context, cfg config.Config, dir string, k export.Key, t local.Texts,
	work rows.Work) (_ export.Result, table string, err error) {
	none := export.Result{}
	uri, dataset, err := export.SplitTable(dir)
	if err != nil {
		return none, "", fmt.Errorf("--out: %w", err)
	}
	store, err := export.OpenStore(export.Options{
		URI: uri, Scratch: cfg.Export.Scratch, Dirs: cfg.Export.DirMode.Perm(), Files: cfg.Export.FileMode.Perm(),
		PartBytes: int64(cfg.Export.PartBytes), Logger: u.log,
	})
	if err != nil {
		return none, "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	to, err := store.Table(dataset)
	if err != nil {
		return none, "", fmt.Errorf("--out %s: the last part of the path names the table: %w", dir, err)
	}
	spool, err := to.Spool(ctx, k, work.Vectors().Kind())
	if err != nil {
		return none, "", fmt.Errorf("--out %s: %w", dir, err)
	}
	defer spool.Abort()
	var pending []export.Row
	flush := func() error {
		err := spool.Append(pending)
		pending = pending[:0]
		return err
	}
	err = u.run(ctx, t, work, func(_ jobs.Record, rows []export.Row) error {
		if pending = append(pending, rows...); len(pending) < rowsAtOnce {
			return nil
		}
		return flush()
	}, func() error { return nil })
	if err := errors.Join(err, flush()); err != nil {
		return none, "", err
	}
	result, err := commitAlone(ctx, to, spool, work.Vectors())
	return result, to.Path(), err
}

// commitAlone commits one spool and nothing else.
func commitAlone(
	ctx context.Context, table *export.Table, spool *export.Spool, v export.Vectors,
) (export.Result, error) {
	batch, err := table.Begin(ctx, v.Kind())
	if err != nil {
		return export.Result{}, err
	}
	defer batch.Abort()
	if err := batch.Bind(ctx, v); err != nil {
		return export.Result{}, err
	}
	if err := batch.AddSpool(spool); err != nil {
		return export.Result{}, err
	}
	return batch.Commit(ctx)
}
