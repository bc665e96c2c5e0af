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
	"textmill/daemon/feed"
	"textmill/daemon/inflight"
	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

const (
	// suspectAfter is how often a delivery may come before it is suspected of killing its daemons. Many come often
	// without guilt, when something beside them does, or their daemons are stopped: so a suspect is not judged, but
	// quarantined.
	suspectAfter = 5
	// quarantineMost bounds the deliveries of a group, and so how often a poison message kills until it runs alone.
	quarantineMost = 64
	// quarantineBytes is about how much input a group may have: as long as it runs, nothing else does.
	quarantineBytes = 1 << 20
	// renewEvery is far less than what a mark holds others off for.
	renewEvery = 10 * time.Second
)

// suspect is a delivery that came often and waits for its group.
type suspect struct {
	*execution
	shard *jobs.Shard
	bytes int // of its message
	share int // how large a group it may run in
}

// partSuspects gives those that came often apart, in an order that no other daemon has: two that hold the same ones,
// as when both were stopped for longer than a lease, then run different ones first.
func partSuspects(deliveries []*queue.Delivery) (rest, suspects []*queue.Delivery) {
	for _, d := range deliveries {
		if quarantined(d) {
			suspects = append(suspects, d)
		} else {
			rest = append(rest, d)
		}
	}
	rand.Shuffle(len(suspects), func(i, j int) { suspects[i], suspects[j] = suspects[j], suspects[i] })
	return rest, suspects
}

// quarantined tells whether a delivery has come so often that it is quarantined.
func quarantined(d *queue.Delivery) bool { return d.Delivered > suspectAfter }

// quarantine sees suspects of one line from their turn at the model to their ends. They run while nothing else runs in
// this process, a group after the other, each under a durable mark. If the process dies, those that were in the group
// come into smaller ones, until the one that kills runs alone.
func (e *executor) quarantine(ctx context.Context, batch []*message, turn *feed.Turn) {
	defer turn.Done()
	begins := turn.Wait()
	var waiting []suspect
	redeemed := func() {}
	defer func() { redeemed() }()
	for i, m := range batch {
		if !begins {
			go e.report(ctx, m.Delivery, nil, failed(inflight.ErrDraining))
			continue
		}
		committer, err := e.open(ctx, m)
		if err != nil {
			go e.report(ctx, m.Delivery, nil, failed(err))
			continue
		}
		if r, over := e.admit(ctx, m, committer, i == 0); over {
			go e.report(ctx, m.Delivery, committer, r)
			continue
		}
		var d *execution
		if redeemed, err = e.claims.redeem(ctx, m, turn); err == nil { // of a batch of one, if at all
			d, err = e.start(ctx, m, committer)
		}
		if err != nil {
			go e.report(ctx, m.Delivery, committer, failed(err))
			continue
		}
		waiting = append(waiting, suspect{execution: d, shard: m.shard, bytes: m.bytes})
	}
	for len(waiting) > 0 {
		if behind := waiting[0].committer.Behind(); behind != nil {
			turn.HoldUp()
			waiting[0].await(ctx, behind)
		}
		waiting = e.runGroup(ctx, e.wanted(ctx, waiting, turn))
	}
}

// wanted ends suspects of which no rows are wanted by now.
func (e *executor) wanted(ctx context.Context, waiting []suspect, turn *feed.Turn) (left []suspect) {
	for _, m := range waiting {
		if turn.Ended() {
			m.Halt(inflight.ErrDraining)
		}
		if why := m.Halted(); why != nil {
			go e.report(ctx, m.Delivery, m.committer, failed(why))
			continue
		}
		left = append(left, m)
	}
	return left
}

// runGroup runs some of those that wait, and gives who still waits. The others are over, or wait for their commit.
func (e *executor) runGroup(ctx context.Context, waiting []suspect) (left []suspect) {
	if len(waiting) == 0 {
		return nil
	}
	e.alone.Lock()
	defer e.alone.Unlock()
	free := e.isolate(ctx, waiting)
	n := groupOf(free)
	switch n {
	case 0:
	case 1:
		e.runAlone(ctx, free[0].execution, free[0].shard)
	default:
		e.runTogether(ctx, free[:n])
	}
	return free[n:]
}

