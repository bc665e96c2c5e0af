package commit

import (
	"errors"
	"testing"

	"textmill/daemon/inflight"
	"textmill/export"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// delivery is one that says nothing of records.
func delivery(t *testing.T, payload string) *inflight.Delivery {
	t.Helper()
	d, _, err := inflight.Decode(&queue.Delivery{Subject: "textmill.jobs.embed.m.j", Data: []byte(payload)}, jobs.Limits{}, "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A model that is stopped when drain_timeout is over may finish rows after the committers have ended.
func TestRowsAfterTheEndAreDropped(t *testing.T) {
	for name, rows := range map[string][]export.Row{"made": {{}}, "given up": nil} {
		t.Run(name, func(t *testing.T) {
			c := newCommitter(New(Options{}), "d", nil)
			r := c.Gather(delivery(t, `{"job":"j","shard":0,"dataset":"d","records":[{"text":"x"}]}`), export.Vectors{})
			arrive := r.Expect()
			r.Fed()
			c.end()
			arrive(rows)
			if got, _ := r.Result(); !errors.Is(got.Failed, inflight.ErrDraining) {
				t.Errorf("the delivery is told %+v", got)
			}
			if !r.over || len(c.inbox.pieces) > 0 {
				t.Error("somebody still holds its rows")
			}
		})
	}
}
