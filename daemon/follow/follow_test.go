package follow

import (
	"testing"
	"time"

	"textmill/jobs"
)

// flown is when what a process holds was published, and whether it still works on it.
type flown map[time.Time]bool

func (f flown) Cancel(_ string, until time.Time) {
	for published := range f {
		f[published] = f[published] && published.After(until)
	}
}

func (f flown) Datasets(string) []string { return []string{"notes"} }

// A confirmation comes after its request, and after what was published meanwhile, which is no part of what was cancelled.
func TestAConfirmedCancelEndsWhatItsRequestEnds(t *testing.T) {
	at := time.Now()
	before, after := at.Add(-time.Second), at.Add(time.Second)
	held, r := flown{before: true, after: true}, newRequests()
	heard(jobs.Event{Type: jobs.EventCancelled, Job: "notes", Time: at}, r, held)
	heard(jobs.Event{Type: jobs.EventCancelled, Job: "notes", Table: "/tables/notes", Time: at.Add(2 * time.Second)}, r, held)
	if held[before] || !held[after] {
		t.Errorf("works on what was published before: %v, after: %v", held[before], held[after])
	}
}

// A request that could not be carried out waits to be tried again, however many events come; a newer one for its job is due at once.
func TestRequestsAreTriedAgain(t *testing.T) {
	r := newRequests()
	first := jobs.Event{Type: jobs.EventCancelled, Job: "notes", Time: time.Now()}
	second := first
	second.Time = first.Time.Add(time.Second)
	r.see(first)
	if due := r.due(); len(due) != 1 || !r.left() {
		t.Errorf("due: %v", due)
	}
	r.tried(first, false)
	if due := r.due(); len(due) != 0 || !r.left() {
		t.Errorf("due once it has failed: %v", due)
	}
	r.see(second)
	r.tried(first, true) // the one that was under way
	if due := r.due(); len(due) != 1 || !due[0].Time.Equal(second.Time) {
		t.Errorf("due when it is asked for again: %v", due)
	}
	r.tried(second, true)
	if r.left() {
		t.Error("something is left")
	}
}
