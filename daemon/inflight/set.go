package inflight

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Set is every delivery that this process holds: it keeps their leases alive, and sees to it that one identity is
// worked on once at a time.
type Set struct {
	log   *slog.Logger
	sized func(int)

	mu      sync.Mutex
	all     map[*Delivery]struct{}
	leaders map[string]leader // by AppID
	empty   chan struct{}     // closed and renewed when the last delivery has left
}

// leader is the delivery of its identity that is worked on.
type leader struct {
	*Delivery
	left chan struct{} // closed when it has
}

// NewSet makes an empty one; sized is told of each change of its size.
func NewSet(log *slog.Logger, sized func(int)) *Set {
	return &Set{log: log, sized: sized, all: map[*Delivery]struct{}{},
		leaders: map[string]leader{}, empty: make(chan struct{})}
}

// Enter takes a delivery in. It reports false where another one of the same identity is under way: see Await.
func (s *Set) Enter(d *Delivery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[d] = struct{}{}
	s.sized(len(s.all))
	return s.lead(d)
}

// lead needs s.mu.
func (s *Set) lead(d *Delivery) bool {
	if _, taken := s.leaders[d.Key.AppID]; taken {
		return false
	}
	s.leaders[d.Key.AppID] = leader{d, make(chan struct{})}
	return true
}

// Await returns once no other delivery of the same identity is under way, or with the context's error.
func (s *Set) Await(ctx context.Context, d *Delivery) error {
	for {
		s.mu.Lock()
		leads := s.lead(d)
		other := s.leaders[d.Key.AppID]
		s.mu.Unlock()
		if leads {
			return nil
		}
		select {
		case <-other.left:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Leave ends a delivery.
func (s *Set) Leave(d *Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, d)
	s.sized(len(s.all))
	if len(s.all) == 0 {
		close(s.empty)
		s.empty = make(chan struct{})
	}
	if l := s.leaders[d.Key.AppID]; l.Delivery == d {
		delete(s.leaders, d.Key.AppID)
		close(l.left)
	}
}

// Size is how many are in flight.
func (s *Set) Size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.all)
}

// All lists the deliveries that match.
func (s *Set) All(match func(*Delivery) bool) []*Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*Delivery
	for d := range s.all {
		if match(d) {
			found = append(found, d)
		}
	}
	return found
}

// Cancel halts what was published of a job until then.
func (s *Set) Cancel(job string, until time.Time) {
	for _, d := range s.All(func(d *Delivery) bool { return d.Job == job && !d.Message.Timestamp.After(until) }) {
		d.Halt(ErrCancelled)
	}
}

// Datasets are those that deliveries of a job write to.
func (s *Set) Datasets(job string) (datasets []string) {
	for _, d := range s.All(func(d *Delivery) bool { return d.Job == job && d.Dataset != "" }) {
		if !slices.Contains(datasets, d.Dataset) {
			datasets = append(datasets, d.Dataset)
		}
	}
	return datasets
}

// Wait returns once none is left, or with the context's error.
func (s *Set) Wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		left, empty := len(s.all), s.empty
		s.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-empty:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// KeepLeases renews every lease three times an AckWait until ctx ends. A lease that lapses all the same costs work,
// not correctness: the table's log decides.
func (s *Set) KeepLeases(ctx context.Context, ackWait time.Duration) {
	beat := time.NewTicker(ackWait / 3)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			s.renew(ctx)
		}
	}
}

func (s *Set) renew(ctx context.Context) {
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.all))
	s.mu.Unlock()
	var failed int
	var last error
	for _, d := range all {
		if err := d.Message.InProgress(); err != nil {
			failed, last = failed+1, err
		}
	}
	if failed > 0 {
		s.log.WarnContext(ctx, "leases not renewed", "deliveries", failed, "error", last)
	}
}
