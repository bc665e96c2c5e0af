package queue

import (
	"testing"
	"time"

	"textmill/internal/losing"
)

// A question for a stream that was lost with its connection is asked again on the next, and not waited for until its time is over.
func TestStreamsAreAskedForAgain(t *testing.T) {
	proxy := losing.Before(t, embeddedURL(t))
	q, err := Connect(within(t), Options{URL: proxy.URL, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	begun := time.Now()
	proxy.Lose("STREAM.INFO." + BatchStream)
	if err := q.EnsureBatches(t.Context()); err != nil || time.Since(begun) > makeTimeout/2 || !proxy.Lost() {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
}
