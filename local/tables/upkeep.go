package tables

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"textmill/config"
	"textmill/export"
	"textmill/ground/plain"
	"textmill/local"
	"textmill/open/store"
)

// Upkeep is what changes a table that is already there.
type Upkeep struct {
	Config  config.Config
	URI     string // of the table
	Version string // of the program, for the log
	DryRun  bool   // say what would be done
	Out     io.Writer
	About   io.Writer // is told how far long work is
	JSON    bool
}

// open opens the table for writing, as a daemon with the configuration would. One that is not there is an error, and
// nothing is made.
func (u Upkeep) open(ctx context.Context) (*export.Table, func() error, error) {
	if _, err := export.Inspect(ctx, u.URI); err != nil {
		return nil, nil, err
	}
	uri, dataset, err := export.SplitTable(u.URI)
	if err != nil {
		return nil, nil, err
	}
	o, err := store.Options(u.Config.Export, u.Version)
	if err != nil {
		return nil, nil, err
	}
	o.URI = uri
	tables, err := export.OpenStore(o)
	if err != nil {
		return nil, nil, err
	}
	t, err := tables.Table(dataset)
	if err != nil {
		return nil, nil, errors.Join(err, tables.Close())
	}
	return t, tables.Close, nil
}

// tellEvery is how often long work says how far it is.
const tellEvery = 2 * time.Second

// progress tells of a rewrite now and then.
func (u Upkeep) progress() func(export.RewriteProgress) {
	last := time.Now()
	return func(p export.RewriteProgress) {
		if time.Since(last) < tellEvery {
			return
		}
		last = time.Now()
		did := map[string]string{"look": "looked into", "write": "wrote", "compact": "put together"}[p.Stage]
		things := map[string]string{"compact": "groups of files"}[p.Stage]
		if things == "" {
			things = "files"
		}
		fmt.Fprintf(u.About, "%s %d of %d %s, %d rows\n", did, p.Done, p.Files, things, p.Rows)
	}
}

// upkeepAnswer is what programs are told of a change.
type upkeepAnswer struct {
	Path    string `json:"path"`
	Version int64  `json:"version"`
	DryRun  bool   `json:"dry_run"`
	Rows    int64  `json:"rows"`          // deleted, or put together
	Removed int    `json:"files_removed"` // files that are no longer the table's
	Added   int    `json:"files_added"`
	Bytes   int64  `json:"bytes"` // of the files removed

	Vacuumed *vacuumAnswer `json:"vacuumed,omitempty"`
}

type vacuumAnswer struct {
	Path      string   `json:"path"`
	Version   int64    `json:"version"`
	DryRun    bool     `json:"dry_run"`
	Retention string   `json:"retention"`
	Files     []string `json:"files"`
	Bytes     int64    `json:"bytes"`
}

// DeleteOptions say which rows go.
type DeleteOptions struct {
	Upkeep
	IDs       []string
	Task      string // with IDs: rows of this task only
	Where     map[string]string
	Errors    bool
	Model     string
	Retention time.Duration // with Shorten: how long the table keeps the files that hold them
	Shorten   bool
}

// Delete removes rows for good: the files that hold them are written again without them, and those of before are
// removed once the table's retention is over, at once where it is shortened to nothing.
func Delete(ctx context.Context, o DeleteOptions) (err error) {
	if len(o.IDs) == 0 && len(o.Where) == 0 && !o.Errors && o.Model == "" {
		return fmt.Errorf("%w: say which rows: --id, --where, --errors or --model", local.ErrUsage)
	}
	if o.Retention < 0 {
		return fmt.Errorf("%w: a retention of %s", local.ErrUsage, o.Retention)
	}
	t, end, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	r := export.Rewrite{Operation: "DELETE", Extend: true, DryRun: o.DryRun, Progress: o.progress(),
		Take: export.Selection{Model: o.Model, Errors: o.Errors, Attributes: o.Where}}
	if len(o.IDs) > 0 {
		r.Take.Records = export.OfRecords(o.Task, o.IDs...)
	} else if o.Task != "" {
		return fmt.Errorf("%w: --task goes with --id", local.ErrUsage)
	}
	if o.Shorten {
		r.Properties = export.Retain(o.Retention)
	}
	done, err := t.Rewrite(ctx, r)
	if err != nil {
		return err
	}
	a := upkeepAnswer{Path: t.Path(), Version: done.Version, DryRun: o.DryRun, Rows: done.Taken, Removed: done.Removed,
		Added: done.Added, Bytes: done.Bytes}
	if o.Shorten && !o.DryRun {
		v, err := t.Vacuum(ctx, export.VacuumOptions{})
		if err != nil {
			return fmt.Errorf("the rows are deleted, files of before stay: %w", err)
		}
		a.Vacuumed = o.vacuumed(t.Path(), v)
	}
	if o.JSON {
		return plain.JSON(o.Out, a)
	}
	if o.DryRun {
		_, err = fmt.Fprintf(o.Out, "would delete %d rows from %d files (%d bytes)\n", a.Rows, a.Removed, a.Bytes)
		return err
	}
	if _, err = fmt.Fprintf(o.Out, "version %d: %d rows deleted, %d files replaced by %d\n", a.Version, a.Rows, a.Removed,
		a.Added); err == nil && a.Vacuumed != nil {
		err = o.tellVacuumed(a.Vacuumed)
	}
	return err
}

