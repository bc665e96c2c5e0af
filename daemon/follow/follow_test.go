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
