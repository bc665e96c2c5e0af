package client

import (
	"context"
	"errors"

	"textmill/input"
)

// cut runs all inputs through a cutter.
func (s *submission) cut(ctx context.Context, maxPayload int64, emit func(*cutter, shard) error) error {
	c, err := s.cutter(s.o.Job, maxPayload)
	if err != nil {
		return err
	}
	c.emit = func(one shard) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		s.summary.count(one)
		return emit(c, one)
	}
	if s.feed != nil {
		return errors.Join(s.feed(c), c.flush())
	}
	return s.src.each(func(it *input.Item) error {
		if err := c.add(it); err != nil {
			return err
		}
		if e := it.Record.Err; e != nil {
			s.summary.problem(s.src.name(), e)
		}
		return nil
	}, c.flush)
}

func (s *submission) cutter(job string, maxPayload int64) (*cutter, error) {
	return newCutter(cutter{task: s.o.Task, model: s.o.Model, job: job, dataset: s.o.Dataset, sync: s.syncID,
		params: s.o.Params, limits: s.o.Limits, anyModel: s.o.Force}, maxPayload)
}

func (s *submission) dryRun(ctx context.Context) (Summary, error) {
	err := s.cut(ctx, unknownMaxPayload, func(*cutter, shard) error { return nil })
	err = errors.Join(err, s.src.close())
	switch {
	case ctx.Err() != nil:
		return s.summary, interruption(ctx)
	case err != nil:
		return s.summary, err
	case s.summary.Records == 0:
		return s.summary, errNoRecords
	}
	err = errors.Join(s.refused, s.summary.writeDryRun(s.o))
	if err == nil {
		err = s.maxErrors.check(int64(s.summary.Records), int64(s.summary.Invalid))
	}
	return s.summary, err
}
