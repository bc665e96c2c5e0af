package daemon

import (
	"context"

	"textmill/crash"
	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// take sees a delivery from its message to its records in the engine.
func (s *server) take(work context.Context, d *queue.Delivery) {
	if u, ok := s.decode(work, d); ok {
		s.dispatch(work, []unfed{u})
	}
}

// decode begins a flight. It reports false when that is over already, or waits for another one.
func (s *server) decode(work context.Context, d *queue.Delivery) (unfed, bool) {
	crash.Point("fetched")
	shard, err := jobs.Decode(d.Message(), s.limits)
	f := newFlight(d, shard)
	f.weights = s.spec.SHA256
	f.release = func() { s.release(work, f) }
	if !s.ledger.enter(f) {
		return unfed{}, false
	}
	if err != nil {
		s.end(work, f, finding{failed: err})
		return unfed{}, false
	}
	return unfed{f, shard, len(d.Data)}, true
}

// dispatch has deliveries of one job and dataset fed, but for those of which no rows are wanted. More than one are suspects.
func (s *server) dispatch(work context.Context, batch []unfed) {
	var wanted []unfed
	for i, u := range batch {
		f := u.flight
		found, over, err := s.admit(work, u, i == 0)
		if err != nil {
			found, over = finding{failed: err}, true
		}
		if over {
			s.end(work, f, found)
			continue
		}
		if f.shards > 0 {
			s.events.Tracker().Expect(f.job, f.shards)
		}
		f.delivery.Data = nil // Payload reads it again, should it be needed
		wanted = append(wanted, u)
	}
	switch {
	case len(wanted) == 0:
	case s.feeder != nil:
		s.feeder.add(wanted)
	default:
		s.feed(work, wanted)
	}
}

// admit gives a flight its lane, and reports whether it is over: the table's log as of now, or of the look before, knows it.
func (s *server) admit(work context.Context, u unfed, now bool) (found finding, over bool, err error) {
	f := u.flight
	if f.lane, err = s.committers.open(work, f.dataset); err != nil {
		return finding{}, false, err
	}
	if now && f.delivery.Delivered > 1 {
		if err := f.lane.table.Refresh(work); err != nil {
			return finding{}, false, err
		}
	}
	if found, over, err = s.lookUp(work, u); err != nil || over {
		return found, over, err
	}
	if found, over, err = s.ended(work, f.lane.table, f); err != nil || over {
		return found, over, err
	}
	err = f.lane.table.Writable(work) // what cannot be written need not be computed
	s.committers.refused.note(f.dataset, err)
	return finding{}, false, err
}

// lookUp reports whether a delivery was settled before it came, as the table's log was last seen.
func (s *server) lookUp(ctx context.Context, u unfed) (finding, bool, error) {
	f, t := u.flight, u.flight.lane.table
	logged, err := t.Lookup(ctx, f.key)
	if err != nil || logged == export.Absent {
		return finding{}, false, err
	}
	found := finding{logged: logged, version: t.Version(), earlier: true}
	if logged == export.Committed {
		// Another daemon may have put it there and not yet made it durable.
		if err := t.SyncEntry(ctx, f.key); err != nil {
			return finding{}, false, err
		}
	}
	return found, true, s.recount(ctx, f, u.shard, found)
}

// ended carries out a cancel on a delivery whose table has not heard of it, as when its job shares a subject and its dataset
// was unknown. The verdict goes into the table's log first, as for any other.
func (s *server) ended(ctx context.Context, t *export.Table, f *flight) (finding, bool, error) {
	at, cancelled := s.events.Cancelled(f.job, f.delivery.Timestamp)
	if !cancelled {
		return finding{}, false, nil
	}
	result, err := t.Judge(ctx, []export.Verdict{export.CancelVerdict(f.job, at)})
	return finding{logged: export.Cancelled, version: result.Version}, err == nil, err
}

// recount finds out how many rows a delivery has in the table that was committed before it came, and which of its records are
// dead letters, for the case that neither was published then.
func (s *server) recount(ctx context.Context, f *flight, shard *jobs.Shard, found finding) error {
	if found.logged != export.Committed {
		return nil
	}
	f.rows, f.uncounted = len(shard.Records), true
	if f.delivery.Delivered < 2 {
		return nil // a publisher's repeat, long announced
	}
	counted, known, err := f.lane.table.Tally(ctx, f.key, export.Origin{Job: f.job, Shard: f.shard, Task: f.task, Model: f.model})
	if err != nil {
		s.log.WarnContext(ctx, "rows of a settled delivery not counted", "job", f.job, "shard", f.shard, "error", err.Error())
	}
	if known {
		f.rows, f.errors, f.uncounted = int(counted.Rows), int(counted.Errors), false
		f.truncated, f.dropped = int(counted.Truncated), int(counted.Dropped)
	}
	if f.delivery.Delivered <= suspectAfter {
		return nil
	}
	return s.recall(ctx, f, shard)
}
