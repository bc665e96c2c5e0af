package queue

import (
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// connectTo connects to a server on which no stream was made.
func connectTo(t *testing.T, url string) *Queue {
	t.Helper()
	q, err := Connect(within(t), Options{URL: url, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	return q
}

func TestExamineSaysWhatAServerLacks(t *testing.T) {
	x := connectTo(t, inProcess(t, &server.Options{MaxPayload: 4096})).Examine(within(t))
	if !errors.Is(x.NoJetStream, ErrNoJetStream) || x.MaxPayload != 4096 || x.Version == "" {
		t.Errorf("without JetStream: %+v", x)
	}
	q := connectTo(t, inProcess(t, &server.Options{JetStream: true, StoreDir: t.TempDir()}))
	if x = q.Examine(within(t)); x.NoJetStream != nil || len(x.Absent) != 3 || x.SkewKnown || len(x.Differ) > 0 {
		t.Errorf("without streams: %+v", x)
	}
	if _, err := q.js.CreateStream(within(t), jetstream.StreamConfig{Name: DeadStream, Subjects: []string{deadSubjects}, MaxAge: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if x = q.Examine(within(t)); len(x.Differ) != 1 || !errors.Is(x.Differ[0], ErrStreamDiffers) || len(x.Absent) != 2 {
		t.Errorf("with a stream of other settings: %+v", x)
	}
}

func TestExamineChangesNothing(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	put(t, q, "textmill.jobs.embed.m.j", "one")
	for range 2 {
		x := q.Examine(within(t))
		if x.NoJetStream != nil || len(x.Absent)+len(x.Differ) > 0 || len(x.Streams) != 3 || x.Streams[0].Messages != 1 || x.RoundTrip <= 0 {
			t.Fatalf("%+v", x)
		}
		if !x.SkewKnown || x.Skew.Abs() > time.Minute { // of the same machine
			t.Errorf("its clock is %s ahead of itself", x.Skew)
		}
	}
}
