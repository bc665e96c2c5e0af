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

	"textmill/daemon/plain"
)

const (
	drawEvery = 200 * time.Millisecond
	lineEvery = 5 * time.Second
)

// display shows a progress on a terminal as a bar, elsewhere as a line now and then.
type display struct {
	out    io.Writer
	noWait bool
	now    func() counted
	stop   chan struct{}
	ended  sync.WaitGroup

	pace  pace
	made  pace // of tokens
	last  string
	bars  *mpb.Progress
	bar   *mpb.Bar
	label atomic.Value // string, beside the bar
}

func newDisplay(o SubmitOptions, now func() counted) *display {
	d := &display{out: o.Stderr, noWait: o.NoWait, now: now, stop: make(chan struct{})}
	every := lineEvery
	if o.Terminal {
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
	d.pace.note(time.Now(), c.shown(d.noWait))
	d.made.note(time.Now(), c.tokens)
	if d.bar != nil {
		d.label.Store(" " + c.text(d.noWait, &d.pace, &d.made))
		d.bar.SetTotal(c.cut, false)
		d.bar.SetCurrent(c.shown(d.noWait))
		return
	}
	d.line(c)
}

// line writes a line if there is something new to say.
func (d *display) line(c counted) {
	key := fmt.Sprint(c)
	if key == d.last || c.cut == 0 {
		return
	}
	d.last = key
	fmt.Fprintln(d.out, c.text(d.noWait, &d.pace, &d.made))
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

func (c counted) text(noWait bool, p, made *pace) string {
	var b strings.Builder
	if noWait {
		fmt.Fprintf(&b, "%d records published", c.cut)
	} else {
		fmt.Fprintf(&b, "%d of %d", c.done, c.cut)
		if !c.whole {
			b.WriteByte('+')
		}
		b.WriteString(" records committed")
	}
	rate := p.perSecond()
	if rate > 0 {
		fmt.Fprintf(&b, ", %.0f/s", rate)
	}
	if tokens := made.perSecond(); tokens > 0 {
		fmt.Fprintf(&b, ", %.0f tokens/s", tokens)
	}
	if left := c.cut - c.done; rate > 0 && c.whole && !noWait && left > 0 {
		fmt.Fprintf(&b, ", %s left", (time.Duration(float64(left) / rate * float64(time.Second))).Round(time.Second))
	}
	if c.errors > 0 {
		fmt.Fprintf(&b, ", %d error rows", c.errors)
	}
	if c.dead > 0 {
		fmt.Fprintf(&b, ", %d dead shards", c.dead)
	}
	return b.String()
}
