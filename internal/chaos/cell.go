package chaos

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"textmill/export/storage"
	"textmill/internal/s3"
)

// ackWait is how long a delivery stays its daemon's; short, so that a frozen daemon loses its lease soon.
const ackWait = time.Second

// dataset is the table that most records of a cell go to.
const dataset = "docs"

// Spec is a kind of cell: a world of its own in which a few kinds of faults happen.
type Spec struct {
	Name    string
	Daemons int
	Kinds   []string      // of faults, drawn with equal chances
	Plain   bool          // publishes text/plain messages too; no fault may have a publisher repeat itself
	Armed   bool          // each life of a daemon has a crash point
	Points  []point       // those it may have; nil = all there are
	Faulty  int           // one file operation in so many fails; 0 = none
	Jumps   bool          // the tables' clock jumps
	TmpFS   bool          // the tables lie on a small file system of their own
	Bucket  bool          // the tables lie in a bucket
	Room    string        // on it; "" = 24m
	Poison  bool          // some records crash native code
	Twin    bool          // every shard of texts to embed goes to two models, as it is
	Traps   bool          // some records take too long or too much memory
	NoDead  bool          // publishes nothing that becomes a dead letter
	Claims  bool          // payloads lie in the stream of claims
	Writes  bool          // texts are continued, not embedded
	Batches bool          // records come as requests of OpenAI's batches
	Drain   time.Duration // drain_timeout; 0 = 20 s
	Files   int           // a daemon may have so many open; 0 = as many as this process
}

// cell is one world: a nats-server, one or two daemons, a publisher and a table.
type cell struct {
	Spec
	camp    *Campaign
	dir     string
	seed    uint64
	random  *rand.Rand
	broker  *broker
	clean   *proxy // of the publisher: it only follows the broker
	dirty   *proxy // of the daemons
	pub     *publisher
	holder  *process // keeps the namespace of TmpFS
	copied  bool     // what is in it was copied out of it
	keepers []*keeper

	wants   map[string]*want // by record
	waves   int
	settled int        // waves of which every record is where it belongs
	making  sync.Mutex // held by who makes messages, where several do
	recent  []message  // published since the stream was last seen empty
	all     []message  // ever published, of waves
	places  map[string]bool

	mu  sync.Mutex
	res Results
}

func (c *cell) problem(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.res.Problems = append(c.res.Problems, fmt.Sprintf("%s (seed %d, %s): ", c.Name, c.seed, c.dir)+fmt.Sprintf(format,
		args...))
}

func (c *cell) struck(kind string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.res.count(kind).Count++
}

// hit counts what a daemon told of its crash points.
func (c *cell) hit(what string) {
	switch {
	case what == "deadly token":
		c.struck("native code crashes")
	case what == "clock jumped":
		c.struck("clock jumps by hours")
	case strings.HasPrefix(what, "failed "):
		c.struck("file operation fails: " + strings.TrimPrefix(what, "failed "))
	default:
		c.struck("crash point: " + what)
	}
}

// tables is where the daemons' tables lie, seen from here.
func (c *cell) tables() string {
	dir := filepath.Join(c.dir, "tables")
	switch {
	case c.Bucket:
		return "s3://" + s3.Name + "/" + c.prefix()
	case c.copied:
		return filepath.Join(c.dir, "copy")
	case c.holder != nil:
		return filepath.Join("/proc", fmt.Sprint(c.holder.cmd.Process.Pid), "root", dir)
	}
	return dir
}

// table is where one of them lies.
func (c *cell) table(name string) string { return storage.Join(c.tables(), name) }

// run is the cell's whole life. Its directory stays when something was wrong.
func (c *cell) run(ctx context.Context, faults int) *Results {
	c.res.Cells = 1
	storm := c.storm
	if c.Batches {
		storm = c.batchStorm
	}
	if err := c.live(ctx, func() error { return storm(ctx, faults) }); err != nil {
		c.problem("%v", err)
	}
	if c.res.Sound() {
		_ = os.RemoveAll(c.dir) // what stays is in the way of nothing
	}
	return &c.res
}

