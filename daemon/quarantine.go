package daemon

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"textmill/crash"
	"textmill/export"
	"textmill/jobs/queue"
)

const (
	// suspectAfter is how often a delivery may come before it is suspected of killing its daemons. Many come often without
	// guilt, when something beside them does, or their daemons are stopped: so a suspect is not judged, but quarantined.
	suspectAfter = 5
	// quarantineMost bounds the deliveries of a group, and so how often a poison message kills until it runs alone.
	quarantineMost = 64
	// quarantineBytes is about how much input a group may have: as long as it runs, nothing else does.
	quarantineBytes = 1 << 20
	// renewEvery is far less than what a mark holds others off for.
	renewEvery = 10 * time.Second
)

// suspect is a delivery that came often, with what its records go through.
type suspect struct {
	unfed
	do    doRecord
	share int // how large a group it may run in
}

// partSuspects gives those that came often apart, in an order that no other daemon has: two that hold the same ones, as when both
// were stopped for longer than a lease, then run different ones first.
func partSuspects(deliveries []*queue.Delivery) (rest, suspects []*queue.Delivery) {
	for _, d := range deliveries {
		if d.Delivered > suspectAfter {
			suspects = append(suspects, d)
		} else {
			rest = append(rest, d)
		}
	}
	rand.Shuffle(len(suspects), func(i, j int) { suspects[i], suspects[j] = suspects[j], suspects[i] })
	return rest, suspects
}

// takeSuspects takes what came often, those of one job and dataset together.
func (s *server) takeSuspects(ctx, work context.Context, suspects []*queue.Delivery) {
	type home struct{ job, dataset string }
	var order []home
	batches := map[home][]unfed{}
	for _, d := range suspects {
		if ctx.Err() != nil {
			s.handBack(work, d)
			continue
		}
		u, ok := s.decode(work, d)
		if !ok {
			continue
		}
		h := home{u.flight.job, u.flight.dataset}
		if batches[h] == nil {
			order = append(order, h)
		}
		batches[h] = append(batches[h], u)
	}
	for _, h := range order {
		s.dispatch(work, batches[h])
	}
}

// quarantine feeds suspects of one job and table while nothing else runs in this process, a group after the other, each under a
// durable mark. If the process dies, those that were in the group come into smaller ones, until the one that kills runs alone.
func (s *server) quarantine(work context.Context, batch []unfed) {
	var waiting []suspect
	for _, u := range batch {
		waiting = append(waiting, suspect{unfed: u, do: s.work(work, u)})
	}
	for {
		var group []suspect
		for _, m := range waiting {
			if s.committers.drains() {
				m.flight.halt(errDraining)
			}
			if m.flight.halting() != nil {
				m.flight.finishFeeding()
				continue
			}
			group = append(group, m)
		}
		if len(group) == 0 {
			return
		}
		group, waiting = s.runGroup(work, group)
		for _, m := range group {
			m.flight.finishFeeding()
		}
	}
}

// runGroup runs some of those that wait, and gives them and who still waits. The others are over.
func (s *server) runGroup(work context.Context, waiting []suspect) (group, left []suspect) {
	s.alone.Lock()
	defer s.alone.Unlock()
	free := s.isolate(work, waiting)
	n := groupOf(free)
	group, left = free[:n:n], free[n:]
	switch n {
	case 0:
	case 1:
		s.suspected(work, group[0])
	default:
		s.runTogether(work, group)
	}
	return group, left
}

// isolate ends suspects that another daemon has settled since, or runs, and gives the others in the order in which they make groups.
func (s *server) isolate(work context.Context, waiting []suspect) (free []suspect) {
	table := waiting[0].flight.lane.table
	err := table.Refresh(work)
	for _, m := range waiting {
		var found finding
		over, failed := false, err
		if failed == nil {
			found, over, failed = s.lookUp(work, m.unfed)
		}
		switch {
		case failed != nil:
			s.end(work, m.flight, finding{failed: failed})
		case over:
			s.end(work, m.flight, found)
		default:
			free = append(free, m)
		}
	}
	if len(free) == 0 {
		return nil
	}
	standings, err := table.Standings(work, free[0].flight.vectors.Kind(), keysOf(free))
	var can []suspect
	for i, m := range free {
		switch {
		case err != nil:
			s.end(work, m.flight, finding{failed: err})
		case standings[i].Busy:
			s.end(work, m.flight, finding{failed: fmt.Errorf("%w: %s", export.ErrOnTrial, m.flight.key)})
		default:
			m.share = cmp.Or(standings[i].Share, quarantineMost)
			can = append(can, m)
		}
	}
	slices.SortStableFunc(can, func(a, b suspect) int { return b.share - a.share })
	return can
}

// groupOf is how many of the first may run together, the largest shares being first.
func groupOf(free []suspect) int {
	var bytes int64
	for n, m := range free {
		bytes += m.input()
		if n > 0 && (n >= m.share || bytes > quarantineBytes) {
			return n
		}
	}
	return len(free)
}

// input is about how many bytes the records are read from.
func (u unfed) input() int64 {
	if in := u.shard.Input; in != nil {
		return cmp.Or(in.Length, in.Size)
	}
	return int64(u.bytes)
}

func keysOf(group []suspect) (keys []export.Key) {
	for _, m := range group {
		keys = append(keys, m.flight.key)
	}
	return keys
}

// runTogether feeds a group under its mark, which is removed when the last of them is settled.
func (s *server) runTogether(work context.Context, group []suspect) {
	first := group[0].flight
	mark, busy, err := first.lane.table.Quarantine(work, first.vectors.Kind(), keysOf(group))
	if err != nil {
		for _, m := range group {
			m.flight.halt(err)
		}
		return
	}
	s.endWith(group, mark)
	for _, i := range busy {
		group[i].flight.halt(fmt.Errorf("%w: %s", export.ErrOnTrial, group[i].flight.key))
	}
	var names []string
	for _, m := range group {
		if m.flight.halting() == nil {
			names = append(names, m.flight.job+"/"+m.flight.shard)
		}
	}
	s.log.WarnContext(work, "deliveries that came often run in quarantine", "deliveries", len(names), "share", group[len(group)-1].share, "shards", names)
	crash.Point("quarantined")
	stop := every(renewEvery, func() { s.marked(mark.Renew()) })
	var running sync.WaitGroup
	for _, m := range group {
		for record, err := range s.records(work, m.shard) {
			if !m.flight.feedOne(record, err, &running, m.do) {
				break
			}
		}
	}
	running.Wait()
	stop()
	s.marked(mark.Ran())
}

// every does something again and again until it is stopped.
func every(d time.Duration, do func()) (stop func()) {
	ticker, stopped := time.NewTicker(d), make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-ticker.C:
				do()
			case <-stopped:
				return
			}
		}
	})
	return func() {
		ticker.Stop()
		close(stopped)
		running.Wait()
	}
}

// endWith has the last of a group that is settled remove the mark.
func (s *server) endWith(group []suspect, mark *export.Quarantine) {
	var left atomic.Int64
	left.Store(int64(len(group)))
	for _, m := range group {
		release := m.flight.release
		m.flight.release = func() {
			if left.Add(-1) == 0 {
				s.marked(mark.End())
			}
			release()
		}
	}
}

// marked takes note of a mark that could not be kept true: it says too much, so that groups get smaller than they need be.
func (s *server) marked(err error) {
	if err != nil {
		s.log.Warn("mark of a quarantine", "error", err.Error())
	}
}
