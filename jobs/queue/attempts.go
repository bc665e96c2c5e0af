package queue

import (
	"cmp"

	"textmill/jobs"
)

// attempt is how the nth retry of a payload under a shard's name ended; 0 is its first delivery.
type attempt struct {
	lane    laneName
	payload string // SHA-256, "" where an older daemon does not say
	n       int
	end     ending
}

type ending uint8

const (
	endCommitted ending = iota
	endDead
	endResolved // a dead letter that somebody has dropped, or published as another job
)

// endOf is how an event says that a shard's attempt ended, false where it says nothing of that.
func endOf(e jobs.Event) (end ending, ended bool) {
	switch e.Type {
	case jobs.EventCommitted:
		return endCommitted, true
	case jobs.EventDead:
		return endDead, true
	case jobs.EventResolved:
		return endResolved, true
	}
	return 0, false
}

// of says that two attempts are at the same work, as far as anybody can tell.
func (a attempt) of(b attempt) bool {
	same := func(x, y string) bool { return x == y || x == "" || y == "" }
	return same(a.payload, b.payload) && same(a.lane.task, b.lane.task) && same(a.lane.model, b.lane.model) &&
		same(a.lane.dataset, b.lane.dataset)
}

// after says that a, which is told after b, is news. What was judged dead is committed only by a retry, or where the
// verdict did not go into the table's log: then the rows are there. What was resolved is dead again when its message
// comes again.
func (a attempt) after(b attempt) bool {
	return a.n > b.n || a.n == b.n && b.end != endCommitted && a.end != b.end && a.payload != "" && a.payload == b.payload
}

// attempted takes in how an attempt at a shard ended, if it is a retry or a failure, and reports whether that is news:
// an earlier one may be told again.
func (p *progress) attempted(shard string, a attempt) bool {
	known := p.attempts[shard]
	for i, b := range known {
		if !a.of(b) {
			continue
		}
		if !a.after(b) {
			return false
		}
		a.payload, a.lane = cmp.Or(a.payload, b.payload), b.lane
		known[i] = a
		p.tally(b.end, -1)
		p.tally(a.end, +1)
		return true
	}
	if a.n == 0 && a.end != endDead || len(p.attempts) >= mostNamed || len(known) >= mostLanes {
		return false
	}
	p.attempts[shard] = append(known, a)
	p.tally(a.end, +1)
	return true
}

func (p *progress) tally(end ending, by int) {
	switch end {
	case endDead:
		p.status.Dead += by
	case endResolved:
		p.status.Resolved += by
	}
}
