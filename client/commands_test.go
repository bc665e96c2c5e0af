package client

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

var modified = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// submitted publishes a job of n records without waiting for it.
func submitted(t *testing.T, q *queue.Queue, job string, n int) {
	t.Helper()
	o, _, _ := options(writeFile(t, n))
	o.Job, o.NoWait = job, true
	if _, err := Submit(t.Context(), q, o); err != nil {
		t.Fatal(err)
	}
}

func TestStatus(t *testing.T) {
	q := openQueue(t)
	submitted(t, q, "first", 1200)
	w := newWorker(t, q, "first")
	w.settle(t.Context(), 2)
	msg := queue.JobMessage{Subject: "textmill.jobs.embed.m.foreign", Data: []byte(`{"records":[]}`)}
	if err := errors.Join(q.PublishJob(t.Context(), msg), q.Flush(t.Context())); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	if err := Status(t.Context(), q, StatusOptions{JSON: true, Stdout: &out, Stderr: &errs}); err != nil {
		t.Fatal(err)
	}
	keys := []string{"dataset", "dead", "errors", "eta_s", "job", "model", "n_dropped", "rows", "shards", "shards_done", "state", "task", "truncated"}
	got := map[string]map[string]any{}
	for line := range strings.Lines(out.String()) {
		var s map[string]any
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		if k := slices.Sorted(maps.Keys(s)); !slices.Equal(k, keys) {
			t.Errorf("keys %q", k)
		}
		got[s["job"].(string)] = s
	}
	if s := got["first"]; s["state"] != "running" || s["shards"] != 3.0 || s["shards_done"] != 2.0 || s["rows"] != float64(len(w.records)) {
		t.Errorf("first: %v", s)
	}
	if s := got["foreign"]; s["state"] != "queued" {
		t.Errorf("foreign: %v", s)
	}
	if !strings.Contains(errs.String(), "nobody serves textmill.jobs.embed.m.foreign, where 1 messages wait") {
		t.Errorf("stderr %q", errs.String())
	}
	out.Reset()
	if err := Status(t.Context(), q, StatusOptions{Job: "first", Stdout: &out, Stderr: &errs}); err != nil || !strings.Contains(out.String(), "2/3") {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := Status(t.Context(), q, StatusOptions{Job: "none", Stdout: &out, Stderr: &errs}); !errors.Is(err, ErrUnknownJob) {
		t.Errorf("an unknown job: %v", err)
	}
}

func TestWatchEndsWithTheJob(t *testing.T) {
	q := openQueue(t)
	submitted(t, q, "seen", 600)
	go newWorker(t, q, "seen").settle(t.Context(), 2)
	tracker, err := q.Track(t.Context(), queue.TrackOptions{Job: "seen"})
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	var ended sync.WaitGroup
	ended.Go(func() { // as a daemon says it
		for s, _ := tracker.Job("seen"); s.State != queue.StateDone; s, _ = tracker.Job("seen") {
			<-tracker.Changed()
		}
		if err := q.PublishEvent(t.Context(), jobs.Event{Type: jobs.EventDone, Job: "seen", Shards: 2, Rows: 600, Time: time.Now()}); err != nil {
			t.Error(err)
		}
	})
	var out, errs strings.Builder
	if err := Watch(t.Context(), q, WatchOptions{Job: "seen", JSON: true, Stdout: &out, Stderr: &errs}); err != nil {
		t.Error(err)
	}
	ended.Wait()
	var types []string
	for line := range strings.Lines(out.String()) {
		e, err := jobs.ParseEvent([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		types = append(types, e.Type)
	}
	if want := []string{"submitted", "submitted", "committed", "committed", "done"}; !slices.Equal(types, want) {
		t.Errorf("events %q", types)
	}
	out.Reset()
	if err := Watch(t.Context(), q, WatchOptions{Job: "seen", Stdout: &out, Stderr: &errs}); err != nil || !strings.Contains(out.String(), "done: 2 shards, 600 rows") {
		t.Errorf("%q, %v", out.String(), err)
	}
	if err := Watch(t.Context(), q, WatchOptions{Job: "none", Stdout: &out, Stderr: &errs}); !errors.Is(err, ErrUnknownJob) {
		t.Errorf("an unknown job: %v", err)
	}
}

func TestCancelAsksAndPurges(t *testing.T) {
	q := openQueue(t)
	submitted(t, q, "gone", 1200)
	newWorker(t, q, "gone").settle(t.Context(), 1)
	daemon, err := q.Track(t.Context(), queue.TrackOptions{OnEvent: func(e jobs.Event) {
		if e.Type == jobs.EventCancelled && e.Table == "" {
			confirmed := jobs.Event{Type: e.Type, Job: e.Job, Table: "/tables/d", Version: 7, Time: time.Now()}
			if err := q.PublishEvent(context.WithoutCancel(t.Context()), confirmed); err != nil {
				t.Error(err)
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	var out, errs strings.Builder
	c, err := Cancel(t.Context(), q, CancelOptions{Job: "gone", Stdout: &out, Stderr: &errs})
	if err != nil || c.Purged != 2 || !slices.Equal(c.Tables, []string{"/tables/d"}) || waiting(t, q, "gone") != 0 {
		t.Errorf("%+v, %v, %q", c, err, errs.String())
	}
	if out.String() != "cancelled gone: 2 waiting messages removed\n" {
		t.Errorf("stdout %q", out.String())
	}
	o, _, _ := options(writeFile(t, 1))
	o.Job = "gone"
	if _, err := Submit(t.Context(), q, o); !errors.Is(err, ErrCancelled) {
		t.Errorf("submitted again: %v", err)
	}
	if err := Watch(t.Context(), q, WatchOptions{Job: "gone", Stdout: &out, Stderr: &errs}); !errors.Is(err, ErrCancelled) {
		t.Errorf("watched: %v", err)
	}
	if _, err := Cancel(t.Context(), q, CancelOptions{Job: "none", Stdout: &out, Stderr: &errs}); !errors.Is(err, ErrUnknownJob) {
		t.Errorf("an unknown job: %v", err)
	}
}

// A job of texts goes on after it was cancelled, and can be cancelled again at once; what confirmed the first time confirms nothing then.
func TestACancelAfterAnotherIsOneOfItsOwn(t *testing.T) {
	q := openQueue(t)
	requests := make(chan jobs.Event, 10)
	daemon, err := q.Track(t.Context(), queue.TrackOptions{OnEvent: func(e jobs.Event) {
		if e.Type == jobs.EventCancelled && e.Table == "" {
			requests <- e
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer daemon.Close()
	confirm := func() {
		e := <-requests
		if err := q.PublishEvent(t.Context(), jobs.Event{Type: e.Type, Job: e.Job, Table: "/tables/d", Version: 7, Time: time.Now()}); err != nil {
			t.Error(err)
		}
	}
	cancel := func(wait time.Duration) Cancellation {
		t.Helper()
		m := queue.JobMessage{Subject: "textmill.jobs.embed.m.notes", Header: jobs.Header{"Content-Type": {"text/plain"}}, Data: []byte("a note")}
		if err := errors.Join(q.PublishJob(t.Context(), m), q.Flush(t.Context())); err != nil {
			t.Fatal(err)
		}
		var out, errs strings.Builder
		c, err := Cancel(t.Context(), q, CancelOptions{Job: "notes", Wait: wait, Stdout: &out, Stderr: &errs})
		if err != nil || c.Purged != 1 || strings.Contains(errs.String(), "no daemon has confirmed") != (len(c.Tables) == 0) {
			t.Errorf("%+v, %v, %q", c, err, errs.String())
		}
		return c
	}
	for range 2 {
		var confirming sync.WaitGroup
		confirming.Go(confirm)
		if c := cancel(time.Minute); !slices.Equal(c.Tables, []string{"/tables/d"}) {
			t.Errorf("%+v", c)
		}
		confirming.Wait()
	}
	if c := cancel(time.Millisecond); len(c.Tables) != 0 {
		t.Errorf("nobody confirmed, but %+v", c)
	}
}

func TestCancelOfASharedSubjectSaysWhatItCanDo(t *testing.T) {
	q := openQueue(t)
	var out, errs strings.Builder
	err := q.PublishJob(t.Context(), queue.JobMessage{Subject: "textmill.jobs.embed.m", Data: []byte(`{"job":"in","shard":0,"records":[{"text":"a"}]}`)})
	if err == nil {
		err = q.Flush(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := Cancel(t.Context(), q, CancelOptions{Job: "in", Wait: time.Millisecond, Stdout: &out, Stderr: &errs})
	if err != nil || c.Shared != 1 || c.Purged != 0 || !strings.Contains(errs.String(), "1 messages wait on subjects that name no job") {
		t.Errorf("%+v, %v, stderr %q", c, err, errs.String())
	}
	for _, job := range []string{"text", "default"} {
		if _, err := Cancel(t.Context(), q, CancelOptions{Job: job, Stdout: &out, Stderr: &errs}); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), "Textmill-Job") {
			t.Errorf("cancel %s: %v", job, err)
		}
	}
}

func TestCancelWithoutADaemonSaysSo(t *testing.T) {
	q := openQueue(t)
	submitted(t, q, "lonely", 1)
	var out, errs strings.Builder
	c, err := Cancel(t.Context(), q, CancelOptions{Job: "lonely", Wait: time.Millisecond, JSON: true, Stdout: &out, Stderr: &errs})
	if err != nil || c.Purged != 1 || !strings.Contains(errs.String(), "no daemon has confirmed") {
		t.Errorf("%+v, %v, %q", c, err, errs.String())
	}
	if out.String() != `{"job":"lonely","purged":1,"tables":[]}`+"\n" {
		t.Errorf("stdout %q", out.String())
	}
	submitted(t, q, "over", 1)
	newWorker(t, q, "over").settle(t.Context(), 1)
	if _, err := Cancel(t.Context(), q, CancelOptions{Job: "over", Stdout: &out, Stderr: &errs}); !errors.Is(err, ErrDone) {
		t.Errorf("a job that is done: %v", err)
	}
}

func TestDeadLetters(t *testing.T) {
	q := openQueue(t)
	submitted(t, q, "bad", 1)
	w := newWorker(t, q, "bad")
	w.dead["0"] = true
	w.settle(t.Context(), 1)
	var out, errs strings.Builder
	o := DeadOptions{JSON: true, Stdout: &out, Stderr: &errs}
	if err := DeadList(t.Context(), q, o); err != nil {
		t.Fatal(err)
	}
	var l deadLetter
	if err := json.Unmarshal([]byte(out.String()), &l); err != nil {
		t.Fatal(err, out.String())
	}
	if l.Class != jobs.Schema || l.Reason != "as the test wants it" || l.Job != "bad" || l.Attempts != 1 || l.ModelSHA256 != "sha" || l.Payload != nil {
		t.Errorf("listed %+v", l)
	}
	out.Reset()
	if err := DeadShow(t.Context(), q, l.ID, o); err != nil {
		t.Fatal(err)
	}
	var shown deadLetter
	if err := json.Unmarshal([]byte(out.String()), &shown); err != nil || shown.Payload == nil || !strings.Contains(*shown.Payload, `"id":"r0"`) {
		t.Errorf("shown %q, %v", out.String(), err)
	}
	o.JSON, o.Job = false, "another"
	out.Reset()
	if err := DeadList(t.Context(), q, o); err != nil || out.Len() > 0 || !strings.Contains(errs.String(), "no dead letters") {
		t.Errorf("of another job: %q %q, %v", out.String(), errs.String(), err)
	}
	o.Job = "bad"
	if err := DeadList(t.Context(), q, o); err != nil || !strings.Contains(out.String(), l.ID) {
		t.Errorf("listed %q, %v", out.String(), err)
	}
	out.Reset()
	if err := DeadShow(t.Context(), q, l.ID, o); err != nil || !strings.Contains(out.String(), `"id":"r0"`) {
		t.Errorf("shown %q, %v", out.String(), err)
	}
	out.Reset()
	if err := DeadRetry(t.Context(), q, nil, o); err != nil || out.String() != l.ID+" retry 1 on textmill.jobs.embed.m.bad\n" {
		t.Errorf("retried %q, %v", out.String(), err)
	}
	w.settle(t.Context(), 1)
	if w.seen["0/r1"] != 1 {
		t.Errorf("came %v", w.seen)
	}
	if err := DeadRetry(t.Context(), q, []string{l.ID}, o); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("retried twice: %v", err)
	}
	if err := DeadShow(t.Context(), q, "nonsense", o); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("an unknown id: %v", err)
	}
}
