package batches

import (
	"context"
	"errors"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

const (
	sweepEvery = time.Hour
	// leftAfter is far more than an upload, or making a file of one, ever takes.
	leftAfter = 24 * time.Hour
	// BatchesKept is how long a batch is known after it was made.
	BatchesKept = 90 * 24 * time.Hour
)

func (s *Batches) sweepNowAndThen(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.o.Log.WarnContext(ctx, "files are not swept, trying again later", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep removes what is over by a time: files that have expired, what is left of those that were deleted and of
// uploads that became none, and batches of long ago.
func (s *Batches) Sweep(ctx context.Context, now time.Time) error {
	kept := map[string]bool{}
	var files, gone []File
	err := s.eachFile(ctx, func(f *File, changed time.Time) {
		switch old := changed.Add(leftAfter).Before(now); {
		case f.Deleted && old:
			gone = append(gone, *f)
		case !f.Deleted && f.Expires > 0 && f.Expires <= now.Unix():
			files = append(files, *f)
		case !f.Deleted:
			kept[f.Content.ID] = true
		}
	})
	if err != nil {
		return err
	}
	var old []Batch
	err = s.each(ctx, func(b *Batch) {
		switch {
		case b.Status.Over() && time.Unix(0, b.Created).Add(BatchesKept).Before(now):
			old = append(old, *b)
		case !b.Status.Over():
			kept[b.Input.ID] = true
			for _, f := range []*File{b.Output, b.Errors} {
				if f != nil {
					kept[f.Content.ID] = true
				}
			}
		}
	})
	if err != nil {
		return err
	}
	return s.remove(ctx, now, files, gone, old, kept)
}

func (s *Batches) remove(ctx context.Context, now time.Time, files, gone []File, old []Batch,
	kept map[string]bool) error {
	var errs []error
	for _, f := range files {
		r, err := s.o.Queue.Record(ctx, jobs.KindFile, f.ID)
		if err == nil {
			f.Deleted = true
			err = s.putFile(ctx, &f, r.Revision)
		}
		if err == nil && !kept[f.Content.ID] {
			err = s.o.Queue.DropContent(ctx, f.Content)
		}
		if !errors.Is(err, queue.ErrChanged) {
			errs = append(errs, err)
		}
	}
	for _, f := range gone {
		errs = append(errs, s.o.Queue.DropRecord(ctx, jobs.KindFile, f.ID))
	}
	for _, b := range old {
		errs = append(errs, s.o.Queue.DropRecord(ctx, jobs.KindBatch, b.ID))
	}
	_, err := s.o.Queue.SweepContents(ctx, now.Add(-leftAfter), func(id string) bool { return kept[id] })
	return errors.Join(append(errs, err)...)
}
