package local

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/google/uuid"

	"textmill/config"
	"textmill/daemon/engine"
	"textmill/export"
	"textmill/jobs"
)

// rowsAtOnce is how many rows go to the table's part file in one call.
const rowsAtOnce = 256

// embedToTable appends one row per text, or per chunk, to the table o.Dir in a single commit: all of the run or nothing.
func (m *model) embedToTable(ctx context.Context, cfg config.Config, o EmbedOptions, params jobs.EmbedParams) (err error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	store, err := export.OpenStore(export.Options{URI: filepath.Dir(dir), PartBytes: int64(cfg.Export.PartBytes), Logger: o.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	table, err := store.Table(filepath.Base(dir))
	if err != nil {
		return fmt.Errorf("--out %s: the last part of the path names the table: %w", o.Dir, err)
	}
	job := "embed-" + uuid.NewString()
	plan := m.engine.Resolve(params, engine.Origin{Job: job, Shard: "0"})
	spool, err := table.Spool(export.JobKey(job, "0", []byte(job)), plan.Kind())
	if err != nil {
		return fmt.Errorf("--out %s: %w", o.Dir, err)
	}
	defer spool.Abort()
	var pending []export.Row
	flush := func() error {
		err := spool.Append(pending)
		pending = pending[:0]
		return err
	}
	err = m.run(ctx, o.Texts, int(cfg.Limits.RecordBytes), plan, func(_ jobs.Record, rows []export.Row) error {
		if pending = append(pending, rows...); len(pending) < rowsAtOnce {
			return nil
		}
		return flush()
	}, func() error { return nil })
	if err := errors.Join(err, flush()); err != nil {
		return err
	}
	result, err := commitAlone(ctx, table, spool, plan.Kind())
	if err != nil {
		return err
	}
	o.Log.InfoContext(ctx, "embedded", "table", table.Path(), "version", result.Version, "rows", result.Rows, "errors", result.Errors,
		"job", job, "model", m.spec.Name, "model_sha256", m.spec.SHA256)
	return nil
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
