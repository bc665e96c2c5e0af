package inflight

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

// decoded is a delivery of a job's shard.
func decoded(t *testing.T, sequence uint64, published time.Time, payload string) *Delivery {
	t.Helper()
	m := &queue.Delivery{Subject: "textmill.jobs.embed.m", Stream: "JOBS", Sequence: sequence, Timestamp: published, Data: []byte(payload)}
	d, _, err := Decode(m, jobs.Limits{}, "")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A second delivery of one identity waits until the first has left, and one that nobody waits for holds up none.
func TestOneIdentityIsWorkedOnOnceAtATime(t *testing.T) {
	size := 0
	s := NewSet(slog.New(slog.DiscardHandler), func(n int) { size = n })
	const payload = `{"job":"j","shard":0,"dataset":"d","records":[{"text":"x"}]}`
	first, second, third := decoded(t, 1, time.Now(), payload), decoded(t, 2, time.Now(), payload), decoded(t, 3, time.Now(), payload)
	other := decoded(t, 4, time.Now(), `{"job":"j","shard":1,"dataset":"e","records":[{"text":"x"}]}`)
	if !s.Enter(first) || s.Enter(second) || s.Enter(third) || !s.Enter(other) || size != 4 {
		t.Fatalf("%d are in flight, or the wrong ones lead", size)
	}
	ended, end := context.WithCancelCause(t.Context())
	end(ErrDraining)
	if err := s.Await(ended, third); !errors.Is(err, ErrDraining) {
		t.Errorf("work that has ended is waited for: %v", err)
	}
	s.Leave(third)
	leads := make(chan error)
	go func() { leads <- s.Await(t.Context(), second) }()
	select {
	case err := <-leads:
		t.Errorf("two of one identity are worked on: %v", err)
	default:
	}
	s.Leave(first)
	if err := <-leads; err != nil {
		t.Error(err)
	}
	again := decoded(t, 5, time.Now(), payload)
	if s.Enter(again) {
		t.Error("what waited does not lead")
	}
	for _, d := range []*Delivery{second, again, other} {
		s.Leave(d)
	}
	if err := s.Wait(t.Context()); err != nil || size != 0 || len(s.leaders) != 0 {
		t.Errorf("%d are left, %d lead: %v", size, len(s.leaders), err)
	}
}

// A cancel halts what was published before it, of its job alone, and the first reason stays.
func TestCancelHaltsWhatWasPublishedBeforeIt(t *testing.T) {
	s := NewSet(slog.New(slog.DiscardHandler), func(int) {})
	at := time.Now()
	before := decoded(t, 1, at.Add(-time.Second), `{"job":"j","shard":0,"dataset":"d","records":[{"text":"x"}]}`)
	after := decoded(t, 2, at.Add(time.Second), `{"job":"j","shard":1,"dataset":"e","records":[{"text":"x"}]}`)
	others := decoded(t, 3, at.Add(-time.Second), `{"job":"k","shard":0,"dataset":"f","records":[{"text":"x"}]}`)
	for _, d := range []*Delivery{before, after, others} {
		s.Enter(d)
	}
	s.Cancel("j", at)
	before.Halt(ErrDraining)
	if !errors.Is(before.Halted(), ErrCancelled) || after.Halted() != nil || others.Halted() != nil {
		t.Errorf("published before: %v, after: %v, of another job: %v", before.Halted(), after.Halted(), others.Halted())
	}
	<-before.Halting()
	if got := s.Datasets("j"); len(got) != 2 || !slices.Contains(got, "d") || !slices.Contains(got, "e") {
		t.Errorf("the job writes to %v", got)
	}
}
