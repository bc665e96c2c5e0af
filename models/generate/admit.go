package generate

import (
	"context"
	"slices"
)

// admit gives free slots to requests. It waits for one when nothing runs, and reports false when none will come.
func (g *Generator) admit(ctx context.Context) bool {
	for {
		if ctx.Err() != nil {
			g.abandon(ctx)
		}
		s := g.turns.next()
		switch {
		case s == nil && g.live > 0:
			return true
		case s == nil:
			if !g.turns.some() {
				return false
			}
		case !g.receive(ctx, s):
			return true
		}
	}
}

// receive takes the request whose turn it is from those that wait, and reports false when there is no room for it.
func (g *Generator) receive(ctx context.Context, s *sequence) bool {
	switch {
	case ctx.Err() != nil || s.unwanted():
		g.turns.take(s)
		s.conclude(ErrStopped)
	case g.fits(s, g.live, g.held) || g.makeRoom(s):
		g.turns.enter(s)
		g.enter(s)
	default:
		return false
	}
	return true
}

// admitAsked is admit for what passes the others, between two runs of their prompts.
func (g *Generator) admitAsked(ctx context.Context) {
	for {
		s := g.turns.next()
		if s == nil || g.turns.rankOf(s) != rankFirst || !g.receive(ctx, s) {
			return
		}
	}
}

// fits tells whether there is room for a request beside so many texts, which may come to so many tokens.
func (g *Generator) fits(s *sequence, live, held int) bool {
	return live == 0 || live < len(g.slots) && held+s.need() <= g.tokens
}

// makeRoom has others' texts wait again, for a job with fewer texts in slots than one that waits has a right to. They
// are taken from jobs that keep no fewer than it will have. What was made of them is made again, token for token.
// Nobody's last text is taken, so every job gets on. What was asked for takes any text that was not, but for the last.
func (g *Generator) makeRoom(s *sequence) bool {
	first := g.turns.rankOf(s) == rankFirst
	if !first && (s.Later || s.job.live >= g.turns.least) {
		return false
	}
	var slots []int
	lost := map[*job]struct{ texts, tokens int }{}
	for live, held := g.live, g.held; !g.fits(s, live, held); live-- {
		from := -1
		for i, t := range g.slots {
			switch {
			case t == nil || slices.Contains(slots, i):
				continue
			case first && (t.Asked || live-g.turns.asked.live < 2):
				continue
			case !first && t.job.live-lost[t.job].texts < s.job.live+2:
				continue
			}
			if from < 0 || g.spare(t, lost[t.job].tokens, g.slots[from], lost[g.slots[from].job].tokens) {
				from = i
			}
		}
		if from < 0 {
			return false
		}
		t := g.slots[from]
		l := lost[t.job]
		l.texts, l.tokens = l.texts+1, l.tokens+t.need()
		slots, lost[t.job], held = append(slots, from), l, held-t.need()
	}
	for _, i := range slots {
		g.putBack(i)
	}
	return true
}

// spare tells whether a had better wait again than b: of the job that holds more tokens, now that it has lost some,
// the text with the least work in it.
func (g *Generator) spare(a *sequence, lostA int, b *sequence, lostB int) bool {
	if x, y := a.job.held-lostA, b.job.held-lostB; a.job != b.job && x != y {
		return x > y
	}
	return a.used < b.used
}

// enter puts a sequence into the free slot that already holds most of its prompt's start.
func (g *Generator) enter(s *sequence) {
	slot, held := -1, 0
	for i := range g.kept {
		if g.slots[i] != nil {
			continue
		}
		if n := g.common(s, i); slot < 0 || n > held && n >= reuseTokens {
			slot, held = i, n
		}
	}
	if s.Entered != nil {
		s.Entered()
		s.Entered = nil
	}
	g.slots[slot] = s
	g.hold(slot, slot, held)
	s.arrival = g.arrived
	g.arrived++
	g.live++
	g.held += s.need()
}

// hold has a slot begin with the first n tokens of what its sequence opens with, which another one holds, or the same.
func (g *Generator) hold(slot, from, n int) {
	s := g.slots[slot]
	if n > 0 && g.run.move(slot, from, n) != nil {
		n = 0 // it is computed
	}
	s.used, g.kept[slot], g.longs[slot] = n, append(g.kept[slot][:0], s.opening[:n]...), s.long
	if run, varies := g.run.(beginner); varies && n == 0 {
		run.begin(slot, s.long)
	}
}

// share copies what a prompt has in common with one that was run before, be it still in its slot or only what it left.
func (g *Generator) share(slot int) {
	s, best, from := g.slots[slot], 0, slot
	for i := range g.kept {
		if n := g.common(s, i); n > best {
			best, from = n, i
		}
	}
	if best >= s.used+reuseTokens {
		g.hold(slot, from, best)
	}
}

// reuseTokens is the shortest common start of two prompts that is worth a copy.
const reuseTokens = 8

// common is how many tokens of a sequence need not be run again, since a slot holds them. The last one always is, for
// the logits.
func (g *Generator) common(s *sequence, slot int) int {
	prompt, held, n := s.opening, g.kept[slot], 0
	for g.shares && s.long == g.longs[slot] && n < len(prompt)-1 && n < len(held) && prompt[n] == held[n] {
		n++
	}
	if g.card { // what a run computes has the same bits only behind the same cuts
		n -= n % g.o.chunk
	}
	return n
}
