package queue

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

func inProcessURL(t *testing.T) string {
	t.Helper()
	return inProcess(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
}

func TestPublishWaitsForRoom(t *testing.T) {
	q, err := Connect(within(t), Options{URL: inProcessURL(t), Logger: quiet(), PublishMessages: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := q.EnsureStreams(within(t), StreamOptions{MaxBytes: 10_000, DeadMaxBytes: 1 << 20, EventsMaxBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	const n = 40 // of 1 kB each: four times what the stream takes
	published := make(chan error, 1)
	go func() {
		for i := range n {
			m := JobMessage{Subject: subjectM, MsgID: strconv.Itoa(i), Data: []byte(strconv.Itoa(i) + strings.Repeat(" ", 1000))}
			if err := q.PublishJob(within(t), m); err != nil {
				published <- err
				return
			}
		}
		published <- q.Flush(within(t))
	}()
	c := consumer(t, q, subjectM)
	seen := map[string]bool{}
	for len(seen) < n {
		d := fetchSoon(t, c)
		if seen[string(d.Data)] {
			t.Fatalf("%q came twice", d.Data[:4])
		}
		seen[string(d.Data)] = true
		if err := d.Ack(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-published; err != nil {
		t.Error(err)
	}
}

func TestPublishedTwiceIsThereOnce(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	m := JobMessage{Subject: subjectM, MsgID: "same", Data: []byte("x")}
	if err := errors.Join(q.PublishJob(within(t), m), q.PublishJob(within(t), m), q.Flush(within(t))); err != nil {
		t.Fatal(err)
	}
	if got, err := q.Subjects(within(t), "embed", "m"); err != nil || len(got) != 1 || got[0].Messages != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestPublishTellsErrors(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	big := JobMessage{Subject: subjectM, Data: make([]byte, q.MaxPayload()+1)}
	if err := q.PublishJob(within(t), big); !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "max_payload is 1048576") {
		t.Errorf("a large message: %v", err)
	}
	if !q.Connected() {
		t.Error("the server has cut the connection")
	}
	if err := q.js.DeleteStream(within(t), JobStream); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(within(t))
	if err := q.PublishJob(ctx, JobMessage{Subject: subjectM}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := q.Flush(within(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("flush says %v", err)
	}
	if err := q.PublishJob(within(t), JobMessage{Subject: subjectM}); !errors.Is(err, context.Canceled) {
		t.Errorf("publishing after a failure says %v", err)
	}
}

func TestPublisherIsBounded(t *testing.T) {
	var p publisher
	p.init(100, 3)
	bg := context.Background()
	done, cancel := context.WithCancel(bg)
	cancel()
	take := func(size int) error { return p.acquire(done, size) }
	if err := p.acquire(bg, 1000); err != nil { // alone, whatever its size
		t.Fatal(err)
	}
	if err := take(1); err == nil {
		t.Error("bytes are not bounded")
	}
	p.release(1000, nil)
	for range 3 {
		if err := p.acquire(bg, 10); err != nil {
			t.Fatal(err)
		}
	}
	if err := take(1); err == nil {
		t.Error("messages are not bounded")
	}
	p.release(10, errors.New("first"))
	p.release(10, errors.New("second"))
	if err := take(1); err == nil || err.Error() != "first" {
		t.Errorf("after an error: %v", err)
	}
}
