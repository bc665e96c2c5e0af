package daemon

import (
	"testing"

	"textmill/jobs"
)

// A commit is told of before the deliveries in it, and the next daemon goes on where the one before was.
func TestCommitsAreAnnounced(t *testing.T) {
	cfg := testConfig(t)
	subject := jobs.Subject{Task: "embed", Model: model}.String()
	var last int64
	for n, shard := range []string{"0", "1"} {
		r := start(t, cfg)
		r.publish(subject, nil, `{"job":"told","shard":`+shard+`,"dataset":"told","records":[{"id":"a`+shard+`","text":"x"},{"id":"b"}]}`)
		event := r.await(jobs.EventCommitted)
		for event.Shard != shard { // events of before come first
			event = r.await(jobs.EventCommitted)
		}
		c, err := r.queue.LastTableCommit(t.Context(), "told")
		if err != nil || c.Version != event.Version || c.Table != event.Table || c.Rows != 2 || c.Errors != 1 || c.NAdded != 2 || len(c.Added) != 2 ||
			c.Version <= last {
			t.Fatalf("commit %d: %+v, %v; the event says version %d", n, c, err, event.Version)
		}
		last = c.Version
		r.drain()
	}
}
