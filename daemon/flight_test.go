package daemon

import (
	"testing"

	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// A model that is stopped when drain_timeout is over may finish rows after the committers have ended.
func TestRowsAfterTheEndAreDropped(t *testing.T) {
	for name, rows := range map[string][]export.Row{"made": {{}}, "given up": nil} {
		t.Run(name, func(t *testing.T) {
			c := &committer{pieces: make(chan piece), gone: make(chan struct{})}
			f := newFlight(&queue.Delivery{}, &jobs.Shard{Job: "j", ID: "0", Dataset: "d"})
			f.lane = &lane{committer: c}
			arrive := f.expect()
			f.finishFeeding()
			close(c.gone)
			arrive(rows)
			if !f.handedOn {
				t.Error("the flight still holds its rows")
			}
		})
	}
}
