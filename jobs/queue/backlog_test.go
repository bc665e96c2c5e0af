package queue

import (
	"testing"
	"time"
)

// What one model has to do is not another's, and lasts until it is settled, delivered or not.
func TestBacklogIsOfOneModel(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	ask := func(model string) Backlog {
		t.Helper()
		b, err := q.Backlog(within(t), "embed", model)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if b := ask("a"); b.Messages != 0 || !b.Oldest.IsZero() {
		t.Errorf("of an empty queue: %+v", b)
	}
	put(t, q, "textmill.jobs.embed.a.j", "one", "two")
	alone := ask("a")
	put(t, q, "textmill.jobs.embed.b", "three")
	put(t, q, "textmill.jobs.embed.b.k", "four")
	put(t, q, "textmill.jobs.embed.ab.j", "five")
	first := fetchSoon(t, consumer(t, q, "textmill.jobs.embed.a.j"))
	if b := ask("a"); b.Messages != 2 || !b.Oldest.Equal(first.Timestamp) || !alone.Oldest.Equal(b.Oldest) {
		t.Errorf("%+v beside others, %+v alone; the oldest is of %s", b, alone, first.Timestamp)
	}
	third := fetchSoon(t, consumer(t, q, "textmill.jobs.embed.b"))
	if b := ask("b"); b.Messages != 2 || !b.Oldest.Equal(third.Timestamp) {
		t.Errorf("of the other: %+v", b)
	}
	if err := first.Ack(within(t)); err != nil {
		t.Fatal(err)
	}
	if b := ask("a"); b.Messages != 1 || !b.Oldest.After(first.Timestamp) || time.Since(b.Oldest) > time.Minute {
		t.Errorf("after an ack: %+v", b)
	}
	sizes, err := q.StreamSizes(within(t))
	if err != nil || len(sizes) < 3 || sizes[0].Name != JobStream || sizes[0].Messages != 4 || sizes[0].Bytes <= 0 || sizes[0].MaxBytes != 1<<30 {
		t.Errorf("the streams: %+v, %v", sizes, err)
	}
}