// CompactOptions say how files are put together.
type CompactOptions struct {
	Upkeep
	Target string // about how large files become; "" = 128MiB
}

// Compact puts the table's small files together.
func Compact(ctx context.Context, o CompactOptions) (err error) {
	target := config.ByteSize(0)
	if o.Target != "" {
		if target, err = config.ParseByteSize(o.Target); err != nil || target < 1 {
			return errors.Join(fmt.Errorf("%w: --target %s", local.ErrUsage, o.Target), err)
		}
	}
	t, end, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	done, err := t.Compact(ctx, export.CompactOptions{Target: int64(target), DryRun: o.DryRun, Progress: o.progress()})
	if err != nil {
		return err
	}
	if done.Lost > 0 {
		fmt.Fprintf(o.About, "%d groups of files stay as they were: somebody changed them meanwhile\n", done.Lost)
	}
	if o.JSON {
		return plain.JSON(o.Out, upkeepAnswer{Path: t.Path(), Version: done.Version, DryRun: o.DryRun, Rows: done.Rows,
			Removed: done.Removed, Added: done.Added, Bytes: done.Bytes})
	}
	if o.DryRun {
		_, err = fmt.Fprintf(o.Out, "would put %d files of %d rows (%d bytes) together\n", done.Removed, done.Rows,
			done.Bytes)
		return err
	}
	_, err = fmt.Fprintf(o.Out, "version %d: %d files of %d rows replaced by %d\n", done.Version, done.Removed, done.Rows,
		done.Added)
	return err
}

// VacuumOptions say which files go.
type VacuumOptions struct {
	Upkeep
	Retention *time.Duration // nil: as the table's properties say
}

// Vacuum removes files that the table no longer needs.
func Vacuum(ctx context.Context, o VacuumOptions) (err error) {
	if o.Retention != nil && *o.Retention < 0 {
		return fmt.Errorf("%w: a retention of %s", local.ErrUsage, *o.Retention)
	}
	t, end, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	done, err := t.Vacuum(ctx, export.VacuumOptions{Retention: o.Retention, DryRun: o.DryRun})
	if err != nil {
		return err
	}
	a := o.vacuumed(t.Path(), done)
	if o.JSON {
		return plain.JSON(o.Out, a)
	}
	return o.tellVacuumed(a)
}

func (u Upkeep) vacuumed(path string, v export.Vacuumed) *vacuumAnswer {
	return &vacuumAnswer{Path: path, Version: v.Version, DryRun: u.DryRun, Retention: v.Retention.String(),
		Files: append([]string{}, v.Files...), Bytes: v.Bytes}
}

func (u Upkeep) tellVacuumed(a *vacuumAnswer) error {
	did := "removed"
	if a.DryRun {
		did = "would remove"
		for _, f := range a.Files {
			if err := plain.Row(u.Out, f); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(u.Out, "%s %d files (%d bytes) that the table has not needed for %s\n", did, len(a.Files),
		a.Bytes, strings.TrimSuffix(a.Retention, "0m0s"))
	return err
}

// Checkpoint writes a checkpoint of the table's newest version.
func Checkpoint(ctx context.Context, u Upkeep) (err error) {
	t, end, err := u.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	version, err := t.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if u.JSON {
		return plain.JSON(u.Out, struct {
			Path    string `json:"path"`
			Version int64  `json:"version"`
		}{t.Path(), version})
	}
	_, err = fmt.Fprintf(u.Out, "version %d: checkpoint written\n", version)
	return err
}
