package daemon

import (
	"cmp"
	"slices"

	"textmill/jobs/queue"
)

// turns remembers since which round a subject waits for a consumer, so that none is put off by others that come later and whose names
// are before its own.
type turns struct {
	round int
	since map[string]int
}

// order sorts the subjects with messages: those that have a consumer's place or need none, then the others, those that have waited
// longest first.
func (t *turns) order(states []queue.SubjectState, consumers map[string]*subject) {
	t.round++
	was := t.since
	t.since = make(map[string]int)
	for _, state := range states {
		if !consumers[state.Subject].waits() {
			continue
		}
		since, waited := was[state.Subject]
		if !waited {
			since = t.round
		}
		t.since[state.Subject] = since
	}
	slices.SortStableFunc(states, func(a, b queue.SubjectState) int { return cmp.Compare(t.since[a.Subject], t.since[b.Subject]) })
}

// enter says that a subject waits no longer, and in which round.
func (t *turns) enter(name string) (round int) {
	delete(t.since, name)
	return t.round
}

// waits tells whether a subject with messages has no turn for want of a place.
func (s *subject) waits() bool { return s == nil || s.place == 0 && !s.refused }

// surplus names who must make room, so that every subject with messages has a turn: first those without any, the one that was idle
// longest before the others, then those that have had their place longest.
func surplus(consumers map[string]*subject, states []queue.SubjectState, most int) []string {
	busy, over := map[string]bool{}, -most
	for _, state := range states {
		busy[state.Subject] = true
		if consumers[state.Subject].waits() {
			over++
		}
	}
	var placed []string
	for name, sub := range consumers {
		if sub.place > 0 {
			placed = append(placed, name)
			over++
		}
	}
	if over <= 0 {
		return nil
	}
	slices.SortFunc(placed, func(a, b string) int {
		one, two := consumers[a], consumers[b]
		switch {
		case busy[a] != busy[b]:
			if busy[a] {
				return 1
			}
			return -1
		case !busy[a]:
			return one.seen.Compare(two.seen)
		}
		return cmp.Or(cmp.Compare(one.place, two.place), cmp.Compare(a, b))
	})
	return placed[:min(over, len(placed))]
}

// taken is how many subjects have a consumer's place.
func taken(consumers map[string]*subject) (n int) {
	for _, sub := range consumers {
		if sub.place > 0 {
			n++
		}
	}
	return n
}
