package batches

import (
	"log/slog"
	"testing"
	"time"

	"textmill/internal/losing"
	"textmill/jobs/queue"
)

// A question that was lost with its connection while a batch is published does not hold the batch up until its time is over.
func TestABatchGoesOnWhereAnAnswerIsLost(t *testing.T) {
	b := newBench(t)
	proxy := losing.Before(t, b.q.Server())
	q, err := queue.Connect(t.Context(), queue.Options{URL: proxy.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	own := *b
	own.q = q
	s := own.batches(time.Minute, func(at string) {
		if at == "batch-validated" {
			proxy.Lose("CONSUMER.CREATE." + queue.EventStream)
		}
	})
	b.run(s)
	one := b.create(s, time.Hour, requests(numbered(3)...)...)
	b.work(one.ID)
	if one = b.await(b.batches(time.Minute, nil), one.ID, over); one.Status != Completed || !proxy.Lost() {
		t.Errorf("it is %+v", one)
	}
}
