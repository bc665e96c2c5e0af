package generate

import (
	"context"
	"errors"
	"fmt"

	"textmill/models/session"
)

// leave ends the sequence of a slot.
func (g *Generator) leave(ctx context.Context, slot int, err error) {
	s := g.slots[slot]
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = ErrStopped
	}
	err = errors.Join(err, g.vacate(slot))
	g.turns.leave(s)
	s.conclude(err)
}

// putBack has the text of a slot wait again. When it enters another it is made again from the start: run by run as
// before, so that its bits are the same, but with the tokens that were chosen.
func (g *Generator) putBack(slot int) {
	s := g.slots[slot]
	_ = g.vacate(slot) // an error is the system's refusal to take memory back
	g.turns.putBack(s)
	s.used, s.begun = 0, false
}

// vacate frees a slot, which keeps the start of what it holds.
func (g *Generator) vacate(slot int) error {
	s := g.slots[slot]
	g.slots[slot] = nil
	g.live--
	g.held -= s.need()
	most := keptTokens
	if g.card {
		most = g.length // the card's memory is taken whole
	}
	kept := min(len(g.kept[slot]), most, g.length-2) // an idle row needs a place behind it
	g.kept[slot] = g.kept[slot][:kept]
	if s.used > most {
		return g.run.release(slot, kept)
	}
	return nil
}

// dropUnwanted ends what nobody waits for any more.
func (g *Generator) dropUnwanted(ctx context.Context) {
	for _, s := range g.turns.takeForsaken() {
		s.conclude(ErrStopped)
	}
	for i, s := range g.slots {
		if s != nil && s.unwanted() {
			g.leave(ctx, i, ErrStopped)
		}
	}
}

// abandon ends everything that runs.
func (g *Generator) abandon(ctx context.Context) {
	for i, s := range g.slots {
		if s != nil {
			g.leave(ctx, i, ErrStopped)
		}
	}
}

// shrink goes on with half the slots when a card's memory gave out, for good: the texts in them are made again. It
// reports whether that was done.
func (g *Generator) shrink(ctx context.Context, why error) bool {
	n := len(g.slots) / 2
	if !g.card || n == 0 || ctx.Err() != nil || !errors.Is(why, session.ErrOutOfMemory) {
		return false
	}
	for { // those of a job wait again in the order in which they came
		last := -1
		for i, s := range g.slots {
			if s != nil && (last < 0 || s.arrival > g.slots[last].arrival) {
				last = i
			}
		}
		if last < 0 {
			break
		}
		g.putBack(last)
	}
	n, err := g.reserveAtMost(n)
	g.o.Session.Log.WarnContext(ctx, "the card's memory gave out, decodes are narrower from now on", "model", g.spec.Name,
		"slots", n, "error", errors.Join(why, err))
	g.vacant(n)
	g.company.Runs = session.Shape{Least: n, Multiple: n}
	return true
}

// reserveAtMost makes room for so many slots, or half of them, and so on. With an error there is none, and each run
// says so.
func (g *Generator) reserveAtMost(n int) (int, error) {
	for {
		err := g.run.reserve(n, g.length)
		if err == nil || n == 1 || !errors.Is(err, session.ErrOutOfMemory) {
			return n, err
		}
		n /= 2
	}
}

// reserveCard makes room for the slots that were asked for, fewer where the card has not so much memory.
func (g *Generator) reserveCard(ctx context.Context) error {
	n, err := g.reserveAtMost(g.o.Slots)
	if err != nil {
		return fmt.Errorf("make room for %d slots of %d tokens, %d MiB: %w", n, g.length,
			int64(n*g.length)*g.spec.Decoder.KVBytes()>>20, err)
	}
	if n < g.o.Slots {
		note := fmt.Sprintf("decodes are %d wide, not %d: the card has no more memory; lower generate.memory or models.%s.slots",
			n, g.o.Slots, g.spec.Name)
		g.o.Session.Log.WarnContext(ctx, "the card's memory holds fewer slots than were asked for", "model", g.spec.Name, "slots", n)
		g.notes = append(g.notes, note)
		g.o.Slots, g.company.Runs = n, session.Shape{Least: n, Multiple: n}
		g.tokens = n * g.length
	}
	return nil
}
