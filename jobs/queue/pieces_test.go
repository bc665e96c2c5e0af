package queue

import (
	"strings"
	"testing"
	"time"

	"textmill/jobs"
)

func TestPiecesAreKnownByTheirPayload(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	dead := of("dead", "m", "0", "b", 0)
	dead.Class, dead.Reason = jobs.IdentityConflict, "why"
	committed := of("committed", "m", "0", "a", 5)
	committed.DeadRecords = 2
	publishEvents(t, q, committed, dead, of("committed", "n", "1", "a", 5),
		jobs.Event{Type: jobs.EventCommitted, Job: "j", Shard: "2", Rows: 5, Time: time.Now()})
	tr := track(t, q, TrackOptions{Job: "j", Pieces: true})
	at := func(model, shard, payload string) Piece {
		return Piece{Task: "embed", Model: model, Shard: shard, SHA256: payload}
	}
	for of, want := range map[Piece]Fate{
		at("m", "0", "a"): {State: StateDone, Rows: 5, DeadRecords: 2},
		at("m", "0", "b"): {State: StateFailed, Class: jobs.IdentityConflict, Reason: "why"},
		at("m", "0", "c"): {},
		at("m", "1", "a"): {}, // another model's
		at("m", "2", "a"): {}, // of which an older daemon did not say enough
	} {
		if got, untold := tr.Fate(of); got != want || untold != map[string]Untold{"2": {1, true}}[of.Shard] {
			t.Errorf("%+v: %+v, %+v untold", of, got, untold)
		}
	}
	publishEvents(t, q, of("committed", "m", "0/r1", "b", 4), dead)
	until(t, tr, "j", func(s JobStatus) bool { return s.Dead == 0 })
	if got, _ := tr.Fate(at("m", "0", "b")); got != (Fate{State: StateDone, Retry: 1, Rows: 4}) {
		t.Errorf("after its retry: %+v", got)
	}
	if _, err := q.Track(t.Context(), TrackOptions{Pieces: true}); err == nil {
		t.Error("the pieces of all jobs are followed")
	}
}

func TestWhatIsLeftOfAJob(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	subject := jobs.Subject{Task: "embed", Model: "m", Job: "j"}.String()
	left := func(wantMessages, wantHeld uint64, wantKnown bool) {
		t.Helper()
		messages, held, err := q.Waiting(within(t), subject)
		if err != nil || messages != wantMessages || held != wantHeld {
			t.Errorf("%d wait, %d are held, %v; want %d and %d", messages, held, err, wantMessages, wantHeld)
		}
		if known, err := q.Knows(within(t), "j"); err != nil || known != wantKnown {
			t.Errorf("known: %t, %v", known, err)
		}
	}
	left(0, 0, false)
	for _, data := range []string{"1", "2"} {
		if err := q.PublishJob(within(t), JobMessage{Subject: subject, Data: []byte(data)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Flush(within(t)); err != nil {
		t.Fatal(err)
	}
	left(2, 0, true)
	c, err := q.Consumer(within(t), subject, "sha")
	if err != nil {
		t.Fatal(err)
	}
	var got []*Delivery
	for len(got) == 0 {
		if got, err = c.Fetch(within(t), 1, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	left(2, 1, true)
	if err := got[0].Ack(within(t)); err != nil {
		t.Fatal(err)
	}
	left(1, 0, true)
	if _, err := q.PurgeJob(within(t), "j", 0); err != nil {
		t.Fatal(err)
	}
	left(0, 0, false)
	publishEvents(t, q, committed("j", "0", 1))
	left(0, 0, true)
}

// A message that comes again soon after its letter was resolved is dead again, and that is told.
func TestADeathSoonAfterItsResolutionIsTold(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	died := of("dead", "m", "0", "b", 0)
	again := died
	again.Published = died.Published.Add(time.Second)
	publishEvents(t, q, died, died, of("resolved", "m", "0", "b", 0), again, of("resolved", "m", "0", "b", 0))
	var told []string
	tr := track(t, q, TrackOptions{Job: "j", Pieces: true, OnEvent: func(e jobs.Event) { told = append(told, e.Type) }})
	if s, _ := tr.Job("j"); s.Dead != 0 || s.Resolved != 1 || strings.Join(told, ", ") != "dead, resolved, dead, resolved" {
		t.Errorf("%+v after %q", s, told)
	}
	if f, _ := tr.Fate(Piece{Task: "embed", Model: "m", Shard: "0", SHA256: "b"}); f.State != StateFailed || !f.Resolved {
		t.Errorf("its fate is %+v", f)
	}
}
