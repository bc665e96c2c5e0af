package queue

import (
	"sync"
	"time"
)

// seldom has told once a minute what may come without end.
type seldom struct {
	mu    sync.Mutex
	told  time.Time
	count int // since then
}

// due counts one more, and says how many there are to tell of now; 0 when it is too soon.
func (s *seldom) due() (count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	if time.Since(s.told) < time.Minute {
		return 0
	}
	count, s.count, s.told = s.count, 0, time.Now()
	return count
}
