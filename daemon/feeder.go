package daemon

import (
	"sync"

	"textmill/jobs"
)

// maxUnfed bounds the bytes of messages that wait to be fed to one model; one turn may go beyond it.
const maxUnfed = 64 << 20

// feeder feeds deliveries to a model whose work may take long: those of each job one after the other, and no job's behind another's.
type feeder struct {
	feed  func([]unfed)
	freed chan struct{} // of room for one: some subject may have a turn again

	mu      sync.Mutex
	waiting map[string][][]unfed // by job, while a goroutine feeds its deliveries
	held    map[string]amount    // by subject, what is not fed yet
	all     amount
	ending  bool
	running sync.WaitGroup
}

// amount is of deliveries, and the bytes of their messages.
type amount struct{ messages, bytes int }

func (a amount) plus(messages, bytes int) amount {
	return amount{a.messages + messages, a.bytes + bytes}
}

type unfed struct {
	flight *flight
	shard  *jobs.Shard
	bytes  int
}

func newFeeder(feed func([]unfed)) *feeder {
	return &feeder{feed: feed, freed: make(chan struct{}, 1), waiting: map[string][][]unfed{}, held: map[string]amount{}}
}

// add has deliveries of one job fed together. It never blocks.
func (q *feeder) add(batch []unfed) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.count(batch, 1)
	job := batch[0].flight.job
	list, runs := q.waiting[job]
	q.waiting[job] = append(list, batch)
	if !runs {
		q.running.Go(func() { q.run(job) })
	}
}

// count adds a batch to what is not fed yet, or takes it away. It needs q.mu.
func (q *feeder) count(batch []unfed, sign int) {
	for _, u := range batch {
		subject := u.flight.delivery.Subject
		q.held[subject], q.all = q.held[subject].plus(sign, sign*u.bytes), q.all.plus(sign, sign*u.bytes)
		if q.held[subject].messages == 0 {
			delete(q.held, subject)
		}
	}
}

// run feeds a job's deliveries until none waits.
func (q *feeder) run(job string) {
	for {
		q.mu.Lock()
		list := q.waiting[job]
		if len(list) == 0 {
			delete(q.waiting, job)
			q.mu.Unlock()
			return
		}
		next := list[0]
		list[0] = nil
		q.waiting[job] = list[1:]
		if q.ending {
			for _, u := range next {
				u.flight.halt(errDraining)
			}
		}
		q.mu.Unlock()
		q.feed(next)
		q.fed(next)
	}
}

func (q *feeder) fed(batch []unfed) {
	q.mu.Lock()
	defer q.mu.Unlock()
	subject := batch[0].flight.delivery.Subject // what is fed together came in one turn
	before := q.isFull(subject)
	q.count(batch, -1)
	if !before || q.isFull(subject) {
		return
	}
	select {
	case q.freed <- struct{}{}:
	default:
	}
}

// full tells whether a subject must not have another turn yet, since more than half of one is not fed, or too much of all.
func (q *feeder) full(subject string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.isFull(subject)
}

func (q *feeder) isFull(subject string) bool {
	held := q.held[subject]
	return held.messages > turnMessages/2 || held.bytes > turnBytes/2 || q.all.bytes >= maxUnfed
}

// end hands back what is not being fed yet, and waits for the rest.
func (q *feeder) end() {
	q.mu.Lock()
	q.ending = true
	q.mu.Unlock()
	q.running.Wait()
}
