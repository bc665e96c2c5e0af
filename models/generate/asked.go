package generate

// In which order requests come to their turns.
const (
	rankFirst  = iota // somebody waits for it, and others have left of its share
	rankUsual         // of the queue; or asked for, and too long for that share
	rankBeyond        // asked for, and the share is taken
	rankLater
)

// rank needs t.mu.
func (t *turns) rank(s *sequence) int {
	switch {
	case s.Later:
		return rankLater
	case !s.Asked || t.share.live == 0 || s.need() > t.share.tokens:
		return rankUsual
	case t.asked.live < t.share.live && t.asked.tokens+s.need() <= t.share.tokens:
		return rankFirst
	}
	return rankBeyond
}

func (t *turns) rankOf(s *sequence) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rank(s)
}

// asks tells whether somebody waits for a text that is in a slot.
func (t *turns) asks() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.asked.live > 0
}

// takeForsaken removes the requests that somebody waited for who does no more. What the queue brought goes when it has
// its turn.
func (t *turns) takeForsaken() (gone []*sequence) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, j := range t.jobs {
		if !j.asked {
			continue
		}
		kept := j.waiting[:0]
		for _, s := range j.waiting {
			if s.unwanted() {
				gone = append(gone, s)
				t.prompts -= len(s.Prompt)
			} else {
				kept = append(kept, s)
			}
		}
		clear(j.waiting[len(kept):])
		j.waiting = kept
		t.forget(j)
	}
	if len(gone) > 0 {
		t.room()
	}
	return gone
}
