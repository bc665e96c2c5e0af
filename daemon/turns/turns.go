// Package turns says whose messages are fetched when more subjects have some than may be served at a time.
package turns

import (
	"cmp"
	"slices"
	"time"

	"textmill/jobs/queue"
)

// Subject is one job's, with its consumer.
type Subject struct {
	Consumer *queue.Consumer
	Place    int       // the round since which it is served; 0 where it is not, and its consumer is only to be removed
	Seen     time.Time // when it last had a turn, or could not be removed
	Refused  bool      // another model's weights serve it
}

// Order remembers since which round a subject waits for a consumer, so that none is put off by others that come later
// and whose names are before its own.
type Order struct {
	round int
	since map[string]int
}

// Sort sorts the subjects with messages: those that have a consumer's place or need none, then the others, those that
// have waited longest first.
func (t *Order) Sort(states []queue.SubjectState, consumers map[string]*Subject) {
	t.round++
	was := t.since
	t.since = make(map[string]int)
	for _, state := range states {
		if !consumers[state.Subject].Waits() {
			continue
		}
		since, waited := was[state.Subject]
		if !waited {
			since = t.round
		}
		t.since[state.Subject] = since
	}
	slices.SortStableFunc(states, func(a, b queue.SubjectState) int {
		return cmp.Compare(t.since[a.Subject], t.since[b.Subject])
	})
}

// Enter says that a subject waits no longer, and in which round.
func (t *Order) Enter(name string) (round int) {
	delete(t.since, name)
	return t.round
}

// Waits tells whether a subject with messages has no turn for want of a place.
func (s *Subject) Waits() bool { return s == nil || s.Place == 0 && !s.Refused }

// Surplus names who must make room, so that every subject with messages has a turn: first those without any, the one
// that was idle longest before the others, then those that have had their place longest.
func Surplus(consumers map[string]*Subject, states []queue.SubjectState, most int) []string {
	busy, over := map[string]bool{}, -most
	for _, state := range states {
		busy[state.Subject] = true
		if consumers[state.Subject].Waits() {
			over++
		}
	}
	var placed []string
	for name, sub := range consumers {
		if sub.Place > 0 {
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
			return one.Seen.Compare(two.Seen)
		}
		return cmp.Or(cmp.Compare(one.Place, two.Place), cmp.Compare(a, b))
	})
	return placed[:min(over, len(placed))]
}

// Taken is how many subjects have a consumer's place.
func Taken(consumers map[string]*Subject) (n int) {
	for _, sub := range consumers {
		if sub.Place > 0 {
			n++
		}
	}
	return n
}
