package daemon

import (
	"sync"

	"textmill/jobs"
)

// maxUnfed bounds the bytes of messages that wait to be fed to one model; one turn may go beyond it.
const maxUnfed = 64 << 20

// feeder feeds deliveries to a model whose work may take long: those of each job one after the other, and no job's behind another's.
type feeder struct {
	feed  func(*flight, *jobs.Shard)
	freed chan struct{} // of room for one: some subject may have a turn again

	mu      sync.Mutex
	waiting map[string][]unfed // by job, while a goroutine feeds its deliveries
	held    map[string]amount  // by subject, what is not fed yet
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

func newFeeder(feed func(*flight, *jobs.Shard)) *feeder {
	return &feeder{feed: feed, freed: make(chan struct{}, 1), waiting: map[string][]unfed{}, held: map[string]amount{}}
}

// add has a delivery fed whose message has so many bytes. It never blocks.
func (q *feeder) add(f *flight, shard *jobs.Shard, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	subject := f.delivery.Subject
	q.held[subject], q.all = q.held[subject].plus(1, bytes), q.all.plus(1, bytes)
	list, runs := q.waiting[f.job]
	q.waiting[f.job] = append(list, unfed{f, shard, bytes})
	if !runs {
		q.running.Go(func() { q.run(f.job) })
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
		list[0] = unfed{}
		q.waiting[job] = list[1:]
		if q.ending {
			next.flight.halt(errDraining)
		}
		q.mu.Unlock()
		q.feed(next.flight, next.shard)
		q.fed(next)
	}
}

func (q *feeder) fed(u unfed) {
	q.mu.Lock()
	defer q.mu.Unlock()
	subject := u.flight.delivery.Subject
	before := q.isFull(subject)
	q.held[subject], q.all = q.held[subject].plus(-1, -u.bytes), q.all.plus(-1, -u.bytes)
	full := q.isFull(subject)
	if q.held[subject].messages == 0 {
		delete(q.held, subject)
	}
	if !before || full {
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
