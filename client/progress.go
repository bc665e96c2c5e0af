package client

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"textmill/jobs"
	"textmill/jobs/queue"
)

// progress joins the shards that were cut with what the tracker knows became of each.
type progress struct {
	tracker     atomic.Pointer[queue.Tracker]
	task, model string
	part        Part

	mu        sync.Mutex
	own       []ownShard
	dead      map[int]queue.Fate // those of own that are dead or resolved
	sums      sums
	expected  int64 // records in all; 0 while nobody knows
	held      uint64
	allIsCut  bool
	cancelled bool
	over      chan struct{}
	ended     bool
	rate      queue.Rate // of records
	made      queue.Rate // of tokens

	show *display
}

// ownShard is a shard of this submission.
type ownShard struct {
	records int32
	untold  int32 // verdicts on its name that named no payload when it was cut
	sum     [sha256.Size]byte
	state   ownState
	there   bool // an older daemon said that rows of its name were committed
}

type ownState uint8

const (
	pending ownState = iota
	committed
	dead
	resolved // its dead letter is gone, and its records are no rows of this job
	untold   // an older daemon has settled it and does not say with which payload
	ownStates
)

// sums are what the verdicts come to.
type sums struct {
	shards [ownStates]int
	cut    int64 // records
	// records of settled shards, and of those that were settled when they were cut
	done, doneBefore                            int64
	committed, already                          int64 // rows
	errors, truncated, dropped, leftOut, tokens int64
	uncounted                                   int64 // rows whose errors and cuts nobody knows
	missing                                     int64 // records of committed shards without a row
	table                                       string
	changes                                     int
}

func newProgress(o SubmitOptions) *progress {
	p := &progress{task: o.Task, model: o.Model, part: o.Part, dead: map[int]queue.Fate{}, over: make(chan struct{})}
	p.show = newDisplay(o, p.now)
	return p
}

// expect says how many records there will be.
func (p *progress) expect(records int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = int64(records)
}

// event takes an event of the job, stored or live, once the tracker has counted it.
func (p *progress) event(e jobs.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.Type == jobs.EventCancelled {
		p.cancelled = true
	}
	base, _, _ := strings.Cut(e.Shard, "/r")
	if shard, err := strconv.Atoi(base); err == nil && shard >= 0 {
		if n, own := p.part.at(shard); own && n < len(p.own) {
			p.look(n, false)
		}
	}
	p.check()
}

// add notes a shard that was cut and says whether it is settled already.
func (p *progress) add(one shard, sum [sha256.Size]byte) (settled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.own)
	p.own = append(p.own, ownShard{records: int32(one.records), sum: sum})
	p.sums.cut += int64(one.records)
	p.sums.shards[pending]++
	_, told := p.fate(n)
	p.own[n].untold, p.own[n].there = int32(told.Times), told.Rows
	p.look(n, true)
	return p.own[n].state != pending
}

func (p *progress) fate(n int) (queue.Fate, queue.Untold) {
	t := p.tracker.Load()
	if t == nil { // nobody tells
		return queue.Fate{}, queue.Untold{}
	}
	return t.Fate(queue.Piece{Task: p.task, Model: p.model, Shard: strconv.Itoa(p.part.shard(n)),
		SHA256: hex.EncodeToString(p.own[n].sum[:])})
}

// look takes over what the tracker knows of a shard; mu is held. before says that it was just cut: what is known now
// was so already.
func (p *progress) look(n int, before bool) {
	one, s := &p.own[n], &p.sums
	fate, told := p.fate(n)
	state := pending
	switch {
	case fate.State == queue.StateDone:
		state = committed
	case fate.Resolved:
		state = resolved
	case before && lostOnTheWay(fate.Class): // its payload was never read, so it is sent again
	case fate.State == queue.StateFailed:
		state = dead
	case told.Times > int(one.untold):
		state = untold
	}
	if state == one.state {
		return
	}
	s.shards[one.state]--
	s.shards[state]++
	s.changes++
	if one.state == pending {
		s.done += int64(one.records)
		if before {
			s.doneBefore += int64(one.records)
		} else {
			p.rate.Note(now(), s.done)
		}
	}
	if one.state = state; state == committed {
		p.count(one, fate, before || one.there || fate.Repeat)
	}
	if delete(p.dead, n); state == dead || state == resolved {
		p.dead[n] = fate
	}
}

