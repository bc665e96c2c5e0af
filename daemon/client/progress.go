package client

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"textmill/jobs"
)

// progress joins what was cut with what the events say became of it.
type progress struct {
	mu        sync.Mutex
	counts    []int32             // records of each shard that was cut
	settled   map[string]struct{} // shards that are committed or dead
	own       int                 // of the shards that were cut, those settled
	cut, done int64               // records cut, and those of settled shards
	rows      int64
	errors    int64
	tokens    int64
	dead      int
	cancelled bool
	isOver    bool // a `done` event was seen
	total     int  // shards in all, 0 while cutting
	over      chan struct{}
	ended     bool

	show *display
}

func newProgress(o SubmitOptions) *progress {
	p := &progress{settled: make(map[string]struct{}), over: make(chan struct{})}
	p.show = newDisplay(o, p.now)
	return p
}

// event takes an event of the job, stored or live; repeats do no harm.
func (p *progress) event(e jobs.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Type {
	case jobs.EventCancelled:
		p.cancelled = true
	case jobs.EventDone:
		p.isOver = true
		p.rows, p.errors = max(p.rows, e.Rows), max(p.errors, e.Errors)
	case jobs.EventCommitted, jobs.EventDead:
		if _, again := p.settled[e.Shard]; again {
			return
		}
		p.settled[e.Shard] = struct{}{}
		p.rows += e.Rows
		p.errors += e.Errors
		p.tokens += e.Tokens
		if e.Type == jobs.EventDead {
			p.dead++
		}
		if n, err := strconv.Atoi(e.Shard); err == nil && n >= 0 && n < len(p.counts) {
			p.own++
			p.done += int64(p.counts[n])
		}
	}
	p.check()
}

// add notes a shard that was cut and says whether it is settled already.
func (p *progress) add(one shard) (settled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts = append(p.counts, int32(one.records))
	p.cut += int64(one.records)
	if _, settled = p.settled[one.id()]; settled {
		p.own++
		p.done += int64(one.records)
	}
	return settled
}

// published says that all shards are cut.
func (p *progress) published(s Summary) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total = s.Shards
	p.check()
}

// check closes over once nothing more can happen; mu is held.
func (p *progress) check() {
	if !p.ended && (p.cancelled || (p.total > 0 && p.own >= p.total)) {
		p.ended = true
		close(p.over)
	}
}

func (p *progress) isCancelled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cancelled
}

// isDone says that all shards of the job were settled before; the events of some may be gone.
func (p *progress) isDone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isOver && !p.cancelled
}

// wait returns when every shard is settled or the job is cancelled.
func (p *progress) wait(ctx context.Context) error {
	select {
	case <-p.over:
	case <-ctx.Done():
		return fmt.Errorf("%w: the job goes on; see it with textmill watch, end it with textmill cancel", ErrInterrupted)
	}
	return p.verdict()
}

// verdict is what a job that is over comes to.
func (p *progress) verdict() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.cancelled:
		return ErrCancelled
	case p.dead > 0:
		return fmt.Errorf("%w: %d; see textmill dead list", ErrDeadLetters, p.dead)
	}
	return nil
}

func (p *progress) fill(s *Summary) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Rows, s.Errors, s.Dead = p.rows, p.errors, p.dead
}

// counted is the state of a progress at one moment.
type counted struct {
	cut, done, rows, errors, tokens int64
	dead                            int
	whole                           bool // cut is all there is
}

func (p *progress) now() counted {
	p.mu.Lock()
	defer p.mu.Unlock()
	return counted{cut: p.cut, done: p.done, rows: p.rows, errors: p.errors, tokens: p.tokens, dead: p.dead, whole: p.total > 0}
}

func (p *progress) close() { p.show.close() }

// pace measures a rate over the last half minute.
type pace struct {
	at   []time.Time
	done []int64
}

func (p *pace) note(now time.Time, done int64) {
	p.at, p.done = append(p.at, now), append(p.done, done)
	for len(p.at) > 2 && now.Sub(p.at[0]) > 30*time.Second {
		p.at, p.done = p.at[1:], p.done[1:]
	}
}

// perSecond is 0 until something was done.
func (p *pace) perSecond() float64 {
	last := len(p.at) - 1
	if last < 1 {
		return 0
	}
	took := p.at[last].Sub(p.at[0]).Seconds()
	if took <= 0 {
		return 0
	}
	return float64(p.done[last]-p.done[0]) / took
}