// isolate ends suspects that another daemon has settled since, or runs, and gives the others in the order in which
// they make groups.
func (e *executor) isolate(ctx context.Context, waiting []suspect) (free []suspect) {
	table := waiting[0].committer.Table
	err := table.Refresh(ctx)
	for _, m := range waiting {
		var r result
		over, failure := false, err
		if failure == nil {
			r, over, failure = e.lookUp(ctx, &message{Delivery: m.Delivery, shard: m.shard}, table)
		}
		switch {
		case failure != nil:
			go e.report(ctx, m.Delivery, m.committer, failed(failure))
		case over:
			go e.report(ctx, m.Delivery, m.committer, r)
		default:
			free = append(free, m)
		}
	}
	if len(free) == 0 {
		return nil
	}
	standings, err := table.Standings(ctx, free[0].work.Vectors().Kind(), keysOf(free))
	var can []suspect
	for i, m := range free {
		switch {
		case err != nil:
			go e.report(ctx, m.Delivery, m.committer, failed(err))
		case standings[i].Busy:
			go e.report(ctx, m.Delivery, m.committer, failed(fmt.Errorf("%w: %s", export.ErrQuarantined, m.Key)))
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
func (m *suspect) input() int64 {
	if in := m.shard.Input; in != nil {
		return cmp.Or(in.Length, in.Size)
	}
	return int64(m.bytes)
}

func keysOf(group []suspect) (keys []export.Key) {
	for _, m := range group {
		keys = append(keys, m.Key)
	}
	return keys
}

// runTogether feeds a group under its mark, which is removed when the last of them is settled.
func (e *executor) runTogether(ctx context.Context, group []suspect) {
	mark, busy, err := group[0].committer.Table.Quarantine(ctx, group[0].work.Vectors().Kind(), keysOf(group))
	if err != nil {
		for _, m := range group {
			go e.report(ctx, m.Delivery, m.committer, failed(err))
		}
		return
	}
	for _, i := range busy {
		group[i].Halt(fmt.Errorf("%w: %s", export.ErrQuarantined, group[i].Key))
	}
	var names []string
	for _, m := range group {
		if m.Halted() == nil {
			names = append(names, m.Job+"/"+m.Shard)
		}
	}
	e.log.WarnContext(ctx, "deliveries that came often run in quarantine",
		"deliveries", len(names), "share", group[len(group)-1].share, "shards", names)
	crash.Point("quarantined")
	stop := every(renewEvery, func() { e.marked(ctx, mark.Renew()) })
	var running sync.WaitGroup
	for _, m := range group {
		for record, err := range e.records(ctx, m.shard) {
			if !m.feed(ctx, record, err, &running) {
				break
			}
		}
	}
	running.Wait()
	stop()
	e.marked(ctx, mark.Ran())
	e.settleGroup(ctx, group, mark)
}

// settleGroup settles each of a group when its rows are committed, and removes their mark while their table is in use
// still.
func (e *executor) settleGroup(ctx context.Context, group []suspect, mark *export.Quarantine) {
	var left atomic.Int64
	left.Store(int64(len(group)))
	for _, m := range group {
		d := m.execution
		d.rows.Fed()
		go func() {
			defer e.inFlight.Leave(d.Delivery)
			defer d.committer.Leave()
			r := d.result()
			d.committer.Settle(func() { e.settler.settle(ctx, d.Delivery, d.committer.Table, r) })
			if left.Add(-1) == 0 {
				e.marked(ctx, mark.End())
			}
		}()
	}
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

// marked takes note of a mark that could not be kept true: it says too much, so that groups get smaller than they need
// be.
func (e *executor) marked(ctx context.Context, err error) {
	if err != nil {
		e.log.WarnContext(ctx, "mark of a quarantine", "error", err)
	}
}
