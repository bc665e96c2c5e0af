package input

import (
	"context"
	"errors"
	"io"
	"iter"

	"textmill/jobs"
)

// Records yields a shard's records in order: those in its message, or those that its input points to. An error ends
// them: a
// *jobs.Invalid when the shard becomes a dead letter, any other when reading may go better another time.
func (r *Roots) Records(ctx context.Context, shard *jobs.Shard, o Options) iter.Seq2[jobs.Record, error] {
	if shard.Input == nil {
		return func(yield func(jobs.Record, error) bool) {
			for _, record := range shard.Records {
				if !yield(record, nil) {
					return
				}
			}
		}
	}
	return func(yield func(jobs.Record, error) bool) {
		if err := r.readShard(ctx, shard, o, yield); err != nil {
			yield(jobs.Record{}, classified(err))
		}
	}
}

func (r *Roots) readShard(ctx context.Context, shard *jobs.Shard, o Options,
	yield func(jobs.Record, error) bool) (err error) {
	in, err := r.OpenInput(shard.Input, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	names := jobs.NewNamer(shard.ID)
	for {
		var item Item
		switch err := in.Next(&item); {
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

// classified gives an input that cannot be read as the message says the class of its dead letter.
func classified(err error) error {
	for _, c := range []struct {
		is    error
		class string
	}{
		{ErrInputChanged, jobs.InputChanged},
		{ErrInputMissing, jobs.InputMissing},
		{ErrInputForbidden, jobs.InputForbidden},
		{ErrInputRange, jobs.InvalidJob},
		{ErrFormat, jobs.InvalidJob},
		{ErrTooExpanded, jobs.InvalidJob},
	} {
		if errors.Is(err, c.is) {
			return &jobs.Invalid{Class: c.class, Reason: err.Error()}
		}
	}
	return err
}
