package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"textmill/jobs/queue"
)

// The kinds of faults that a cell can be told of. Others strike by themselves: crash points, file operations, the
// clock.
const (
	kill         = "kill -9 of a daemon"
	crash        = "crash point: any"
	freeze       = "SIGSTOP past ack_wait, SIGCONT"
	freezeAll    = "SIGSTOP of all past ack_wait, SIGCONT, three times"
	rerun        = "publisher rerun with other params"
	killBroker   = "kill -9 of nats-server"
	cutNetwork   = "network: cut"
	slowNetwork  = "network: slow"
	lossyNetwork = "network: messages lost"
	echoNetwork  = "network: messages doubled"
	halfNetwork  = "network: half-closed"
	stallNetwork = "network: stalled"
	forgetLinks  = "network: connections forgotten"
	republish    = "publisher repeats itself"
	remakeStream = "job stream deleted and made anew"
	dropStream   = "job stream deleted"
	dropEvents   = "event stream deleted"
	restoreStore = "JetStream store restored"
	remakeTable  = "table deleted and made anew"
	loseRoot     = "directory of tables deleted or renamed"
	manyDatasets = "more datasets than descriptors"
	checkpointed = "delta-rs: checkpoint"
	optimized    = "delta-rs: OPTIMIZE"
	cleaned      = "delta-rs: log clean-up"
	fillDisk     = "disk full"
	hang         = "model run takes too long"
	drain        = "SIGTERM: drain, another takes its place"
	quiet        = "" // only what strikes by itself
)

func (c *cell) inject(ctx context.Context, kind string) error {
	switch kind {
	case quiet:
		return pause(ctx, 300*time.Millisecond)
	case crash:
		return c.crash(ctx)
	case optimized, checkpointed, cleaned:
		return c.maintain(ctx, kind)
	case rewritten, reworked:
		c.struck(kind)
		return c.keepUp(ctx, kind)
	case synced, syncedAgainst:
		c.struck(kind)
		return c.syncs(ctx, kind)
	case replaced:
		c.struck(kind)
		return c.replace(ctx)
	}
	if slices.Contains(bucketFaults, kind) {
		return c.breakBucket(ctx, kind)
	}
	c.struck(kind)
	switch kind {
	case kill:
		c.anyKeeper().kill()
	case freeze:
		return c.freeze(ctx)
	case freezeAll:
		return c.freezeAll(ctx)
	case rerun:
		return c.rerun(ctx)
	case drain:
		c.drain()
	case hang:
		c.making.Lock()
		trap := c.traps(c.waves)
		c.making.Unlock()
		if err := c.publish(ctx, []message{trap}); err != nil {
			return err
		}
		return c.pub.empties(ctx, trapModel) // each half of the batch hangs, down to the one record
	case killBroker:
		c.broker.proc.kill()
		if err := pause(ctx, c.upTo(500*time.Millisecond)); err != nil {
			return err
		}
		return c.startBroker()
	case cutNetwork:
		c.dirty.set(refusing, 0)
		c.dirty.cut()
		return c.clears(ctx, 1500*time.Millisecond)
	case slowNetwork:
		c.dirty.set(slow, 5*time.Millisecond+c.upTo(300*time.Millisecond))
		return c.clears(ctx, 2*time.Second)
	case lossyNetwork:
		c.dirty.set(lossy, 0)
		return c.clears(ctx, 2*time.Second)
	case echoNetwork:
		c.dirty.set(repeating, 0)
		return c.clears(ctx, 2*time.Second)
	case stallNetwork:
		c.dirty.set(stalled, 0)
		return c.clears(ctx, 3*time.Second)
	case forgetLinks:
		c.dirty.forget()
	case halfNetwork:
		c.dirty.halfClose()
		return c.clears(ctx, time.Second)
	case republish:
		return c.repeat(ctx)
	case remakeStream:
		if err := c.pub.remake(ctx); err != nil {
			return err
		}
		return c.publish(ctx, c.recent)
	case dropStream:
		if err := c.pub.drop(ctx, queue.JobStream); err != nil {
			return err
		}
		return c.publish(ctx, c.recent) // as soon as a daemon has made it anew
	case dropEvents:
		return c.pub.drop(ctx, queue.EventStream)
	case restoreStore:
		return c.restore(ctx)
	case remakeTable:
		return c.remakeTable(ctx)
	case loseRoot:
		return c.loseRoot(ctx)
	case manyDatasets:
		return c.publish(ctx, c.toMany())
	case fillDisk:
		return c.fillDisk(ctx)
	default:
		return fmt.Errorf("no fault is called %q", kind)
	}
	return nil
}

func (c *cell) upTo(d time.Duration) time.Duration { return time.Duration(c.random.Int64N(int64(d))) }

func (c *cell) anyKeeper() *keeper { return c.keepers[c.random.IntN(len(c.keepers))] }

// clears lets the weather last for up to a time.
func (c *cell) clears(ctx context.Context, most time.Duration) error {
	err := pause(ctx, most/4+c.upTo(most))
	c.dirty.set(fair, 0)
	return err
}

// crash waits until the crash point of a life strikes; one that does not is a kill at some time.
func (c *cell) crash(ctx context.Context) error {
	k := c.anyKeeper()
	p := k.current()
	if p == nil {
		return nil
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(3 * time.Second):
		c.struck(kill)
		p.kill()
	}
	return nil
}

// freeze stops a daemon for longer than its leases last, and lets it go on as if nothing had been.
func (c *cell) freeze(ctx context.Context) error {
	p := c.anyKeeper().current()
	p.signal(syscall.SIGSTOP)
	err := pause(ctx, ackWait+100*time.Millisecond+c.upTo(1500*time.Millisecond))
	p.signal(syscall.SIGCONT)
	return err
}

// freezeAll stops all daemons at once, so that each holds what the others do, again and again.
func (c *cell) freezeAll(ctx context.Context) (err error) {
	for range 3 {
		var all []*process
		for _, k := range c.keepers {
			all = append(all, k.current())
		}
		for _, p := range all {
			p.signal(syscall.SIGSTOP)
		}
		err = errors.Join(err, pause(ctx, ackWait+100*time.Millisecond))
		for _, p := range all {
			p.signal(syscall.SIGCONT)
		}
		err = errors.Join(err, pause(ctx, c.upTo(300*time.Millisecond)))
	}
	return err
}

// drain ends a daemon as a service manager does, and holds it to ending well and in time.
func (c *cell) drain() {
	p := c.anyKeeper().current()
	ready := p.isReady()
	p.signal(syscall.SIGTERM)
	if !p.within(30 * time.Second) {
		c.problem("a daemon does not end within 30 s of SIGTERM")
		p.signal(syscall.SIGQUIT) // leaves the stacks in the log
		p.kill()
		return
	}
	if code := p.cmd.ProcessState.ExitCode(); ready && code != 0 {
		c.problem("a daemon ended with %d after SIGTERM", code)
	}
}

// repeat publishes again what may be settled, may be at work and may be waiting.
func (c *cell) repeat(ctx context.Context) error {
	n := 1 + c.random.IntN(len(c.recent))
	from := c.random.IntN(len(c.recent))
	for i := range n {
		if err := c.publish(ctx, c.recent[(from+i)%len(c.recent):][:1]); err != nil {
			return err
		}
	}
	return nil
}
