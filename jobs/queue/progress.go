package queue

import (
	"cmp"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"textmill/jobs"
)

// States of a job.
const (
	StateQueued    = "queued"
	StateRunning   = "running"
	StateDone      = "done"
	StateCancelled = "cancelled"
)

// JobStatus is how far a job is.
type JobStatus struct {
	Job        string   `json:"job"`
	State      string   `json:"state"`
	Shards     int      `json:"shards"` // 0 = not known yet
	ShardsDone int      `json:"shards_done"`
	Rows       int64    `json:"rows"`
	Errors     int64    `json:"errors"`
	Dead       int      `json:"dead"`              // shards
	Dropped    int64    `json:"dropped,omitempty"` // messages that a cancel dropped
	ETASeconds *float64 `json:"eta_s"`

	// As the latest event that names them says.
	Task, Model, Dataset string `json:"-"`

	Table   string    `json:"-"`
	Version int64     `json:"-"` // highest of the table that an event named
	Updated time.Time `json:"-"` // of the latest event
}

// progress gathers a job's events. Repeated events and events in another order
// give the same counts.
type progress struct {
	status    JobStatus
	settled   spans // shards whose names are numbers
	named     map[uint64]struct{}
	attempts  map[string]attempt // the latest known of shards that ended as dead letters or were retried
	cancelled bool
	announced bool // a `done` event was seen
	rate      rate
}

// attempt is how the nth retry of a shard ended; 0 is its first delivery.
type attempt struct {
	n    int
	dead bool
}

const mostNamed = 1 << 20

var nameSeed = maphash.MakeSeed()

func newProgress(job string) *progress {
	return &progress{status: JobStatus{Job: job}, named: make(map[uint64]struct{}), attempts: make(map[string]attempt)}
}

func (p *progress) apply(e jobs.Event) {
	s := &p.status
	s.Shards = max(s.Shards, e.Shards)
	if e.Table != "" {
		s.Table, s.Version = e.Table, max(s.Version, e.Version)
	}
	s.Task, s.Model, s.Dataset = cmp.Or(e.Task, s.Task), cmp.Or(e.Model, s.Model), cmp.Or(e.Dataset, s.Dataset)
	if e.Time.After(s.Updated) {
		s.Updated = e.Time
	}
	switch e.Type {
	case jobs.EventCommitted:
		p.committed(e)
	case jobs.EventDead:
		base, n := attemptOf(e.Shard)
		p.ended(base, attempt{n, true})
		p.settle(base, e.Time)
	case jobs.EventDropped:
		if e.Shard == "" || p.addName("dropped/"+e.Shard+"/"+e.PayloadSHA256) {
			s.Dropped += max(e.Messages, 1)
		}
	case jobs.EventCancelled:
		p.cancelled = true
	case jobs.EventDone:
		p.announce(e)
	}
}

func (p *progress) committed(e jobs.Event) {
	s := &p.status
	base, n := attemptOf(e.Shard)
	fresh := p.settle(base, e.Time)
	if n > 0 {
		fresh = p.ended(base, attempt{n, false})
	}
	if fresh {
		s.Rows += e.Rows
		s.Errors += e.Errors
	}
}

// attemptOf takes a shard's name and the number of its retry apart.
func attemptOf(shard string) (base string, n int) {
	base, retry, retried := strings.Cut(shard, "/r")
	if !retried {
		return base, 0
	}
	n, _ = strconv.Atoi(retry)
	return base, max(n, 1)
}

// ended takes in how an attempt at a shard ended and reports whether it is the latest: an earlier one may be told again.
func (p *progress) ended(shard string, a attempt) bool {
	last, known := p.attempts[shard]
	if known && a.n <= last.n || !known && len(p.attempts) >= mostNamed {
		return false
	}
	p.attempts[shard] = a
	if a.dead != last.dead {
		if a.dead {
			p.status.Dead++
		} else {
			p.status.Dead--
		}
	}
	return true
}

// settle counts a shard once and reports whether this was the time.
func (p *progress) settle(shard string, at time.Time) bool {
	if p.announced {
		return false
	}
	fresh := false
	if n, err := strconv.ParseUint(shard, 10, 64); err == nil && strconv.FormatUint(n, 10) == shard && n < 1<<63 {
		fresh = p.settled.add(n)
	} else {
		fresh = p.addName(shard)
	}
	if fresh {
		p.status.ShardsDone++
		p.rate.add(at, p.status.ShardsDone)
	}
	return fresh
}

func (p *progress) addName(shard string) bool {
	h := maphash.String(nameSeed, shard)
	if _, known := p.named[h]; known || len(p.named) >= mostNamed {
		return false
	}
	p.named[h] = struct{}{}
	return true
}

// announce shrinks a job that is done to its counts. Those of the `done` event
// hold where older events are gone from the stream.
func (p *progress) announce(e jobs.Event) {
	s := &p.status
	p.announced = true
	s.Shards = max(s.Shards, e.Shards)
	s.ShardsDone = max(s.ShardsDone, e.Shards)
	s.Rows, s.Errors = max(s.Rows, e.Rows), max(s.Errors, e.Errors)
	p.settled, p.named, p.rate = spans{}, make(map[uint64]struct{}), rate{}
}

// complete says that every shard of a job whose size is known is settled.
func (p *progress) complete() bool {
	return p.announced || p.status.Shards > 0 && p.status.ShardsDone >= p.status.Shards
}

func (p *progress) report(now time.Time) JobStatus {
	s := p.status
	switch {
	case p.complete():
		s.State = StateDone
	case p.cancelled:
		s.State = StateCancelled
	case s.ShardsDone > 0:
		s.State = StateRunning
	default:
		s.State = StateQueued
	}
	if p.cancelled && !p.announced {
		s.State = StateCancelled
	}
	if s.State == StateRunning && s.Shards > 0 {
		s.ETASeconds = p.rate.eta(now, s.Shards)
	}
	return s
}

// rate remembers a job's latest progress, one sample a second.
type rate struct {
	samples []sample
}

type sample struct {
	at   time.Time
	done int
}

const mostSamples = 120

func (r *rate) add(at time.Time, done int) {
	if n := len(r.samples); n > 1 && at.Sub(r.samples[n-2].at) < time.Second {
		r.samples[n-1] = sample{at, done}
		return
	}
	if len(r.samples) == mostSamples {
		copy(r.samples, r.samples[1:])
		r.samples = r.samples[:mostSamples-1]
	}
	r.samples = append(r.samples, sample{at, done})
}

// eta is how many seconds the rest takes at the pace of the samples; nil when
// they show none.
func (r *rate) eta(now time.Time, shards int) *float64 {
	n := len(r.samples)
	if n < 2 {
		return nil
	}
	first, last := r.samples[0], r.samples[n-1]
	took := last.at.Sub(first.at).Seconds()
	if took <= 0 || last.done <= first.done {
		return nil
	}
	left := float64(shards-last.done) * took / float64(last.done-first.done)
	left = max(left-max(now.Sub(last.at).Seconds(), 0), 0)
	return &left
}
