package client

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"textmill/ground/plain"
)

const (
	drawEvery = 200 * time.Millisecond
	lineEvery = 5 * time.Second
)

// display shows a progress on a terminal as a bar, elsewhere as a line now and then.
type display struct {
	out    io.Writer
	warn   io.Writer // of what say is told
	noWait bool
	now    func() counted
	stop   chan struct{}
	ended  sync.WaitGroup

	mu    sync.Mutex // of out and warn
	last  string
	bars  *mpb.Progress
	bar   *mpb.Bar
	label atomic.Value // string, beside the bar
}

func newDisplay(o SubmitOptions, now func() counted) *display {
	d := &display{out: o.progress(), warn: o.Stderr, noWait: o.NoWait, now: now, stop: make(chan struct{})}
	every := lineEvery
	if o.Terminal && !o.Quiet {
		every = drawEvery
		d.label.Store("")
		d.bars = mpb.New(mpb.WithOutput(plain.Raw(o.Stderr)), mpb.WithWidth(60), mpb.WithRefreshRate(drawEvery))
		d.bar = d.bars.New(0, mpb.BarStyle().Rbound("|").Lbound("|"),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return d.label.Load().(string) })))
	}
	d.ended.Go(func() { d.run(every) })
	return d
}

func (d *display) run(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-d.stop:
			return
		case <-tick.C:
			d.draw()
		}
	}
}

func (d *display) draw() {
	c := d.now()
	if d.bar != nil {
		d.label.Store(" " + c.text(d.noWait))
		d.bar.SetTotal(c.expected, false)
		d.bar.SetCurrent(c.shown(d.noWait))
		return
	}
	d.line(c)
}

// line writes a line if there is something new to say.
func (d *display) line(c counted) {
	key := fmt.Sprint(c.sums, c.held)
	if key == d.last || c.cut == 0 {
		return
	}
	d.last = key
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintln(d.out, c.text(d.noWait))
}

// say writes a line of its own, above the bar.
func (d *display) say(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	to := d.warn
	if d.bars != nil {
		to = d.bars
	}
	fmt.Fprintln(to, line)
}

// close draws the last state and lets the terminal go.
func (d *display) close() {
	close(d.stop)
	d.ended.Wait()
	d.draw()
	if d.bar != nil {
		d.bar.Abort(false)
		d.bars.Wait()
	}
}

// shown is the count that is being waited for.
func (c counted) shown(noWait bool) int64 {
	if noWait {
		return c.cut
	}
	return c.done
}

func (c counted) text(noWait bool) string {
	var b strings.Builder
	if noWait {
		fmt.Fprintf(&b, "%d records published", c.cut-c.doneBefore)
	} else {
		fmt.Fprintf(&b, "%d of %d", c.done, c.expected)
		if !c.whole {
			b.WriteByte('+')
		}
		b.WriteString(" records settled")
	}
	if c.doneBefore > 0 {
		fmt.Fprintf(&b, " (%d before)", c.doneBefore)
	}
	if c.held > 0 && !noWait {
		fmt.Fprintf(&b, ", %d shards in work", c.held)
	}
	if c.rate > 0 {
		fmt.Fprintf(&b, ", %.0f/s", c.rate)
	}
	if c.made > 0 {
		fmt.Fprintf(&b, ", %.0f tokens/s", c.made)
	}
	if c.eta != nil && c.expected > c.done && !noWait {
		fmt.Fprintf(&b, ", %s left", time.Duration(*c.eta*float64(time.Second)).Round(time.Second))
	}
	if c.errors > 0 {
		fmt.Fprintf(&b, ", %d error rows", c.errors)
	}
	if n := c.shards[dead]; n > 0 {
		fmt.Fprintf(&b, ", %d dead shards", n)
	}
	return b.String()
}
