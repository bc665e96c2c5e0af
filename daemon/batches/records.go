package batches

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

// record is the latest of a kind; ErrNotFound where there is none.
func (s *Batches) record(ctx context.Context, kind, id string) (queue.Record, error) {
	if jobs.CheckBatchID(id) != nil {
		return queue.Record{}, ErrNotFound
	}
	r, err := s.o.Queue.Record(ctx, kind, id)
	if errors.Is(err, queue.ErrNotFound) {
		err = ErrNotFound
	}
	return r, err
}

// put stores a batch in place of the one of a revision, 0 for none; see queue.PutRecord.
func (s *Batches) put(ctx context.Context, b *Batch, revision uint64) (uint64, error) {
	raw, err := json.Marshal(b)
	if err != nil {
		return 0, err
	}
	return s.o.Queue.PutRecord(ctx, queue.Record{Kind: jobs.KindBatch, ID: b.ID, Data: raw, Revision: revision})
}

// putFile is put for a file.
func (s *Batches) putFile(ctx context.Context, f *File, revision uint64) error {
	raw, err := json.Marshal(f)
	if err == nil {
		_, err = s.o.Queue.PutRecord(ctx, queue.Record{Kind: jobs.KindFile, ID: f.ID, Data: raw, Revision: revision})
	}
	return err
}

// each calls use with all batches but for those that cannot be read: another version wrote them.
func (s *Batches) each(ctx context.Context, use func(*Batch)) error {
	return s.o.Queue.Records(ctx, jobs.KindBatch, func(r queue.Record) error {
		if b, err := readBatch(r); err == nil {
			use(&b)
		}
		return nil
	})
}

// eachFile is each for files, and says when each was changed.
func (s *Batches) eachFile(ctx context.Context, use func(f *File, changed time.Time)) error {
	return s.o.Queue.Records(ctx, jobs.KindFile, func(r queue.Record) error {
		if f, err := readFile(r); err == nil {
			use(&f, r.Time)
		}
		return nil
	})
}

func readBatch(r queue.Record) (b Batch, err error) {
	if err = json.Unmarshal(r.Data, &b); err == nil && b.ID != r.ID {
		err = fmt.Errorf("it names the batch %q", b.ID)
	}
	if err != nil {
		return b, fmt.Errorf("record of batch %s: %w", r.ID, err)
	}
	return b, nil
}

func readFile(r queue.Record) (f File, err error) {
	if err = json.Unmarshal(r.Data, &f); err == nil && f.ID != r.ID {
		err = fmt.Errorf("it names the file %q", f.ID)
	}
	if err != nil {
		return f, fmt.Errorf("record of file %s: %w", r.ID, err)
	}
	return f, nil
}
