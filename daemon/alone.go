package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// deathsAlone of processes that ran nothing but one record give that record up.
const deathsAlone = 2

// classCrash is of dead letters of records that killed every process that ran them.
const classCrash = "crash"

// doRecord sends one record through an engine; done is called once with its rows.
type doRecord func(record jobs.Record, done func([]export.Row)) error

// together feeds a shard's records among those of others.
func (s *server) together(work context.Context, f *flight, shard *jobs.Shard, do doRecord) {
	s.alone.RLock()
	var running sync.WaitGroup
	for record, err := range s.records(work, shard) {
		if !f.feedOne(record, err, &running, do) {
			break
		}
	}
	go func() {
		running.Wait()
		s.alone.RUnlock()
	}()
}

// feedOne reports whether more records are wanted.
func (f *flight) feedOne(record jobs.Record, err error, running *sync.WaitGroup, do doRecord) bool {
	if err == nil && f.halting() == nil {
		arrive := f.expect()
		running.Add(1)
		err = do(record, func(rows []export.Row) {
			arrive(rows)
			running.Done()
		})
		if err != nil {
			running.Done()
			err = errors.Join(errDraining, err)
		}
	}
	if err != nil {
		f.halt(err)
	}
	return f.halting() == nil
}

// suspected feeds a shard while nothing else runs in this process, a range of its records after the other, each under a
// durable mark. If the process dies, the mark tells the next one which range did it; that one is cut in two, until the
// record that kills is found.
func (s *server) suspected(work context.Context, m suspect) {
	f, shard := m.flight, m.shard
	trial, err := s.openTrial(work, f, shard)
	if err != nil {
		f.halt(err)
		return
	}
	records := trial.Ranges[len(trial.Ranges)-1]
	if len(trial.Guilty) == records {
		f.halt(&jobs.Invalid{Class: classCrash, Reason: "every process that ran it alone has died"})
		return
	}
	s.log.WarnContext(work, "a delivery that came often runs alone", "job", f.job, "shard", f.shard, "attempt", f.delivery.Delivered,
		"records", records, "ranges", len(trial.Ranges)-1, "given_up", len(trial.Guilty))
	var running sync.WaitGroup
	at := 0
	for record, err := range s.records(work, shard) {
		if next := slices.Index(trial.Ranges, at); err == nil && next >= 0 && next < len(trial.Ranges)-1 && !slices.Contains(trial.Guilty, at) {
			running.Wait()
			trial.Running, trial.Waits = next, false
			if err = f.lane.table.SaveTrial(work, f.key, f.vectors.Kind(), trial); err != nil {
				err = fmt.Errorf("mark a delivery that runs alone: %w", err)
			}
		}
		if err == nil && slices.Contains(trial.Guilty, at) {
			f.expect()([]export.Row{})
			f.letters = append(f.letters, s.letter(f, shard, at, record))
		} else if !f.feedOne(record, err, &running, m.do) {
			break
		}
		at++
	}
	running.Wait()
	trial.Running, trial.Deaths, trial.Waits = -1, 0, true // what kills the process from now on is not this delivery's run
	if err := f.lane.table.SaveTrial(context.WithoutCancel(work), f.key, f.vectors.Kind(), trial); err != nil {
		f.halt(fmt.Errorf("mark a delivery that ran alone: %w", err))
	}
}

// openTrial takes up what is known of a suspect, and draws the conclusion from a process that died with it alone.
func (s *server) openTrial(work context.Context, f *flight, shard *jobs.Shard) (*export.Trial, error) {
	trial, died, err := f.lane.table.Trial(work, f.key, f.vectors.Kind())
	if err != nil {
		return nil, err
	}
	if trial == nil || len(trial.Ranges) == 0 {
		n := 0
		for _, err := range s.records(work, shard) {
			if err != nil {
				return nil, err
			}
			n++
		}
		return &export.Trial{Ranges: []int{0, max(n, 1)}, Running: -1}, nil
	}
	if !died {
		return trial, nil
	}
	from, to := trial.Ranges[trial.Running], trial.Ranges[trial.Running+1]
	switch {
	case to-from > 1:
		trial.Ranges = slices.Insert(trial.Ranges, trial.Running+1, from+(to-from)/2)
	case trial.Accused != from || trial.Deaths == 0:
		trial.Accused, trial.Deaths = from, 1
	default:
		trial.Deaths++
	}
	if trial.Deaths >= deathsAlone {
		trial.Guilty = append(trial.Guilty, trial.Accused)
		trial.Deaths = 0
	}
	trial.Running = -1
	return trial, nil
}

// recall makes the letters of records that were given up when the delivery was committed, for the case that the process
// died before they were published.
func (s *server) recall(work context.Context, f *flight, shard *jobs.Shard) error {
	trial, _, err := f.lane.table.Trial(work, f.key, f.vectors.Kind())
	if errors.Is(err, export.ErrRefused) {
		return nil // a table that is not ours to write to has no trials
	}
	if err != nil || trial == nil || len(trial.Guilty) == 0 {
		return err
	}
	at := 0
	for record, err := range s.records(work, shard) {
		if err != nil {
			return err
		}
		if slices.Contains(trial.Guilty, at) {
			f.letters = append(f.letters, s.letter(f, shard, at, record))
		}
		at++
	}
	return nil
}

// letter is the dead letter of one record: a job message of that record alone, so that it can be tried again.
func (s *server) letter(f *flight, shard *jobs.Shard, index int, record jobs.Record) queue.DeadLetter {
	message := jobs.Envelope{Job: f.job, Shard: fmt.Sprintf("%s.%d", shard.ID, index), Dataset: shard.Dataset, Params: shard.RawParams}
	return queue.DeadLetter{
		Delivery: f.delivery, Payload: message.Encode(record), Key: fmt.Sprintf("%s/%d", f.letterKey(), index), Class: classCrash, ModelSHA256: f.weights,
		Reason: fmt.Sprintf("record %s killed %d processes that ran nothing else", record.ID, deathsAlone),
	}
}
