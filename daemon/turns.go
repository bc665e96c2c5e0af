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

// order sorts the subjects with messages: those that have a consumer, then the others, those that have waited longest first.
func (t *turns) order(states []queue.SubjectState, consumers map[string]*subject) {
	t.round++
	was := t.since
	t.since = make(map[string]int)
	for _, state := range states {
		if consumers[state.Subject] != nil {
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

// surplus names consumers that must go before their time, those that were idle longest, so that every subject with messages
// can have one.
func surplus(consumers map[string]*subject, states []queue.SubjectState, most int) []string {
	busy, fresh := map[string]bool{}, 0
	for _, state := range states {
		busy[state.Subject] = true
		if consumers[state.Subject] == nil {
			fresh++
		}
	}
	over := len(consumers) + fresh - most
	if over <= 0 {
		return nil
	}
	var idle []string
	for name := range consumers {
		if !busy[name] {
			idle = append(idle, name)
		}
	}
	slices.SortFunc(idle, func(a, b string) int { return consumers[a].seen.Compare(consumers[b].seen) })
	return idle[:min(over, len(idle))]
}
