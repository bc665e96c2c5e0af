package page

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"textmill/daemon/catalog"
)

// failures are what tables tell of the error rows of those jobs that somebody looks at. They are read beside the
// pages that show them, none of which waits for a table.
type failures struct {
	read    func(ctx context.Context, dataset, job string) (catalog.Failures, error)
	log     *slog.Logger
	closing context.Context
	reading sync.WaitGroup

	mu     sync.Mutex
	closed bool
	known  map[jobOf]*errorRows
}

// jobOf is a job in a table.
type jobOf struct{ dataset, job string }

// errorRows are what was read of a job last, under failures.mu.
type errorRows struct {
	told    *catalog.Failures // nil before the first time
	failed  string            // why it could not be read the last time; "" = it could
	reading bool
	next    time.Time // before which it is not read again
	used    time.Time
}

// jobsKnown bounds the jobs of which something is known, and so how many are read side by side.
const jobsKnown = 16

// longestRest bounds how long a table is not read that took long.
const longestRest = 30 * time.Second

func newFailures(closing context.Context, o Options) *failures {
	return &failures{read: o.Tables.Failures, log: o.Log, closing: closing, known: map[jobOf]*errorRows{}}
}

// of is what is known of a job, which has it read anew if that is due.
func (f *failures) of(at jobOf) errorRows {
	f.mu.Lock()
	defer f.mu.Unlock()
	one := f.known[at]
	if one == nil {
		if !f.makesRoom() {
			return errorRows{reading: true} // its turn comes when others were read
		}
		one = &errorRows{}
		f.known[at] = one
	}
	one.used = time.Now()
	if !one.reading && !f.closed && !one.used.Before(one.next) {
		one.reading = true
		f.reading.Go(func() { f.refresh(at, one) })
	}
	return *one
}

// makesRoom forgets the job that nobody looked at for longest where many are known; it cannot where all are being
// read.
func (f *failures) makesRoom() bool {
	if len(f.known) < jobsKnown {
		return true
	}
	var oldest *errorRows
	var at jobOf
	for other, one := range f.known {
		if !one.reading && (oldest == nil || one.used.Before(oldest.used)) {
			at, oldest = other, one
		}
	}
	delete(f.known, at)
	return oldest != nil
}

// refresh reads a job's error rows. What was not read whole is read on at the next look: no file is read twice.
func (f *failures) refresh(at jobOf, one *errorRows) {
	began := time.Now()
	told, err := f.read(f.closing, at.dataset, at.job)
	if errors.Is(err, catalog.ErrNoTable) {
		told, err = catalog.Failures{Whole: true}, nil
	}
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	one.reading = false
	if err == nil {
		one.told, one.failed = &told, ""
	}
	if err != nil || told.Whole {
		one.next = now.Add(min(max(time.Second, share*now.Sub(began)), longestRest))
	}
	if err != nil && f.closing.Err() == nil && one.failed != err.Error() {
		one.failed = err.Error()
		f.log.Warn("error rows not read", "dataset", at.dataset, "job", at.job, "error", err)
	}
}

// wait returns once nothing is read any more, nor will be; closing has ended.
func (f *failures) wait() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.reading.Wait()
}