// count takes in the rows of a shard.
func (p *progress) count(one *ownShard, f queue.Fate, before bool) {
	s := &p.sums
	if before {
		s.already += f.Rows
		if s.table == "" {
			s.table = f.Table
		}
	} else {
		s.committed += f.Rows
	}
	if f.Repeat {
		s.uncounted += f.Rows
	}
	s.errors += f.Errors
	s.truncated += f.Truncated
	s.dropped += f.Dropped
	s.leftOut += f.LeftOut
	// a record may have many rows; an older daemon does not count the dead
	s.missing += max(int64(one.records)-f.Rows-f.LeftOut, f.DeadRecords)
	if s.tokens += f.Tokens; f.Tokens > 0 && !before {
		p.made.Note(now(), s.tokens)
	}
}

// allCut says that there are no more shards.
func (p *progress) allCut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allIsCut = true
	p.check()
}

// check closes over once nothing more can happen; mu is held.
func (p *progress) check() {
	if !p.ended && (p.cancelled || p.allIsCut && p.sums.shards[pending] == 0) {
		p.ended = true
		close(p.over)
	}
}

// lacksEnd says that the job is known, and that nobody has told that it has so many shards: who knew was killed.
func (p *progress) lacksEnd(job string, shards int) bool {
	t := p.tracker.Load()
	if t == nil {
		return false
	}
	s, known := t.Job(job)
	return known && s.Shards < shards
}

func (p *progress) isCancelled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cancelled
}

// lostTable is the table that rows are said to be in and that this process, which can see where it would be, does not
// find there.
func (p *progress) lostTable(tables string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := p.sums.table
	if tables == "" || at == "" || filepath.Dir(at) != filepath.Clean(tables) {
		return ""
	}
	if _, err := os.Stat(filepath.Join(at, "_delta_log")); !os.IsNotExist(err) {
		return ""
	}
	return at
}

// fill takes the verdicts over into a summary.
func (p *progress) fill(s *Summary) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.sums
	s.Committed, s.Already, s.Rows = n.committed, n.already, n.committed+n.already
	s.Errors, s.Truncated, s.Dropped, s.Uncounted, s.Missing = n.errors, n.truncated, n.dropped, n.uncounted, n.missing
	s.LeftOut = n.leftOut
	s.Dead, s.Resolved, s.Untold, s.Pending, s.Cancelled = n.shards[dead], n.shards[resolved], n.shards[untold],
		n.shards[pending], 0
	if p.cancelled {
		s.Pending, s.Cancelled = 0, n.shards[pending]
	}
	s.DeadReasons, s.Resolutions = nil, nil
	for i := range p.own {
		if f, ok := p.dead[i]; ok {
			s.died(f)
		}
	}
}

// counted is the state of a progress at one moment.
type counted struct {
	sums
	expected int64
	held     uint64
	whole    bool // cut is all there is
	rate     float64
	made     float64
	eta      *float64
}

func (p *progress) now() counted {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := now()
	c := counted{sums: p.sums, expected: max(p.expected, p.sums.cut), whole: p.allIsCut || p.expected > 0}
	c.held = min(p.held, uint64(p.sums.shards[pending])) // verdicts came since, and messages may have been sent twice
	c.rate, c.made = p.rate.PerSecond(at), p.made.PerSecond(at)
	if c.whole {
		c.eta = p.rate.ETA(at, c.expected)
	}
	return c
}

// holds notes how many messages daemons have in work.
func (p *progress) holds(n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = n
}

// close shows the last state.
func (p *progress) close() { p.show.close() }

// lostOnTheWay says of a dead letter's class that nothing was wrong with the shard itself.
func lostOnTheWay(class string) bool { return class == jobs.ClaimMissing || class == jobs.ClaimDamaged }
