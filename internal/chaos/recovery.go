package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// RecoveryBound is how long after a fault's end a daemon may need to be at full rate again.
	RecoveryBound = 10*time.Second + ackWait

	fullRate    = 0.9             // of the rate before counts as full
	sustained   = 3 * time.Second // for so long, and no second of it below half
	steadyTime  = 5 * time.Second // in which the rate before is taken
	warmUp      = 3 * time.Second
	sampleEvery = 100 * time.Millisecond
	depth       = 300 // messages that wait at any time
	mostRecent  = 2 * depth
)

// Recovery is how long one daemon's rate stayed low after faults of a kind.
type Recovery struct {
	Kind   string
	Before []float64       // records settled in a second, before each fault
	Took   []time.Duration // from each fault's end
	Err    error           // the cell could not be measured, or was not sound
}

// Late reports whether it took longer than the bound, or is not known.
func (r Recovery) Late() bool {
	return r.Err != nil || slices.ContainsFunc(r.Took, func(d time.Duration) bool { return d > RecoveryBound })
}

// RecoveryKinds are the faults after which the rate is measured. Those that strike by themselves have no end to count
// from.
func RecoveryKinds() []string {
	return slices.Concat([]string{kill, drain, freeze, killBroker, hang, fillDisk, republish, remakeStream, dropStream,
		dropEvents, restoreStore,
		remakeTable, checkpointed, optimized, cleaned}, network, bucketFaults)
}

// Recover lets faults fall on one daemon that is never out of work, and measures how soon after each it works as
// before. It runs one cell at a time, on a machine that should have nothing else to do.
func (c *Campaign) Recover(ctx context.Context, kinds []string, repeats int) (_ []Recovery, err error) {
	if c.deltars, err = newDeltars(c.Python); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.deltars.close()) }()
	var all []Recovery
	for n, kind := range kinds {
		c.Specs = []Spec{{
			Name: "recovery", Daemons: 1, Kinds: []string{kind}, TmpFS: kind == fillDisk, Room: "1g",
			Bucket: slices.Contains(bucketFaults, kind),
		}}
		r := c.cell(n).recovery(ctx, kind, repeats)
		if ctx.Err() != nil {
			return all, context.Cause(ctx)
		}
		if c.Progress != nil {
			fmt.Fprintf(c.Progress, "%s: %.1f s (error: %v)\n", kind, seconds(r.Took), r.Err)
		}
		all = append(all, r)
	}
	return all, nil
}

func seconds(all []time.Duration) (out []float64) {
	for _, d := range all {
		out = append(out, d.Seconds())
	}
	return out
}

// PrintRecovery writes the table of the README.
func PrintRecovery(w io.Writer, all []Recovery) error {
	text := "| fault | records/s before | full rate again after |\n|---|---:|---:|\n"
	for _, r := range all {
		took, rate := "", ""
		for i, d := range r.Took {
			took += fmt.Sprintf(", %.1f s", d.Seconds())
			rate += fmt.Sprintf(", %.0f", r.Before[i])
		}
		if r.Err != nil {
			took += fmt.Sprintf(", %v", r.Err)
		}
		if r.Late() {
			took += " (late)"
		}
		text += fmt.Sprintf("| %s | %s | %s |\n", r.Kind, cut(rate), cut(took))
	}
	_, err := io.WriteString(w, text)
	return err
}

func cut(list string) string {
	if len(list) < 2 {
		return list
	}
	return list[2:]
}

// locked is a source of random numbers for several goroutines.
type locked struct {
	mu  sync.Mutex
	src rand.Source
}

func (l *locked) Uint64() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.src.Uint64()
}

// recovery is a cell's whole life.
func (c *cell) recovery(ctx context.Context, kind string, repeats int) (r Recovery) {
	r.Kind = kind
	c.random = rand.New(&locked{src: rand.NewPCG(c.seed, 0)})
	r.Err = c.live(ctx, func() error { return c.measure(ctx, kind, repeats, &r) })
	if r.Err == nil && !c.res.Sound() {
		r.Err = fmt.Errorf("%d lost, %d doubled, %d wrong, %d problems: %.300v", c.res.Lost, c.res.Doubled, c.res.Wrong,
			len(c.res.Problems), c.res.Problems)
	}
	if r.Err == nil {
		_ = os.RemoveAll(c.dir)
	}
	return r
}

