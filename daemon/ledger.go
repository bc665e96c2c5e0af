package daemon

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"textmill/daemon/metrics"
	"textmill/jobs/queue"
)

// ledger knows every delivery that this daemon holds: it keeps their leases
// alive, and sees to it that one identity is worked on once at a time.
type ledger struct {
	log     *slog.Logger
	metrics *metrics.Metrics

	mu      sync.Mutex
	held    map[*queue.Delivery]struct{} // fetched, and no flight yet
	flights map[*flight]struct{}
	leaders map[string]*flight   // by AppID
	parked  map[string][]*flight // duplicates that wait for their leader
	empty   chan struct{}        // closed and renewed when the last flight is over
}

func newLedger(log *slog.Logger, m *metrics.Metrics) *ledger {
	return &ledger{log: log, metrics: m, held: map[*queue.Delivery]struct{}{}, flights: map[*flight]struct{}{}, leaders: map[string]*flight{},
		parked: map[string][]*flight{}, empty: make(chan struct{})}
}

// hold keeps the leases of deliveries that wait their turn, until enter or drop: the ones before them may take longer than a lease.
func (l *ledger) hold(deliveries []*queue.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range deliveries {
		l.held[d] = struct{}{}
	}
}

// drop lets go of a delivery that is handed back.
func (l *ledger) drop(d *queue.Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, d)
}

// enter takes a flight in. It reports false when another one of the same
// identity is under way: then this one waits, and release returns it.
func (l *ledger) enter(f *flight) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, f.delivery)
	l.flights[f] = struct{}{}
	l.metrics.InFlight(len(l.flights))
	if l.leaders[f.key.AppID] != nil {
		l.parked[f.key.AppID] = append(l.parked[f.key.AppID], f)
		return false
	}
	l.leaders[f.key.AppID] = f
	return true
}

// release ends a flight and returns the duplicates that waited for it.
func (l *ledger) release(f *flight) []*flight {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.flights, f)
	l.metrics.InFlight(len(l.flights))
	if len(l.flights) == 0 {
		close(l.empty)
		l.empty = make(chan struct{})
	}
	if l.leaders[f.key.AppID] != f {
		return nil
	}
	delete(l.leaders, f.key.AppID)
	waiting := l.parked[f.key.AppID]
	delete(l.parked, f.key.AppID)
	for _, w := range waiting {
		delete(l.flights, w)
		l.held[w.delivery] = struct{}{}
	}
	return waiting
}

func (l *ledger) size() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.flights)
}

// all lists the flights that match.
func (l *ledger) all(match func(*flight) bool) []*flight {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []*flight
	for f := range l.flights {
		if match(f) {
			found = append(found, f)
		}
	}
	return found
}

// Cancel stops work on what was published of a job until then.
func (l *ledger) Cancel(job string, until time.Time) {
	for _, f := range l.all(func(f *flight) bool { return f.job == job && !f.delivery.Timestamp.After(until) }) {
		f.halt(errCancelled)
	}
}

// Datasets are those that flights of a job write to.
func (l *ledger) Datasets(job string) (datasets []string) {
	for _, f := range l.all(func(f *flight) bool { return f.job == job && f.dataset != "" }) {
		if !slices.Contains(datasets, f.dataset) {
			datasets = append(datasets, f.dataset)
		}
	}
	return datasets
}

// wait returns once no flight is left, or with the context's error.
func (l *ledger) wait(ctx context.Context) error {
	for {
		l.mu.Lock()
		left, empty := len(l.flights), l.empty
		l.mu.Unlock()
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

// heartbeat renews every lease three times an AckWait. A lease that lapses all
// the same costs work, not correctness: the table's log decides.
func (l *ledger) heartbeat(ctx context.Context, ackWait time.Duration) {
	beat := time.NewTicker(ackWait / 3)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			l.renew()
		}
	}
}

func (l *ledger) renew() {
	l.mu.Lock()
	deliveries := slices.Collect(maps.Keys(l.held))
	for f := range l.flights {
		deliveries = append(deliveries, f.delivery)
	}
	l.mu.Unlock()
	var failed int
	var last error
	for _, d := range deliveries {
		if err := d.InProgress(); err != nil {
			failed, last = failed+1, err
		}
	}
	if failed > 0 {
		l.log.Warn("leases not renewed", "deliveries", failed, "error", last.Error())
	}
}
