package queue

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"
)

// again repeats what a restarting server makes fail.
func again[T any](t *testing.T, do func() (T, error)) T {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ctx := within(t); ; {
		v, err := do()
		if err == nil {
			return v
		}
		select {
		case <-ctx.Done():
			t.Fatalf("it fails for ever: %v", err)
		case <-tick.C:
		}
	}
}

func TestServerKilledAndRestarted(t *testing.T) {
	server := startChild(t)
	q := dial(t, Options{URL: server.url(), AckWait: 2 * time.Second})
	tr := track(t, q, TrackOptions{})
	put(t, q, subjectM, "a", "b")
	publishEvents(t, q, committed("j", "0", 1))
	c := consumer(t, q, subjectM)
	held := fetchSoon(t, c)

	server.kill()
	short, cancel := context.WithTimeout(within(t), 5*time.Second)
	defer cancel()
	if err := held.Ack(short); err == nil {
		t.Error("an ack without a server is confirmed")
	}
	for ctx := within(t); q.Connected(); { // until the client knows
		if err := held.InProgress(); err != nil {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatal("the client does not notice")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err := held.InProgress(); !errors.Is(err, ErrDisconnected) {
		t.Errorf("a heartbeat without a server: %v", err)
	}
	if err := held.Ack(within(t)); !errors.Is(err, ErrDisconnected) {
		t.Errorf("an ack without a server: %v", err)
	}
	if _, err := c.Fetch(within(t), 1, 0); !errors.Is(err, ErrDisconnected) {
		t.Errorf("a fetch without a server: %v", err)
	}
	if err := q.PublishJob(within(t), JobMessage{Subject: subjectM, MsgID: "c", Data: []byte("c")}); err != nil {
		t.Fatal(err)
	}

	server.start()
	if err := q.Flush(within(t)); err != nil {
		t.Errorf("what was published meanwhile: %v", err)
	}
	publishEvents(t, q, committed("j", "1", 1))
	until(t, tr, "j", func(s JobStatus) bool { return s.ShardsDone == 2 })
	got := map[string]bool{}
	for len(got) < 3 {
		for _, d := range again(t, func() ([]*Delivery, error) { return c.Fetch(within(t), 10, 0) }) {
			got[string(d.Data)] = true
			again(t, func() (bool, error) { return true, d.Ack(within(t)) })
		}
	}
	if left, err := q.Subjects(within(t), "embed", "m"); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

func TestManyRestartsLoseAndDoubleNothing(t *testing.T) {
	server := startChild(t)
	q := dial(t, Options{URL: server.url(), AckWait: time.Second})
	const n = 300
	published := make(chan error, 1)
	go func() {
		for i := range n {
			if err := q.PublishJob(within(t), JobMessage{Subject: subjectM, MsgID: strconv.Itoa(i), Data: []byte(strconv.Itoa(i))}); err != nil {
				published <- err
				return
			}
		}
		published <- q.Flush(within(t))
	}()
	for range 3 {
		server.kill()
		server.start()
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	list := again(t, func() ([]SubjectState, error) { return q.Subjects(within(t), "embed", "m") })
	if len(list) != 1 || list[0].Messages != n {
		t.Errorf("the stream holds %v, want %d messages", list, n)
	}
}
