package client

import (
	"context"
	"errors"
	"fmt"

	"textmill/ground/naming"
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
		if s.cutShards++; !s.o.Part.has(one.number) {
			return nil
		}
		s.summary.count(one)
		return emit(c, one)
	}
	defer func() { s.summary.FilesLeftOut = s.src.left }()
	return s.read(c, func(it *input.Item) {
		if e := it.Record.Err; e != nil && s.o.Part.has(c.open.number) {
			s.summary.problem(s.src.name(), e)
		}
	})
}

// read has a cutter take all records; seen is told of each that was taken from src.
func (s *submission) read(c *cutter, seen func(*input.Item)) error {
	if s.feed != nil {
		return errors.Join(s.feed(c), c.flush())
	}
	return s.src.each(func(it *input.Item) error {
		if err := errors.Join(s.checkID(it), c.add(it)); err != nil {
			return err
		}
		seen(it)
		return nil
	}, c.flush)
}

// checkID refuses a record without an id where repeated ones are told by it.
func (s *submission) checkID(it *input.Item) error {
	byID := s.o.Sync || s.o.OnRepeat == naming.RepeatReplace || s.o.OnRepeat == naming.RepeatSkip
	if !byID || it.Record.ID != "" && !s.src.placed {
		return nil
	}
	flag := "--sync"
	if !s.o.Sync {
		flag = "--on-repeat " + s.o.OnRepeat
	}
	return fmt.Errorf("%w: %s: line %d: the record has no id, and a place in a file is none that lasts: "+
		"%s needs an id in each record (--id-column names its key)", ErrUsage, s.src.name(), it.Line, flag)
}

func (s *submission) cutter(job string, maxPayload int64) (*cutter, error) {
	return newCutter(cutter{task: s.o.Task, model: s.o.Model, job: job, dataset: s.o.Dataset, sync: s.syncID,
		onRepeat: s.o.OnRepeat,
		params:   s.o.Params, limits: s.o.Limits, anyModel: s.o.Force}, maxPayload)
}

func (s *submission) dryRun(ctx context.Context) (Summary, error) {
	err := s.cut(ctx, unknownMaxPayload, func(*cutter, shard) error { return nil })
	err = errors.Join(err, s.src.close())
	switch {
	case ctx.Err() != nil:
		return s.summary, interruption(ctx)
	case err != nil:
		return s.summary, err
	case s.cutShards == 0:
		return s.summary, errNoRecords
	}
	err = errors.Join(s.refused, s.summary.writeDryRun(s.o))
	if err == nil {
		err = s.maxErrors.check(int64(s.summary.Records), int64(s.summary.Invalid))
	}
	return s.summary, err
}
