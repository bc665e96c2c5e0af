package generate

import (
	"context"
	"fmt"
	"sync"
	"time"

	"textmill/models/sample"
)

const (
	// chunkTokens is how much of a prompt one run takes: a multiple of all that a Shape asks for. On a card prompts are
	// cut there and nowhere else.
	chunkTokens = 256
	// turnTokens is how many tokens of prompts run between two steps of the texts that are being made.
	turnTokens = 512
	// askedTurnTokens is that while somebody waits for one of these texts.
	askedTurnTokens = 256
	// keptTokens is how many tokens of an ended text a slot keeps, for a prompt that begins alike.
	keptTokens = 64
)

// loop is the state of the generator's goroutine.
type loop struct {
	slots   []*sequence // nil where free
	kept    [][]int32   // by slot, the tokens that it holds, whoever they are of
	longs   []bool      // by slot, whether they were computed as those of long texts are
	held    int         // tokens that live sequences may come to
	live    int
	scratch []*sample.Scratch
	rows    []row
	arrived int
	parts   int // of prompts that were run
}

func (g *Generator) begin() {
	g.vacant(g.o.Slots)
	for range g.o.Session.Threads {
		g.scratch = append(g.scratch, new(sample.Scratch))
	}
}

// vacant makes so many slots that hold nothing.
func (l *loop) vacant(n int) {
	l.slots, l.kept, l.longs = make([]*sequence, n), make([][]int32, n), make([]bool, n)
}

// serve runs until the queue is closed and every sequence is done.
func (g *Generator) serve(ctx context.Context) {
	defer close(g.ended)
	for g.admit(ctx) {
		g.dropUnwanted(ctx)
		g.prefill(ctx)
		g.compact()
		g.step(ctx)
	}
}

// prefill runs about turnTokens tokens of prompts: jobs take turns, and within a job prompts are run in the order of
// their arrival.
func (g *Generator) prefill(ctx context.Context) {
	budget := turnTokens
	if g.turns.asks() {
		budget = askedTurnTokens
	}
	for ; budget > 0; g.admitAsked(ctx) {
		slot := g.soonest(func(int, *sequence) bool { return true })
		if slot < 0 {
			return
		}
		g.parts++
		g.slots[slot].job.ran = g.parts
		if run, can := g.run.(briefer); can && run.brief(len(g.slots[slot].opening)) {
			budget -= g.prefillBrief(ctx, run, slot)
			continue
		}
		budget -= g.prefillChunk(ctx, slot, g.slots[slot])
	}
}

// soonest is the slot whose prompt is run next, of those with one that may be; negative where none is.
func (g *Generator) soonest(may func(slot int, s *sequence) bool) int {
	slot := -1
	for i, s := range g.slots {
		if s != nil && !s.prefilled() && may(i, s) && (slot < 0 || s.sooner(g.slots[slot])) {
			slot = i
		}
	}
	return slot
}

func (g *Generator) prefillChunk(ctx context.Context, slot int, s *sequence) int {
	if !s.begun { // only now, since prompts that came before have been run by now
		s.begun = true
		g.share(slot)
	}
	part := s.opening[s.used:min(len(s.opening), s.used+g.o.chunk)]
	var next scored
	ends := s.used+len(part) == len(s.opening)
	err := g.timed(ctx, RunStats{Rows: 1, Tokens: len(part), Padded: len(part)}, func(ctx context.Context) (err error) {
		next, err = g.run.prefill(ctx, slot, s.used, part, ends && s.candidates())
		return err
	})
	if err != nil {
		if !g.shrink(ctx, err) {
			g.leave(ctx, slot, err)
		}
		return len(part)
	}
	s.used += len(part)
	g.kept[slot] = append(g.kept[slot], part...)
	if s.prefilled() {
		g.settle(ctx, slot, s, g.scratch[0], &next)
	}
	return len(part)
}

// settle chooses a sequence's next token, and ends the sequence with its last one.
func (g *Generator) settle(ctx context.Context, slot int, s *sequence, scratch *sample.Scratch, next *scored) {
	ended, err := s.choose(scratch, next)
	if err != nil {
		err = fmt.Errorf("token %d: %w", len(s.out.IDs), err)
	}
	if ended {
		g.leave(ctx, slot, err)
	}
}

