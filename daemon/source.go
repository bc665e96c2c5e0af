package daemon

import (
	"context"
	"errors"
	"io"
	"iter"

	"textmill/input"
	"textmill/jobs"
)

// source reads the records of a shard: those in the message, or those that its
// input points to.
type source struct {
	roots       *input.Roots
	recordBytes int
}

// records yields a shard's records in order. An error ends them: an
// *jobs.Invalid when the shard becomes a dead letter, any other when reading
// may go better another time.
func (s source) records(ctx context.Context, shard *jobs.Shard) iter.Seq2[jobs.Record, error] {
	if shard.Input == nil {
		return func(yield func(jobs.Record, error) bool) {
			for _, r := range shard.Records {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
	return func(yield func(jobs.Record, error) bool) {
		if err := s.read(ctx, shard, yield); err != nil {
			yield(jobs.Record{}, inputFailure(err))
		}
	}
}

func (s source) read(ctx context.Context, shard *jobs.Shard, yield func(jobs.Record, error) bool) (err error) {
	r, err := s.roots.OpenInput(shard.Input, input.Options{MaxRecordBytes: s.recordBytes})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	names := jobs.NewNamer(shard.ID)
	for {
		var item input.Item
		switch err := r.Next(&item); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		names.Name(&item.Record)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if !yield(item.Record, nil) {
			return nil
		}
	}
}

// inputFailure is the class of an input that cannot be read as the message
// says.
func inputFailure(err error) error {
	for _, c := range []struct {
		is    error
		class string
	}{
		{input.ErrInputChanged, jobs.InputChanged},
		{input.ErrInputMissing, classInputMissing},
		{input.ErrInputForbidden, classInputForbidden},
		{input.ErrInputRange, jobs.InvalidJob},
		{input.ErrFormat, jobs.InvalidJob},
		{input.ErrTooExpanded, jobs.InvalidJob},
	} {
		if errors.Is(err, c.is) {
			return &jobs.Invalid{Class: c.class, Reason: err.Error()}
		}
	}
	return err
}

// Further classes of dead letters.
const (
	classInputMissing   = "input_missing"
	classInputForbidden = "input_forbidden"
	classJudged         = "judged"
)
