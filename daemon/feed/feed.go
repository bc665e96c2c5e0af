// Package feed gives deliveries their turn at a model.
package feed

import "sync"

// Limits bound what waits to be fed; one turn of fetching may go beyond them.
type Limits struct {
	Messages, Bytes int // of one subject
	AllBytes        int
}

// Queue orders what is fed to one model: the deliveries of a line come one after the other, and no line waits for
// another.
type Queue struct {
	limits Limits
	freed  chan struct{}

	mu    sync.Mutex
	empty *sync.Cond
	last  map[Line]*Turn    // the newest turn of each line that has any
	held  map[string]amount // by subject, what is not fed yet
	all   amount
	ended bool
}

// Line is what keeps its order: what a job writes to a dataset.
type Line struct{ Job, Dataset string }

// amount is of deliveries, and the bytes of their messages.
type amount struct{ messages, bytes int }

func (a amount) plus(messages, bytes int) amount {
	return amount{a.messages + messages, a.bytes + bytes}
}

// Turn is a place in a line.
type Turn struct {
	queue   *Queue
	line    Line
	subject string
	size    amount
	before  <-chan struct{} // closed when the one before it is done; nil for the first
	done    chan struct{}
	held    chan struct{}
	once    sync.Once
	hold    sync.Once
}

// New makes a queue in which nothing waits.
func New(l Limits) *Queue {
	q := &Queue{limits: l, freed: make(chan struct{}, 1), last: map[Line]*Turn{}, held: map[string]amount{}}
	q.empty = sync.NewCond(&q.mu)
	return q
}

// Add gives deliveries a place at the end of their line together: so many messages that came by the subject, and their
// bytes. It never blocks; every Turn must be Done.
func (q *Queue) Add(line Line, subject string, messages, bytes int) *Turn {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held[subject], q.all = q.held[subject].plus(messages, bytes), q.all.plus(messages, bytes)
	t := &Turn{queue: q, line: line, subject: subject, size: amount{messages, bytes},
		done: make(chan struct{}), held: make(chan struct{})}
	if before := q.last[line]; before != nil {
		t.before = before.done
	}
	q.last[line] = t
	return t
}

// Wait returns when it is the delivery's turn. It reports false when nothing more is to be fed.
func (t *Turn) Wait() bool {
	if t.before != nil {
		<-t.before
	}
	t.queue.mu.Lock()
	defer t.queue.mu.Unlock()
	return !t.queue.ended
}

// Ended reports whether nothing more is to be begun.
func (t *Turn) Ended() bool {
	t.queue.mu.Lock()
	defer t.queue.mu.Unlock()
	return t.queue.ended
}

// HoldUp says that the delivery waits for something of its own, such as its table.
func (t *Turn) HoldUp() { t.hold.Do(func() { close(t.held) }) }

// Follow returns when the delivery is fed, or nobody should wait until it is: it, or one before it in its line, is
// held up.
func (t *Turn) Follow() {
	if t.before != nil {
		select {
		case <-t.before:
		default:
			return
		}
	}
	select {
	case <-t.done:
	case <-t.held:
	}
}

// Done ends the turn; the next of the line begins. Further calls do nothing.
func (t *Turn) Done() { t.once.Do(func() { t.queue.fed(t) }) }

func (q *Queue) fed(t *Turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	close(t.done)
	if q.last[t.line] == t {
		delete(q.last, t.line)
	}
	before := q.full(t.subject)
	q.held[t.subject] = q.held[t.subject].plus(-t.size.messages, -t.size.bytes)
	q.all = q.all.plus(-t.size.messages, -t.size.bytes)
	if q.all.messages == 0 {
		q.empty.Broadcast()
	}
	full := q.full(t.subject)
	if q.held[t.subject].messages == 0 {
		delete(q.held, t.subject)
	}
	if !before || full {
		return
	}
	select {
	case q.freed <- struct{}{}:
	default:
	}
}

// Freed gets a value when a subject that was full is no longer.
func (q *Queue) Freed() <-chan struct{} { return q.freed }

// Full tells whether a subject must not have more fetched yet.
func (q *Queue) Full(subject string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.full(subject)
}

// full needs q.mu.
func (q *Queue) full(subject string) bool {
	held := q.held[subject]
	return held.messages > q.limits.Messages || held.bytes > q.limits.Bytes || q.all.bytes >= q.limits.AllBytes
}

// Drain has no further turn begin, and returns when those that have are done.
func (q *Queue) Drain() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	for q.all.messages > 0 {
		q.empty.Wait()
	}
}

// End has no further turn begin.
func (q *Queue) End() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
}