// compact moves the last sequence into a hole when nothing waits to fill it: a run takes the first slots, up to the
// last one in use.
func (g *Generator) compact() {
	if s := g.turns.next(); g.card || s != nil && !s.Later {
		return
	}
	for last := len(g.slots) - 1; last >= g.live; last-- {
		s := g.slots[last]
		if s == nil {
			continue
		}
		hole := 0
		for g.slots[hole] != nil {
			hole++
		}
		if err := g.run.move(hole, last, s.used); err != nil {
			return
		}
		g.slots[hole], g.slots[last] = s, nil
		g.kept[hole], g.kept[last] = g.kept[last], g.kept[hole][:0]
		g.longs[hole] = g.longs[last]
		if s.used > keptTokens { // an error is the system's refusal to take memory back
			_ = g.run.release(last, 0)
		}
	}
}

// step gives every text one more token.
func (g *Generator) step(ctx context.Context) {
	g.lengthen()
	n := 0
	for i, s := range g.slots {
		if s != nil && s.prefilled() {
			n = i + 1
		}
	}
	if n == 0 {
		return
	}
	n = g.company.Runs.Fit(n)
	g.rows = g.rows[:0]
	for i := range n {
		r := row{used: len(g.kept[i]), idle: true}
		if s := g.slots[i]; s != nil {
			r.used = s.used
			if s.prefilled() {
				r.id, r.idle, r.candidates = s.next, false, s.candidates()
			}
		}
		g.rows = append(g.rows, r)
	}
	g.decode(ctx, 0, n)
}

// decode runs the slots from first to end. A run that fails is halved until the failure is down to single texts, so
// that the others are unharmed. It reports whether the other slots hold what they held.
func (g *Generator) decode(ctx context.Context, first, end int) bool {
	rows, fresh := 0, 0
	for i, r := range g.rows[first:end] {
		if !r.idle {
			rows++
			if g.slots[first+i].made(r.used+1) < 0 {
				fresh++
			}
		}
	}
	if rows == 0 {
		return true
	}
	var next []scored
	err := g.timed(ctx, RunStats{Rows: rows, Tokens: rows, Padded: end - first, New: fresh},
		func(ctx context.Context) (err error) {
			next, err = g.run.decode(ctx, first, g.rows[first:end])
			return err
		})
	shape := g.company.Runs
	half := shape.Fit((end - first) / 2)
	switch {
	case err == nil:
		g.choose(ctx, first, next)
	case ctx.Err() != nil:
		g.abandon(ctx)
		return false
	case g.shrink(ctx, err):
		return false
	case end-first > 1 && half < end-first && shape.Fit(end-first-half) == end-first-half:
		return g.decode(ctx, first, first+half) && g.decode(ctx, first+half, end)
	default:
		for i := first; i < end; i++ {
			if !g.rows[i].idle {
				g.leave(ctx, i, err)
			}
		}
	}
	return true
}

// choose takes the next token of each text from its scores, on as many goroutines as there are threads.
func (g *Generator) choose(ctx context.Context, first int, next []scored) {
	type chosen struct {
		ended bool
		err   error
	}
	results := make([]chosen, len(next))
	var wg sync.WaitGroup
	for w, scratch := range g.scratch {
		wg.Go(func() {
			for i := w; i < len(next); i += len(g.scratch) {
				if g.rows[first+i].idle {
					continue
				}
				s := g.slots[first+i]
				s.used++
				results[i].ended, results[i].err = s.choose(scratch, &next[i])
			}
		})
	}
	wg.Wait()
	for i, r := range results {
		s := g.slots[first+i]
		if r.err != nil {
			r.err = fmt.Errorf("token %d: %w", len(s.out.IDs), r.err)
		}
		if r.ended {
			g.leave(ctx, first+i, r.err)
		}
	}
}

// timed runs the model once, and tells how long that took.
func (g *Generator) timed(ctx context.Context, stats RunStats, run func(context.Context) error) error {
	begun := time.Now()
	if err := g.o.Session.Run(ctx, run); err != nil {
		return fmt.Errorf("run %d rows of %s: %w", stats.Rows, g.spec.Name, err)
	}
	if g.o.Observe != nil {
		stats.Took = time.Since(begun)
		g.o.Observe(stats)
	}
	return nil
}
