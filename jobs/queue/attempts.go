package queue

import "cmp"

// attempt is how the nth retry of a payload under a shard's name ended; 0 is its first delivery.
type attempt struct {
	lane    laneName
	payload string // SHA-256, "" where an older daemon does not say
	n       int
	dead    bool
}

// of says that two attempts are at the same work, as far as anybody can tell.
func (a attempt) of(b attempt) bool {
	same := func(x, y string) bool { return x == y || x == "" || y == "" }
	return same(a.payload, b.payload) && same(a.lane.task, b.lane.task) && same(a.lane.model, b.lane.model) && same(a.lane.dataset, b.lane.dataset)
}

// after says that a is the later news. What was judged dead is committed only by a retry, or where the verdict did
// not go into the table's log: then the rows are there.
func (a attempt) after(b attempt) bool {
	return a.n > b.n || a.n == b.n && b.dead && !a.dead && a.payload != "" && a.payload == b.payload
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
		if b.dead && !a.dead {
			p.status.Dead--
		} else if a.dead && !b.dead {
			p.status.Dead++
		}
		return true
	}
	if a.n == 0 && !a.dead || len(p.attempts) >= mostNamed || len(known) >= mostLanes {
		return false
	}
	p.attempts[shard] = append(known, a)
	if a.dead {
		p.status.Dead++
	}
	return true
}
