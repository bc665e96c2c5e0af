package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"textmill/config"
	"textmill/daemon/rows"
	"textmill/export"
	"textmill/jobs"
)

// A runner feeds texts to a model and takes their rows in the order of the texts.
type runner struct {
	task        string
	recordBytes int // the longest record
	answerBytes int // about what a record's rows take
	log         *slog.Logger
}

// toldEvery is how often long work says how far it is.
const toldEvery = 10 * time.Second

var errStopped = errors.New("the engine was stopped")

// run hands each text's rows to emit, and calls idle before it waits for some.
func (u runner) run(ctx context.Context, t Texts, work rows.Work, emit func(jobs.Record, []export.Row) error, idle func() error) error {
	type result struct {
		record jobs.Record
		rows   []export.Row
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := newOrdered[result](ctx)
	records, tokens, begun, told := 0, 0, time.Now(), time.Now()
	tell := func(rows []export.Row) {
		records++
		for i := range rows {
			tokens += int(rows[i].NTokens.V + rows[i].NOutputTokens.V)
		}
		if time.Since(told) >= toldEvery {
			told = time.Now()
			u.log.InfoContext(ctx, "at work", "task", u.task, "records", records, "tokens_per_second", int(float64(tokens)/time.Since(begun).Seconds()))
		}
	}
	go func() {
		results.finish(t.each(ctx, u.recordBytes, func(l line) error {
			r := l.record(u.task, u.recordBytes)
			s, err := results.add(int64(len(r.Text)) + int64(u.answerBytes) + 1024)
			if err != nil {
				return err
			}
			return work.Do(ctx, r, func(rows []export.Row) { s.result <- result{r, rows} })
		}))
	}()
	return results.drain(func(r result) error {
		if len(r.rows) == 0 {
			return errors.Join(errStopped, context.Cause(ctx))
		}
		tell(r.rows)
		return emit(r.record, r.rows)
	}, idle)
}

// rowsAtOnce is how many rows go to the table's part file in one call.
const rowsAtOnce = 256

// committed is what became of rows in a table.
type committed struct {
	export.Result
	table string
}

// toTable appends the rows to the table in dir in a single commit: all of the run or nothing. see is told of each record's.
func (u runner) toTable(ctx context.Context, cfg config.Config, dir, job string, t Texts, work rows.Work, see func([]export.Row)) (_ committed, err error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return committed{}, err
	}
	store, err := export.OpenStore(export.Options{URI: filepath.Dir(path), PartBytes: int64(cfg.Export.PartBytes), Logger: u.log})
	if err != nil {
		return committed{}, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	table, err := store.Table(filepath.Base(path))
	if err != nil {
		return committed{}, fmt.Errorf("--out %s: the last part of the path names the table: %w", dir, err)
	}
	spool, err := table.Spool(export.JobKey(job, "0", []byte(job)), work.Kind())
	if err != nil {
		return committed{}, fmt.Errorf("--out %s: %w", dir, err)
	}
	defer spool.Abort()
	var pending []export.Row
	flush := func() error {
		err := spool.Append(pending)
		pending = pending[:0]
		return err
	}
	err = u.run(ctx, t, work, func(_ jobs.Record, rows []export.Row) error {
		see(rows)
		if pending = append(pending, rows...); len(pending) < rowsAtOnce {
			return nil
		}
		return flush()
	}, func() error { return nil })
	if err := errors.Join(err, flush()); err != nil {
		return committed{}, err
	}
	result, err := commitAlone(ctx, table, spool, work.Kind())
	return committed{result, table.Path()}, err
}

// commitAlone commits one spool and nothing else.
func commitAlone(ctx context.Context, table *export.Table, spool *export.Spool, kind export.EmbeddingKind) (export.Result, error) {
	batch, err := table.Begin(kind)
	if err != nil {
		return export.Result{}, err
	}
	defer batch.Abort()
	if err := batch.AddSpool(spool); err != nil {
		return export.Result{}, err
	}
	return batch.Commit(ctx)
}