// live opens the world, has work done in it, waits until all is settled, ends it and holds it to what was promised.
func (c *cell) live(ctx context.Context, work func() error) error {
	defer c.close()
	err := c.open(ctx)
	if err == nil {
		err = work()
	}
	if err == nil {
		err = c.empty(ctx)
	}
	err = errors.Join(err, c.stop())
	if err == nil {
		err = c.check(ctx)
	}
	return err
}

// storm publishes waves of records and lets a fault fall into each.
func (c *cell) storm(ctx context.Context, faults int) error {
	if err := c.publish(ctx, c.wave(false)); err != nil {
		return err
	}
	if err := c.empty(ctx); err != nil { // the table now holds vectors of float32, to which int8 is a wrong schema
		return err
	}
	for n := range faults {
		kind := c.Kinds[c.random.IntN(len(c.Kinds))]
		after := time.Duration(c.random.IntN(300)) * time.Millisecond
		wave := c.wave(!c.NoDead)
		published := make(chan error, 1)
		go func() { published <- c.publish(ctx, wave) }()
		err := pause(ctx, after)
		if err == nil {
			err = c.inject(ctx, kind)
		}
		if err = errors.Join(err, <-published); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
		if kind == loseRoot {
			if err := c.again(ctx); err != nil {
				return fmt.Errorf("%s: %w", kind, err)
			}
		}
		if err := c.recovers(ctx, kind); err != nil {
			return err
		}
		if n%8 == 7 {
			if err := c.empty(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *cell) publish(ctx context.Context, all []message) error { return c.pub.publish(ctx, all...) }

// patience is how long nothing may be settled with nothing broken any more.
const patience = 90 * time.Second

// recovers takes the time from a fault's end to the next settled delivery, and then waits until little is left to do.
func (c *cell) recovers(ctx context.Context, kind string) error {
	begun, moved := time.Now(), time.Now()
	first, last := uint64(0), uint64(math.MaxUint64)
	timed := false
	for {
		n, err := c.pub.waiting(ctx)
		if err == nil && n < last {
			last, moved = n, time.Now()
		}
		if err == nil && !timed {
			first = max(first, n)
			if n < first || n == 0 {
				timed = true
				c.took(kind, time.Since(begun))
			}
		}
		if err == nil && timed && n <= backlog {
			return nil
		}
		if time.Since(moved) > patience {
			c.quit()
			return fmt.Errorf("%d messages are left after %s and none was settled for %v", n, kind, patience)
		}
		if err := pause(ctx, 25*time.Millisecond); err != nil {
			return err
		}
	}
}

// took notes how long it was from the end of a fault to the next settled delivery.
func (c *cell) took(kind string, d time.Duration) {
	if kind == quiet {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.res.count(kind)
	f.Timed++
	f.TotalM += d.Milliseconds()
	f.SlowestM = max(f.SlowestM, d.Milliseconds())
}

// backlog is how many messages may wait when the next wave comes.
const backlog = 12

// empty waits until every message is settled.
func (c *cell) empty(ctx context.Context) error {
	moved, last := time.Now(), uint64(math.MaxUint64)
	for {
		n, err := c.pub.waiting(ctx)
		if err == nil && n == 0 {
			c.recent, c.settled = nil, c.waves
			return nil
		}
		if err == nil && n < last {
			last, moved = n, time.Now()
		}
		if time.Since(moved) > patience {
			c.quit()
			return errors.Join(fmt.Errorf("%d messages are left and none was settled for %v", n, patience), err)
		}
		if err := pause(ctx, 25*time.Millisecond); err != nil {
			return err
		}
	}
}

// quit has the daemons leave their stacks in their logs.
func (c *cell) quit() {
	for _, k := range c.keepers {
		if p := k.current(); p != nil {
			p.signal(syscall.SIGQUIT)
		}
	}
}

// stop drains the daemons.
func (c *cell) stop() (err error) {
	for _, k := range c.keepers {
		err = errors.Join(err, k.stop(40*time.Second))
	}
	return err
}

func (c *cell) close() {
	if c.pub != nil {
		c.pub.nc.Close()
	}
	for _, p := range []*proxy{c.clean, c.dirty} {
		if p != nil {
			p.close()
		}
	}
	if c.broker != nil && c.broker.proc != nil {
		c.broker.proc.kill()
	}
	if c.holder != nil {
		c.holder.kill()
	}
}
