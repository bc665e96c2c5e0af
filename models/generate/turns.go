package generate

import (
	"context"
	"sync"
)

// turns holds the requests that wait for a slot, and says whose turn it is. Each job has a queue of its own. First
// comes what somebody waits for, as long as that has less than its share; then jobs with fewer texts in slots than any
// that waits should have; then the job that was given the fewest tokens, those that its next text may come to counted
// (self-clocked fair queueing).
type turns struct {
	share  held // of what is asked for: what it may take before others
	least  int  // texts in slots that a job has a right to while it waits
	most   int  // requests of a job that wait; the next one waits in Do
	tokens int  // of the prompts that wait, beside one for each job

	mu      sync.Mutex
	jobs    map[jobKey]*job // with something that waits or runs
	asked   held            // by what somebody waits for
	clock   int64           // what the last one to enter had come to
	prompts int             // tokens of those that wait
	closed  bool
	came    chan struct{} // of room for one: something came, or nothing will any more
	left    chan struct{} // closed when there may be room in a queue; nil while nobody waits for that
	born    int
}

// held is what texts in slots come to.
type held struct{ live, tokens int }

type jobKey struct {
	name         string
	asked, later bool
}

// A job is who takes turns.
type job struct {
	jobKey
	waiting []*sequence
	live    int   // texts in slots
	held    int   // tokens that these may come to
	given   int64 // tokens, on the clock of turns
	ran     int   // when a part of its prompts was run last
	born    int
}

func (g *Generator) newTurns() *turns {
	t := &turns{least: max(1, g.o.Slots/16), most: g.o.Slots, tokens: g.tokens, jobs: map[jobKey]*job{},
		came: make(chan struct{}, 1)}
	if g.o.Slots > 1 {
		t.share.live = max(1, g.o.Slots/8)
		t.share.tokens = g.tokens * t.share.live / g.o.Slots
	}
	return t
}

// wait has a request wait, once there is room for it among those of its job.
func (t *turns) wait(ctx context.Context, s *sequence) error {
	for {
		full, err := t.push(s)
		if full == nil {
			return err
		}
		select {
		case <-full:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// push gives a channel to wait for when there is no room.
func (t *turns) push(s *sequence) (full <-chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, ErrClosed
	}
	key := jobKey{s.Job, s.Asked, s.Later}
	j := t.jobs[key]
	if j != nil && len(j.waiting) > 0 && (len(j.waiting) >= t.most || t.prompts+len(s.Prompt) > t.tokens) {
		if t.left == nil {
			t.left = make(chan struct{})
		}
		return t.left, nil
	}
	if j == nil {
		j = &job{jobKey: key, born: t.born}
		t.born++
		t.jobs[key] = j
	}
	if len(j.waiting) == 0 { // nobody saves up turns
		j.given = max(j.given, t.clock)
	}
	s.job = j
	j.waiting = append(j.waiting, s)
	t.prompts += len(s.Prompt)
	t.tell()
	return nil, nil
}

func (t *turns) tell() {
	select {
	case t.came <- struct{}{}:
	default:
	}
}

// next is the request whose turn it is, nil when none waits.
func (t *turns) next() *sequence {
	t.mu.Lock()
	defer t.mu.Unlock()
	var first *job
	for _, j := range t.jobs {
		if len(j.waiting) > 0 && (first == nil || t.before(j, first)) {
			first = j
		}
	}
	if first == nil {
		return nil
	}
	return first.waiting[0]
}

func (t *turns) before(a, b *job) bool {
	if x, y := t.rank(a.waiting[0]), t.rank(b.waiting[0]); x != y {
		return x < y
	}
	if poor := a.live < t.least; poor != (b.live < t.least) {
		return poor
	}
	if x, y := a.comesTo(), b.comesTo(); x != y {
		return x < y
	}
	return a.born < b.born
}

// comesTo is what a job has been given with the first that waits.
func (j *job) comesTo() int64 { return j.given + int64(j.waiting[0].need()) }

// some waits until a request is there; false means that none will come.
func (t *turns) some() bool {
	for {
		t.mu.Lock()
		closed := t.closed
		t.mu.Unlock()
		switch {
		case t.next() != nil:
			return true
		case closed:
			return false
		}
		<-t.came
	}
}

// take removes a request that was next.
func (t *turns) take(s *sequence) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pop(s.job)
	t.forget(s.job)
}

// enter is take for one that goes into a slot.
func (t *turns) enter(s *sequence) {
	t.mu.Lock()
	defer t.mu.Unlock()
	j := s.job
	t.pop(j)
	j.live++
	j.held += s.need()
	j.given += int64(s.need())
	t.clock = max(t.clock, j.given)
	if s.Asked {
		t.asked.live++
		t.asked.tokens += s.need()
	}
}

func (t *turns) pop(j *job) {
	t.prompts -= len(j.waiting[0].Prompt)
	j.waiting[0] = nil
	j.waiting = j.waiting[1:]
	t.room()
}

// room tells those who wait for it in a queue.
func (t *turns) room() {
	if t.left != nil {
		close(t.left)
		t.left = nil
	}
}

// leave is told of a text that is in no slot any more. What it did not come to was not given.
func (t *turns) leave(s *sequence) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone(s, s.used)
	t.forget(s.job)
}

// putBack has a text that is in no slot any more wait before all others of its job.
func (t *turns) putBack(s *sequence) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone(s, 0)
	s.job.waiting = append([]*sequence{s}, s.job.waiting...)
	t.prompts += len(s.Prompt)
}

func (t *turns) gone(s *sequence, used int) {
	s.job.live--
	s.job.held -= s.need()
	s.job.given -= int64(s.need() - used)
	if s.Asked {
		t.asked.live--
		t.asked.tokens -= s.need()
	}
}

func (t *turns) forget(j *job) {
	if j.live == 0 && len(j.waiting) == 0 {
		delete(t.jobs, j.jobKey)
	}
}

// close says that nothing comes any more.
func (t *turns) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.room()
	t.tell()
}
