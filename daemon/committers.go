package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"textmill/export"
)

// errTooManyOpen is given when every dataset that may be open is in use.
var errTooManyOpen = errors.New("too many datasets are open at once; raise export.max_open")

// committers holds the committer of each dataset in use, a bounded number of
// them, and keeps new work away while commits fail.
type committers struct {
	store   *export.Store
	maxOpen int
	make    func(dataset string, t *export.Table) *committer
	work    context.Context
	refused *refusals

	waiting atomic.Int32 // flights that wait for a lane: those who have one commit what they hold

	mu       sync.Mutex
	lanes    map[string]*lane
	freed    chan struct{} // closed, and nil again, when nothing is on its way to some lane any more
	full     time.Time     // until then nobody waits for a lane: somebody did, in vain
	draining bool
	failure  error     // of the newest commit, nil after a success
	retryAt  time.Time // when work is taken in again after failure
}

// lane is a committer and how many flights are on their way to it.
type lane struct {
	*committer
	users  int
	closes func()
}

// close says that a flight no longer needs the lane.
func (l *lane) close() { l.closes() }

// open returns the lane of a dataset; every open needs one close. Where as many datasets are open as may be, it waits for one
// that has committed what it holds.
func (c *committers) open(ctx context.Context, dataset string) (*lane, error) {
	patience := time.NewTimer(handBackDelay)
	defer patience.Stop()
	for {
		l, freed, err := c.tryOpen(dataset)
		if l != nil || err != nil {
			return l, err
		}
		c.waiting.Add(1)
		select {
		case <-freed:
			c.waiting.Add(-1)
		case <-ctx.Done():
			c.waiting.Add(-1)
			return nil, context.Cause(ctx)
		case <-patience.C:
			c.waiting.Add(-1)
			c.mu.Lock()
			c.full = time.Now().Add(handBackDelay)
			c.mu.Unlock()
			return nil, errTooManyOpen
		}
	}
}

// tryOpen gives no lane and no error where one must be waited for, until freed is closed.
func (c *committers) tryOpen(dataset string) (l *lane, freed <-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l = c.lanes[dataset]; l == nil {
		if len(c.lanes) >= c.maxOpen && !c.retireIdle() {
			if time.Now().Before(c.full) {
				return nil, nil, errTooManyOpen
			}
			if c.freed == nil {
				c.freed = make(chan struct{})
			}
			return nil, c.freed, nil
		}
		t, err := c.store.Table(dataset)
		if err != nil {
			return nil, nil, fmt.Errorf("open table of dataset %s: %w", dataset, err)
		}
		l = &lane{committer: c.make(dataset, t)}
		l.closes = func() { c.leave(l) }
		if c.draining {
			close(l.drain)
		}
		c.lanes[dataset] = l
		go l.run(c.work)
	}
	l.users++
	return l, nil, nil
}

func (c *committers) leave(l *lane) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.users--; l.users == 0 && c.freed != nil {
		close(c.freed)
		c.freed = nil
	}
}

// retireIdle ends the committer of a dataset that nothing is on its way to,
// which then closes its table. Called with mu held.
func (c *committers) retireIdle() bool {
	for dataset, l := range c.lanes {
		if l.users == 0 {
			delete(c.lanes, dataset)
			close(l.gone)
			return true
		}
	}
	return false
}

// commitAtOnce ends the gathering of larger parts: from now on every delivery
// is committed as it completes.
func (c *committers) commitAtOnce() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining {
		return
	}
	c.draining = true
	for _, l := range c.lanes {
		close(l.drain)
	}
}

// drains reports whether the daemon stops: what has not begun need not.
func (c *committers) drains() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.draining
}

// finish commits what is left, and returns when every committer has ended. What flights that were given up still send is dropped.
func (c *committers) finish() {
	c.mu.Lock()
	all := c.lanes
	c.lanes = nil
	c.mu.Unlock()
	for _, l := range all {
		close(l.gone)
	}
	for _, l := range all {
		<-l.finished
	}
}

// failed keeps new work away for a while: what cannot be committed need not be
// computed.
func (c *committers) failed(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure, c.retryAt = err, time.Now().Add(handBackDelay)
}

func (c *committers) succeeded() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failure, c.retryAt = nil, time.Time{}
}

// trouble is why commits fail now, or nil.
func (c *committers) trouble() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// wait returns true when work may be taken in, false when ctx ends first.
func (c *committers) wait(ctx context.Context) bool {
	c.mu.Lock()
	pause := time.Until(c.retryAt)
	c.mu.Unlock()
	if pause <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
