package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"textmill/crash"
	"textmill/export"
	"textmill/ground/plain"
	"textmill/jobs/queue"
)

var (
	// ErrUnseen: what a sync compares the input with cannot be seen from here (exit 1).
	ErrUnseen = errors.New("the tables cannot be seen from here")
	// ErrOvertaken: records of the sync were changed by others while it was under way; nothing of it was swapped in
	// (exit 1).
	ErrOvertaken = errors.New("the dataset was changed meanwhile")
)

// noSync stands for the id of a sync before there is one.
const noSync = "0000000000000000"

// syncJob is the name of a sync's job: no two syncs have the same, whatever they change, so that what one of before
// settled is nothing to another.
func syncJob(dataset, id string) string { return dataset + "-sync-" + id }

// checkSync finds what does not go with a sync.
func (o *SubmitOptions) checkSync() error {
	switch {
	case !o.Sync && (o.DeleteMissing || o.DeleteAll):
		return errors.New("--delete-missing and --delete-all are for --sync")
	case o.DeleteAll && !o.DeleteMissing:
		return errors.New("--delete-all says that --delete-missing is meant although the input is empty; give both")
	case o.Sync && o.OnRepeat != "":
		return errors.New("--sync replaces the rows of its records by itself; leave --on-repeat out")
	case o.Sync && o.NoWait:
		return errors.New("--sync swaps its rows in when all are there, so it waits for them; leave --no-wait out")
	case o.Sync && o.Part.Of > 0:
		return errors.New("--sync compares the whole input with the table, and swaps its rows in at once; leave --part out")
	case o.Sync && o.Job != "":
		return errors.New("--sync names its job itself; leave --job out")
	}
	return nil
}

// prepareSync checks what only a sync needs; judged is what was found of the first records.
func (s *submission) prepareSync(ctx context.Context, q *queue.Queue, judged error) (err error) {
	switch {
	case s.o.Unseen != "":
		return fmt.Errorf("%w, and --sync compares with them: %s", ErrUnseen, s.o.Unseen)
	case errors.Is(judged, errNoRecords) && s.o.DeleteMissing && !s.o.DeleteAll:
		return fmt.Errorf("%w, and --delete-missing would delete every record of dataset %s; add --delete-all if that is meant",
			errNoRecords, s.o.Dataset)
	case judged != nil && !(errors.Is(judged, errNoRecords) && s.o.DeleteMissing):
		return judged
	}
	if s.table, err = export.TableURI(s.o.Export.URI, s.o.Dataset); err != nil {
		return err
	}
	if err = s.findWeights(ctx, q); err != nil {
		return err
	}
	if s.sha256 == "" {
		return fmt.Errorf("%w: nobody says which files the model %s has, which the comparison needs; start its daemon, or set the model up here",
			ErrUsage, s.o.Model)
	}
	return nil
}

// findWeights asks daemons which weights rows will name: those may be of a more exact graph than the bundle's first.
func (s *submission) findWeights(ctx context.Context, q *queue.Queue) error {
	if q == nil {
		return nil
	}
	served, err := q.ServingUntil(ctx, announceWait, func(d queue.Served) bool {
		return d.Model == s.o.Model && d.Task == s.o.Task
	})
	if err != nil {
		return fmt.Errorf("ask which models are served: %w", err)
	}
	s.served = s.served[:0]
	for _, d := range served {
		if d.Model == s.o.Model {
			s.served = append(s.served, d)
		}
	}
	if sole := s.servedFiles(); sole != "" {
		s.sha256 = sole
	}
	return nil
}

// sync makes the dataset equal to the input.
func (s *submission) sync(ctx context.Context, q *queue.Queue) (_ Summary, err error) {
	begun := time.Now()
	c, err := s.compare(ctx)
	if err = errors.Join(err, s.src.close()); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w before anything was published", interruption(ctx))
		}
		return s.summary, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	crash.Point("sync-compared")
	s.summary.Sync = &c.SyncSummary
	if !s.o.Quiet {
		with := fmt.Sprintf("with version %d of dataset %s", c.from.Version, s.o.Dataset)
		if c.from.Version < 0 {
			with = fmt.Sprintf("for dataset %s, which is new,", s.o.Dataset)
		}
		fmt.Fprintf(s.o.Stderr, "compared %d records %s in %v\n", c.Unchanged+c.New+c.Changed+c.Retried, with,
			time.Since(begun).Round(10*time.Millisecond))
	}
	if err := s.checkMigration(c); err != nil {
		return s.summary, err
	}
	if !s.o.DryRun {
		err = s.apply(ctx, q, c)
	}
	if err == nil {
		err = s.writeSync()
	}
	return s.summary, err
}

// checkMigration refuses vectors of another kind than those that would stay.
func (s *submission) checkMigration(c *difference) error {
	kept := c.Unchanged + c.Missing - c.Deleted
	none, bound := export.Vectors{}, c.from.Vectors
	if s.vectors == none || bound == none || bound == s.vectors || kept == 0 {
		return nil
	}
	return fmt.Errorf("%w: dataset %s holds %s, this makes %s, and %d records that are not in the input would stay as they are; "+
		"give the whole corpus, or add --delete-missing", ErrUsage, s.o.Dataset, c.from.Vectors, s.vectors, kept)
}

// writeSync answers on Stdout.
func (s *submission) writeSync() error {
	if s.o.JSON {
		return plain.JSON(s.o.Stdout, &s.summary)
	}
	s.summary.writeProblems(s.o)
	_, err := fmt.Fprintln(s.o.Stdout, s.summary.Sync.line(s.o.DryRun))
	return err
}

func (c *SyncSummary) line(dry bool) string {
	what := "done"
	if dry {
		what = "to be done"
	}
	line := fmt.Sprintf("%d unchanged; %s: %d new, %d changed, %d deleted, %d errors tried again", c.Unchanged, what, c.New,
		c.Changed, c.Deleted, c.Retried)
	if left := c.Missing - c.Deleted; left > 0 {
		line += fmt.Sprintf("; %d are not in the input and stay (--delete-missing deletes them)", left)
	}
	if c.Version < 0 {
		return line + "; there is no table yet"
	}
	return fmt.Sprintf("%s; version %d", line, c.Version)
}