func (c *cell) measure(ctx context.Context, kind string, repeats int, r *Recovery) error {
	working, stop := context.WithCancel(ctx)
	g := &gauge{}
	var hands sync.WaitGroup
	hands.Go(func() { g.follow(working, c.pub) })
	var published error
	hands.Go(func() { published = c.saturate(working, g) })
	defer func() {
		stop()
		hands.Wait()
	}()
	for range repeats {
		if err := pause(ctx, warmUp+steadyTime); err != nil {
			return err
		}
		before := g.rate(time.Now().Add(-steadyTime), time.Now())
		if before == 0 {
			return errors.New("nothing is settled before the fault")
		}
		if g.idle(time.Now().Add(-steadyTime)) {
			return errors.New("the daemon was out of work before the fault")
		}
		if err := c.strike(ctx, kind); err != nil {
			return err
		}
		took, err := g.recovered(ctx, time.Now(), before)
		if err != nil {
			return err
		}
		r.Before, r.Took = append(r.Before, before*recordsPerShard), append(r.Took, took)
	}
	stop()
	hands.Wait()
	if ctx.Err() == nil && !errors.Is(published, context.Canceled) {
		return published
	}
	return nil
}

// strike injects a fault. One that publishes has the publisher to itself.
func (c *cell) strike(ctx context.Context, kind string) error {
	if slices.Contains([]string{republish, remakeStream, dropStream, restoreStore, remakeTable}, kind) {
		c.making.Lock()
		defer c.making.Unlock()
	}
	return c.inject(ctx, kind)
}

// saturate publishes so that work is always waiting, until ctx ends.
func (c *cell) saturate(ctx context.Context, g *gauge) error {
	for ctx.Err() == nil {
		if g.waiting() >= depth {
			if err := pause(ctx, sampleEvery/4); err != nil {
				return err
			}
			continue
		}
		c.making.Lock()
		wave := c.wave(false)
		if len(c.recent) > mostRecent {
			c.recent = slices.Clone(c.recent[len(c.recent)-mostRecent:])
		}
		err := c.publish(context.WithoutCancel(ctx), wave) // whole: each of its records is wanted
		c.making.Unlock()
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// gauge notes how many messages were settled, again and again.
type gauge struct {
	mu      sync.Mutex
	samples []sample
	left    uint64
}

type sample struct {
	at            time.Time
	settled, left uint64
}

func (g *gauge) follow(ctx context.Context, p *publisher) {
	for pause(ctx, sampleEvery) == nil {
		s, err := p.state(ctx)
		if err != nil {
			continue
		}
		g.mu.Lock()
		g.left = s.Msgs
		g.samples = append(g.samples, sample{time.Now(), s.LastSeq - s.Msgs, s.Msgs})
		g.mu.Unlock()
	}
}

func (g *gauge) waiting() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.left
}

// idle reports whether there was a time since from with nothing to do.
func (g *gauge) idle(from time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.samples, func(s sample) bool { return s.at.After(from) && s.left < depth/10 })
}

// rate is how many messages were settled in a second of a span.
func (g *gauge) rate(from, to time.Time) float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	after := func(t time.Time) int {
		i, _ := slices.BinarySearchFunc(g.samples, t, func(s sample, t time.Time) int { return s.at.Compare(t) })
		return i
	}
	i, j := after(from), after(to)
	if j == len(g.samples) && j > 0 {
		j--
	}
	if i >= j {
		return 0
	}
	a, b := g.samples[i], g.samples[j]
	if b.settled < a.settled { // the stream is another one
		return 0
	}
	return float64(b.settled-a.settled) / b.at.Sub(a.at).Seconds()
}

// recovered waits for the first moment from which the rate is full for a while, and tells how long after the end it
// was.
func (g *gauge) recovered(ctx context.Context, ended time.Time, before float64) (time.Duration, error) {
	for at := ended; time.Since(ended) < patience; {
		if wait := time.Until(at.Add(sustained + 2*sampleEvery)); wait > 0 {
			if err := pause(ctx, wait); err != nil {
				return 0, err
			}
		}
		full := g.rate(at, at.Add(sustained))
		even := true
		for s := range int(sustained / time.Second) {
			second := g.rate(at.Add(time.Duration(s)*time.Second), at.Add(time.Duration(s+1)*time.Second))
			even = even && second >= before/2
		}
		if full >= fullRate*before && even {
			return at.Sub(ended), nil
		}
		at = at.Add(sampleEvery)
	}
	return 0, fmt.Errorf("not within %v", patience)
}
