package follow

import (
	"maps"
	"slices"
	"sync"
	"time"

	"textmill/jobs"
)

// requests are those to cancel, by job.
type requests struct {
	mu    sync.Mutex
	open  map[string]jobs.Event // that nobody has carried out yet
	ended map[string]time.Time  // of the latest request for each job, carried out or not
}

func newRequests() *requests {
	return &requests{open: map[string]jobs.Event{}, ended: map[string]time.Time{}}
}

// mostEnded bounds the jobs of which a request is remembered.
const mostEnded = 50_000

// see takes in an event: a request names no table, its confirmation does.
func (r *requests) see(e jobs.Event) {
	if e.Type != jobs.EventCancelled {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Table != "" {
		delete(r.open, e.Job)
		return
	}
	r.open[e.Job] = e
	if _, known := r.ended[e.Job]; !known && len(r.ended) >= mostEnded {
		r.forgetOldest()
	}
	r.ended[e.Job] = e.Time
}

// forgetOldest needs r.mu.
func (r *requests) forgetOldest() {
	oldest := ""
	for job, at := range r.ended {
		if oldest == "" || at.Before(r.ended[oldest]) {
			oldest = job
		}
	}
	delete(r.ended, oldest)
}

// end is when a job was cancelled last, by the server's clock.
func (r *requests) end(job string) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ended := r.ended[job]
	return at, ended
}

func (r *requests) all() []jobs.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.open))
}
