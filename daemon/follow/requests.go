package follow

import (
	"sync"
	"time"

	"textmill/jobs"
)

// requests are those to cancel, by job.
type requests struct {
	mu    sync.Mutex
	open  map[string]request   // that nobody has carried out yet
	ended map[string]time.Time // of the latest request for each job, carried out or not
}

type request struct {
	event jobs.Event
	next  time.Time // when it is tried again
}

func newRequests() *requests {
	return &requests{open: map[string]request{}, ended: map[string]time.Time{}}
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
	r.open[e.Job] = request{event: e}
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

// due are the requests to be tried now.
func (r *requests) due() (all []jobs.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range r.open {
		if !time.Now().Before(one.next) {
			all = append(all, one.event)
		}
	}
	return all
}

// left says that some request waits to be carried out.
func (r *requests) left() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open) > 0
}

// tried takes in that a request was carried out, or has to be tried again. A newer one for the same job is another.
func (r *requests) tried(e jobs.Event, done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one, open := r.open[e.Job]
	switch {
	case !open || !one.event.Time.Equal(e.Time):
	case done:
		delete(r.open, e.Job)
	default:
		r.open[e.Job] = request{event: e, next: time.Now().Add(retryEvery)}
	}
}
