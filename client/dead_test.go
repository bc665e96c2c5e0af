package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

const deadSubject = "textmill.jobs.embed.m.nightly"

// buried makes n dead letters of a class and gives their ids.
func buried(t *testing.T, q *queue.Queue, class string, n int) (ids []string) {
	t.Helper()
	for i := range n {
		key := fmt.Sprintf("%s/%d", class, i)
		d := &queue.Delivery{Subject: deadSubject, Task: "embed", Model: "m", Job: "nightly", Delivered: 1, Sequence: uint64(i + 1),
			Stream: queue.JobStream, StreamCreated: time.Now(), Timestamp: time.Now()}
		payload := fmt.Appendf(nil, `{"job":"nightly","shard":"%s-%d","records":[{"id":"a","text":"x"}]}`, class, i)
		if err := q.PublishDead(t.Context(), queue.DeadLetter{Delivery: d, Payload: payload, Key: key, Class: class, Reason: "r"}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, jobs.KeyHash(key))
	}
	return ids
}

// lettersLeft are the classes of the letters there are.
func lettersLeft(t *testing.T, q *queue.Queue) (classes []string) {
	t.Helper()
	err := q.ListDead(t.Context(), func(e queue.DeadEntry) bool { classes = append(classes, e.Class); return true })
	if err != nil {
		t.Fatal(err)
	}
	return classes
}

func TestAConflictIsRetriedOnlyWhenItIsSaidWhoLives(t *testing.T) {
	q := openQueue(t)
	var out, errs strings.Builder
	o := DeadOptions{Stdout: &out, Stderr: &errs}
	conflicts := buried(t, q, jobs.IdentityConflict, 2)
	buried(t, q, jobs.Schema, 1)
	for _, ids := range [][]string{nil, conflicts[:1]} {
		if err := DeadRetry(t.Context(), q, ids, o); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "--keep committed") {
			t.Errorf("retry %v: %v", ids, err)
		}
	}
	if left := lettersLeft(t, q); !slices.Equal(left, []string{jobs.IdentityConflict, jobs.IdentityConflict}) || strings.Count(out.String(), "retry 1") != 1 {
		t.Errorf("letters %v are left, %q", left, out.String())
	}
	o.Keep = KeepCommitted
	if err := DeadRetry(t.Context(), q, conflicts[:1], o); err != nil || !strings.Contains(out.String(), conflicts[0]+" dropped") {
		t.Errorf("%v, %q", err, out.String())
	}
	o.Keep, o.AsNewJob = "", "nightly-2"
	if err := DeadRetry(t.Context(), q, nil, o); err != nil || len(lettersLeft(t, q)) != 0 {
		t.Errorf("%v, letters %v", err, lettersLeft(t, q))
	}
	c, err := q.Consumer(t.Context(), "textmill.jobs.embed.m.nightly-2", "sha")
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Fetch(t.Context(), 10, 1<<20)
	if err != nil || len(got) != 1 {
		t.Fatalf("%d messages of the new job, %v", len(got), err)
	}
	s, err := jobs.Decode(got[0].Message(), jobs.Limits{})
	if err != nil || s.Job != "nightly-2" || s.ID != jobs.IdentityConflict+"-1" || s.Retry != 0 || s.Records[0].Text != "x" {
		t.Errorf("%+v, %v", s, err)
	}
	for _, bad := range []DeadOptions{{Keep: "letter"}, {Keep: KeepCommitted, AsNewJob: "x"}, {AsNewJob: "a.b"}, {AsNewJob: "text"}} {
		if err := DeadRetry(t.Context(), q, nil, bad); !errors.Is(err, ErrUsage) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// Several at once do together what one does: a letter that another one has put back is no failure.
func TestRetriesAtOnceAllSucceed(t *testing.T) {
	q := openQueue(t)
	const letters = 40
	buried(t, q, jobs.Schema, letters)
	var group sync.WaitGroup
	errs := make([]error, 4)
	for i := range errs {
		group.Go(func() {
			var out strings.Builder
			errs[i] = DeadRetry(context.WithoutCancel(t.Context()), q, nil, DeadOptions{Stdout: &out, Stderr: &out})
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if left := lettersLeft(t, q); len(left) != 0 {
		t.Errorf("%d letters are left", len(left))
	}
	if n := waiting(t, q, "nightly"); n != letters {
		t.Errorf("%d messages came of %d letters", n, letters)
	}
}

func TestStatusWarnsOfManyDeadLetters(t *testing.T) {
	q := openQueueWith(t, queue.StreamOptions{DeadMaxBytes: 16 << 10})
	var errs strings.Builder
	said := func() string {
		errs.Reset()
		var out strings.Builder
		if err := Status(t.Context(), q, StatusOptions{Stdout: &out, Stderr: &errs}); err != nil {
			t.Fatal(err)
		}
		return errs.String()
	}
	for n := 1; !strings.Contains(said(), "TEXTMILL_DEAD is nearly full"); n++ {
		if n == 100 {
			t.Fatalf("nobody is warned: %q", said())
		}
		buried(t, q, fmt.Sprint("class-", n), 1)
	}
	if n := len(lettersLeft(t, q)); n < 10 || !strings.Contains(said(), "textmill dead list") {
		t.Errorf("of %d letters: %q", n, said())
	}
}
