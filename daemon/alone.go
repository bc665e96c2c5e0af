package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"textmill/daemon/inflight"
	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// deathsAlone of processes that ran nothing but one record give that record up.
const deathsAlone = 2

// runAlone feeds a delivery while nothing else runs in this process, and has it settled when its rows are committed.
func (e *executor) runAlone(ctx context.Context, d *execution, shard *jobs.Shard) {
	letters, err := e.feedInRanges(ctx, d, shard)
	if err != nil {
		d.Halt(err)
	}
	d.rows.Fed()
	go func() {
		r := d.result()
		r.letters = letters
		e.report(ctx, d.Delivery, d.committer, r)
	}()
}

// feedInRanges feeds a range of the records after the other, each under a durable mark. If the process dies, the mark
// tells the next one which range did it; that one is cut in two, until the record that kills is found. It gives the
// letters of those that were.
func (e *executor) feedInRanges(
	ctx context.Context, d *execution, shard *jobs.Shard,
) (letters []queue.DeadLetter, err error) {
	table, kind := d.committer.Table, d.work.Vectors().Kind()
	isolation, err := e.openIsolation(ctx, d, shard)
	if err != nil {
		return nil, err
	}
	count := isolation.Ranges[len(isolation.Ranges)-1]
	if len(isolation.Poison) == count {
		return nil, &jobs.Invalid{Class: jobs.Crash, Reason: "every process that ran it alone has died"}
	}
	e.log.WarnContext(ctx, "a delivery that came often runs alone", "job", d.Job, "shard", d.Shard,
		"attempt", d.Message.Delivered, "records", count, "ranges", len(isolation.Ranges)-1, "given_up", len(isolation.Poison))
	var records sync.WaitGroup
	at := 0
	for record, err := range e.records(ctx, shard) {
		if behind := d.committer.Behind(); behind != nil {
			d.await(ctx, behind)
		}
		next := slices.Index(isolation.Ranges, at)
		begins := next >= 0 && next < len(isolation.Ranges)-1
		if err == nil && begins && !slices.Contains(isolation.Poison, at) {
			records.Wait()
			isolation.Running, isolation.Waits = next, false
			if err = table.SaveIsolation(ctx, d.Key, kind, isolation); err != nil {
				err = fmt.Errorf("mark a delivery that runs alone: %w", err)
			}
		}
		if err == nil && slices.Contains(isolation.Poison, at) {
			d.rows.Expect()([]export.Row{})
			letters = append(letters, letterOfRecord(d.Delivery, shard, at, record))
		} else if !d.feed(ctx, record, err, &records) {
			break
		}
		at++
	}
	records.Wait()
	// What kills the process from now on is not this delivery's run.
	isolation.Running, isolation.Deaths, isolation.Waits = -1, 0, true
	if err := table.SaveIsolation(context.WithoutCancel(ctx), d.Key, kind, isolation); err != nil {
		return letters, fmt.Errorf("mark a delivery that ran alone: %w", err)
	}
	return letters, nil
}

// openIsolation takes up what is known of a suspect, and draws the conclusion from a process that died with it alone.
func (e *executor) openIsolation(ctx context.Context, d *execution, shard *jobs.Shard) (*export.Isolation, error) {
	isolation, died, err := d.committer.Table.Isolation(ctx, d.Key, d.work.Vectors().Kind())
	if err != nil {
		return nil, err
	}
	if isolation == nil || len(isolation.Ranges) == 0 {
		n := 0
		for _, err := range e.records(ctx, shard) {
			if err != nil {
				return nil, err
			}
			n++
		}
		return &export.Isolation{Ranges: []int{0, max(n, 1)}, Running: -1}, nil
	}
	if !died {
		return isolation, nil
	}
	from, to := isolation.Ranges[isolation.Running], isolation.Ranges[isolation.Running+1]
	switch {
	case to-from > 1:
		isolation.Ranges = slices.Insert(isolation.Ranges, isolation.Running+1, from+(to-from)/2)
	case isolation.Suspect != from || isolation.Deaths == 0:
		isolation.Suspect, isolation.Deaths = from, 1
	default:
		isolation.Deaths++
	}
	if isolation.Deaths >= deathsAlone {
		isolation.Poison = append(isolation.Poison, isolation.Suspect)
		isolation.Deaths = 0
	}
	isolation.Running = -1
	return isolation, nil
}

// lettersAgain makes the letters of records that were given up when the delivery was committed, for the case that the
// process died before they were published.
func (e *executor) lettersAgain(
	ctx context.Context, m *message, t *export.Table,
) (letters []queue.DeadLetter, err error) {
	isolation, _, err := t.Isolation(ctx, m.Key, export.Vectors{}.Kind())
	if errors.Is(err, export.ErrRefused) {
		return nil, nil // a table that is not ours to write to has none
	}
	if err != nil || isolation == nil || len(isolation.Poison) == 0 {
		return nil, err
	}
	redeemed, err := e.claims.redeem(ctx, m, nil)
	if err != nil {
		return nil, err
	}
	defer redeemed()
	at := 0
	for record, err := range e.records(ctx, m.shard) {
		if err != nil {
			return nil, err
		}
		if slices.Contains(isolation.Poison, at) {
			letters = append(letters, letterOfRecord(m.Delivery, m.shard, at, record))
		}
		at++
	}
	return letters, nil
}

// letterOfRecord is the dead letter of one record: a job message of that record alone, so that it can be tried again.
func letterOfRecord(d *inflight.Delivery, shard *jobs.Shard, index int, record jobs.Record) queue.DeadLetter {
	message := jobs.Envelope{Job: d.Job, Shard: fmt.Sprintf("%s.%d", shard.ID, index), Dataset: shard.Dataset,
		Params: shard.RawParams}
	return queue.DeadLetter{
		Delivery: d.Message, Payload: message.Encode(record), Key: fmt.Sprintf("%s/%d", d.LetterKey(), index),
		Class: jobs.Crash, ModelSHA256: d.Weights,
		Reason: fmt.Sprintf("record %s killed %d processes that ran nothing else", record.ID, deathsAlone),
	}
}
