package turns

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/jobs/queue"
)

// More jobs than there may be consumers, one after the other, must not wait until the first consumers have been idle for long.
func TestIdleConsumersMakeRoom(t *testing.T) {
	now := time.Now()
	consumers := map[string]*Subject{"idle": {Place: 1, Seen: now.Add(-2 * time.Second)}, "longest idle": {Place: 2, Seen: now.Add(-3 * time.Second)},
		"busy": {Place: 1, Seen: now.Add(-9 * time.Second)}, "of another model": {Refused: true}, "without a place": {Seen: now}}
	var states []queue.SubjectState
	for _, name := range []string{"busy", "new", "newer", "newest"} {
		states = append(states, queue.SubjectState{Subject: name})
	}
	for _, c := range []struct {
		states int
		most   int
		want   []string
	}{
		{states: 1, most: 3, want: nil},
		{states: 2, most: 4, want: nil},
		{states: 2, most: 3, want: []string{"longest idle"}},
		{states: 3, most: 3, want: []string{"longest idle", "idle"}},
		{states: 4, most: 3, want: []string{"longest idle", "idle", "busy"}},
	} {
		if got := Surplus(consumers, states[:c.states], c.most); !slices.Equal(got, c.want) {
			t.Errorf("%d subjects, at most %d consumers: %v goes, want %v", c.states, c.most, got, c.want)
		}
	}
}

// A job whose name comes late in the order has its turn though new ones before it never end.
func TestLateNamesHaveTheirTurn(t *testing.T) {
	const most = 4
	waits, subjects, turns := []string{"zzz"}, map[string]*Subject{}, Order{}
	for round := range 10 {
		for i := range most { // as many as there may be consumers, again and again
			waits = append(waits, fmt.Sprintf("a-%d-%d", round, i))
		}
		slices.Sort(waits)
		var states []queue.SubjectState
		for _, name := range waits {
			states = append(states, queue.SubjectState{Subject: name})
		}
		for _, name := range Surplus(subjects, states, most) {
			subjects[name].Place = 0
		}
		turns.Sort(states, subjects)
		for _, state := range states {
			if subjects[state.Subject].Waits() && Taken(subjects) >= most {
				continue
			}
			subjects[state.Subject] = &Subject{Place: turns.Enter(state.Subject), Seen: time.Now()}
			waits = slices.DeleteFunc(waits, func(n string) bool { return n == state.Subject })
		}
		if !slices.Contains(waits, "zzz") {
			return
		}
	}
	t.Error("it waits for ever")
}

func TestWhoHasWaitedLongestComesFirst(t *testing.T) {
	var all Order
	order := func(names ...string) string {
		var states []queue.SubjectState
		for _, name := range names {
			states = append(states, queue.SubjectState{Subject: name})
		}
		all.Sort(states, map[string]*Subject{"has one": {Place: 1}})
		names = names[:0]
		for _, s := range states {
			names = append(names, s.Subject)
		}
		return strings.Join(names, ", ")
	}
	for _, c := range []struct {
		names []string
		want  string
	}{
		{[]string{"c", "d", "has one"}, "has one, c, d"},
		{[]string{"b", "c", "d", "has one"}, "has one, c, d, b"},
		{[]string{"a", "b", "d"}, "d, b, a"}, // c was served
		{[]string{"a", "c", "d"}, "d, a, c"},
	} {
		if got := order(slices.Clone(c.names)...); got != c.want {
			t.Errorf("of %v: %s, want %s", c.names, got, c.want)
		}
	}
}
