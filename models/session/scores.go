package session

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// DefaultAttentionBytes do for 8,192 tokens and 16 heads.
const DefaultAttentionBytes = 4 << 30

// holds are what is left of each bound on scores, by the bound: that of a process's configuration is one.
var holds struct {
	sync.Mutex
	of map[int64]*semaphore.Weighted
}

// HoldScores waits until the scores of all runs in this process, of whatever model, leave room for so many bytes
// within AttentionBytes. Those who come first are served first; a run that holds none, as those of static models and
// of cards do, waits for nobody. It needs WithDefaults.
func (o Options) HoldScores(ctx context.Context, bytes int64) (release func(), err error) {
	if bytes == 0 {
		return func() {}, nil
	}
	holds.Lock()
	s := holds.of[o.AttentionBytes]
	if s == nil {
		if holds.of == nil {
			holds.of = map[int64]*semaphore.Weighted{}
		}
		s = semaphore.NewWeighted(o.AttentionBytes)
		holds.of[o.AttentionBytes] = s
	}
	holds.Unlock()
	if err := s.Acquire(ctx, bytes); err != nil {
		return nil, err
	}
	return func() { s.Release(bytes) }, nil
}
