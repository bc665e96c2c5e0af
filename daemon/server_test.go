package daemon

import (
	"slices"
	"testing"
	"time"

	"textmill/jobs/queue"
)

// More jobs than there may be consumers, one after the other, must not wait until the first consumers have been idle for long.
func TestIdleConsumersMakeRoom(t *testing.T) {
	now := time.Now()
	consumers := map[string]*subject{"idle": {seen: now.Add(-2 * time.Second)}, "longest idle": {seen: now.Add(-3 * time.Second)}, "busy": {seen: now.Add(-9 * time.Second)}}
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
		{states: 4, most: 3, want: []string{"longest idle", "idle"}},
	} {
		if got := surplus(consumers, states[:c.states], c.most); !slices.Equal(got, c.want) {
			t.Errorf("%d subjects, at most %d consumers: %v goes, want %v", c.states, c.most, got, c.want)
		}
	}
}
