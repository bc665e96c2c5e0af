package generate

// admit gives free slots to requests. It waits for one when nothing runs, and reports false when none will come.
func (g *Generator) admit() bool {
	for {
		if g.running.Err() != nil {
			g.abandon()
		}
		s := g.receive()
		if s == nil {
			return g.live > 0
		}
		if g.running.Err() != nil || s.unwanted() {
			s.conclude(ErrStopped)
			continue
		}
		if g.live == len(g.slots) || g.live > 0 && g.held+s.need() > g.tokens {
			if s.Later {
				g.putOff = s
			} else {
				g.waiting = s
			}
			return true
		}
		g.enter(s)
	}
}

// receive gives the next request, nil when there is none now and something runs, or when there will be none. Those that others
// come before are looked at only when no other waits.
func (g *Generator) receive() *sequence {
	if s := g.waiting; s != nil {
		g.waiting = nil
		return s
	}
	if s := poll(g.in, &g.open); s != nil {
		return s
	}
	if s := g.putOff; s != nil {
		g.putOff = nil
		return s
	}
	if s := poll(g.later, &g.more); s != nil {
		return s
	}
	for g.live == 0 && (g.open || g.more) {
		in, later := g.in, g.later
		if !g.open {
			in = nil
		}
		if !g.more {
			later = nil
		}
		var s *sequence
		select {
		case s, g.open = <-in:
		case s, g.more = <-later:
		}
		if s != nil {
			return s
		}
	}
	return nil
}

// poll takes what is there now; open becomes false when there will be nothing any more.
func poll(from <-chan *sequence, open *bool) *sequence {
	if !*open {
		return nil
	}
	select {
	case s, ok := <-from:
		*open = ok
		return s
	default:
		return nil
	}
}

// enter puts a sequence into the free slot that already holds most of its prompt's start.
func (g *Generator) enter(s *sequence) {
	slot, held := -1, 0
	for i, tokens := range g.kept {
		if g.slots[i] != nil {
			continue
		}
		if n := g.common(s.Prompt, tokens); slot < 0 || n > held && n >= reuseTokens {
			slot, held = i, n
		}
	}
	g.slots[slot] = s
	g.hold(slot, slot, held)
	s.arrival = g.arrived
	g.arrived++
	g.live++
	g.held += s.need()
}

// hold has a slot begin with the first n tokens of its sequence's prompt, which another one holds, or the same.
func (g *Generator) hold(slot, from, n int) {
	s := g.slots[slot]
	if n > 0 {
		g.run.move(slot, from, n)
	}
	s.used, g.kept[slot] = n, append(g.kept[slot][:0], s.Prompt[:n]...)
}

// share copies what a prompt has in common with one that was run before, be it still in its slot or only what it left.
func (g *Generator) share(slot int) {
	s, best, from := g.slots[slot], 0, slot
	for i, tokens := range g.kept {
		if n := g.common(s.Prompt, tokens); n > best {
			best, from = n, i
		}
	}
	if best >= s.used+reuseTokens {
		g.hold(slot, from, best)
	}
}

// reuseTokens is the shortest common start of two prompts that is worth a copy.
const reuseTokens = 8

// common is how many tokens of a prompt need not be run again. The last one always is, for the logits.
func (g *Generator) common(prompt, held []int32) int {
	n := 0
	for g.shares && n < len(prompt)-1 && n < len(held) && prompt[n] == held[n] {
		n++
	}
	return n
}
