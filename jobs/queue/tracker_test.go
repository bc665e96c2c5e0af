package queue

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"textmill/jobs"
)

func publishEvents(t *testing.T, q *Queue, events ...jobs.Event) {
	t.Helper()
	for _, e := range events {
		if err := q.PublishEvent(within(t), e); err != nil {
			t.Fatal(err)
		}
	}
}

func track(t *testing.T, q *Queue, o TrackOptions) *Tracker {
	t.Helper()
	tr, err := q.Track(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

// until waits for a job to be as ok wants it.
func until(t *testing.T, tr *Tracker, job string, ok func(JobStatus) bool) JobStatus {
	t.Helper()
	for ctx := within(t); ; {
		changed := tr.Changed()
		s, found := tr.Job(job)
		if found && ok(s) {
			return s
		}
		select {
		case <-ctx.Done():
			t.Fatalf("job %s stays %+v", job, s)
		case <-changed:
		}
	}
}

func TestTrackerCatchesUpAndFollows(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	if tr := track(t, q, TrackOptions{}); len(tr.Jobs()) != 0 {
		t.Errorf("no events give %v", tr.Jobs())
	}
	publishEvents(t, q, jobs.Event{Type: jobs.EventSubmitted, Job: "j", Time: time.Now()},
		jobs.Event{Type: jobs.EventSubmitted, Job: "j", Shards: 3, Time: time.Now()},
		committed("j", "0", 10), committed("other", "0", 1))
	if err := q.nc.Publish("textmill.events.j", []byte("no event")); err != nil {
		t.Fatal(err)
	}
	var heard atomic.Int32
	all := track(t, q, TrackOptions{})
	one := track(t, q, TrackOptions{Job: "j", OnEvent: func(jobs.Event) { heard.Add(1) }})
	if s, ok := all.Job("j"); !ok || s.Shards != 3 || s.ShardsDone != 1 || s.Rows != 10 || s.State != StateRunning {
		t.Errorf("caught up with %+v", s)
	}
	if len(one.Jobs()) != 1 || len(all.Jobs()) != 2 || all.Jobs()[0].Job != "other" {
		t.Errorf("one %v, all %v", one.Jobs(), all.Jobs())
	}
	publishEvents(t, q, committed("j", "1", 10))
	until(t, all, "j", func(s JobStatus) bool { return s.ShardsDone == 2 })
	if s := all.Settled(); len(s) != 0 {
		t.Errorf("settled too early: %v", s)
	}
	publishEvents(t, q, jobs.Event{Type: jobs.EventDead, Job: "j", Shard: "2", Time: time.Now()})
	until(t, one, "j", func(s JobStatus) bool { return s.State == StateFailed && s.Dead == 1 && s.Rows == 20 })
	until(t, all, "j", func(s JobStatus) bool { return s.State == StateFailed })
	if s := all.Settled(); len(s) != 1 || s[0].Job != "j" {
		t.Errorf("settled: %v", s)
	}
	publishEvents(t, q, jobs.Event{Type: jobs.EventDone, Job: "j", Shards: 3, Rows: 20, Time: time.Now()})
	for ctx := within(t); len(all.Settled()) > 0; {
		select {
		case <-ctx.Done():
			t.Fatal("done is not seen")
		case <-all.Changed():
		}
	}
	for one.Close(); heard.Load() < 5; {
		t.Fatalf("heard of %d events", heard.Load())
	}
}

func TestTrackerLearnsTheSizeFromMessages(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	tr := track(t, q, TrackOptions{})
	publishEvents(t, q, committed("j", "0", 1))
	until(t, tr, "j", func(s JobStatus) bool { return s.ShardsDone == 1 })
	tr.Expect("j", 1)
	if s := tr.Settled(); len(s) != 1 {
		t.Errorf("settled: %v", s)
	}
}

func TestTrackerReadsAStreamMadeAnew(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	for i := range 5 {
		publishEvents(t, q, committed("j", strconv.Itoa(i), 1))
	}
	tr := track(t, q, TrackOptions{})
	if err := q.js.DeleteStream(within(t), EventStream); err != nil {
		t.Fatal(err)
	}
	if err := q.EnsureStreams(within(t), StreamOptions{}); err != nil {
		t.Fatal(err)
	}
	publishEvents(t, q, committed("j", "5", 1))
	until(t, tr, "j", func(s JobStatus) bool { return s.ShardsDone == 6 && s.Rows == 6 })
}

func TestTrackerForgetsTheOldestDone(t *testing.T) {
	tr := &Tracker{jobs: map[string]*progress{}, changed: make(chan struct{})}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range mostJobs {
		p := tr.progress(strconv.Itoa(i))
		p.status.Updated = start.Add(time.Duration(i) * time.Second)
		if i != 0 {
			p.apply(jobs.Event{Type: jobs.EventDone, Job: strconv.Itoa(i), Shards: 1, Time: p.status.Updated})
		}
	}
	tr.Expect("one more", 1)
	if n := len(tr.jobs); n > mostJobs-mostJobs/20 {
		t.Errorf("%d jobs are kept", n)
	}
	if _, ok := tr.Job("0"); !ok {
		t.Error("a job that is not done is forgotten")
	}
	if _, ok := tr.Job("1"); ok {
		t.Error("the oldest done job is kept")
	}
}

// Whoever may publish events can publish anything; it fills no log.
func TestNoEventsAreToldOfOnceAMinute(t *testing.T) {
	var log bytes.Buffer
	url := embeddedURL(t)
	q := dial(t, Options{URL: url, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	tr, sent := track(t, q, TrackOptions{}), 0
	send := func(n int) {
		t.Helper()
		for range n {
			if err := q.nc.Publish("textmill.events.j", []byte("no event")); err != nil {
				t.Fatal(err)
			}
			if err := q.nc.Publish("textmill.events.text", []byte(`{"type":"cancelled","job":"text","time":"2026-01-02T03:04:05Z"}`)); err != nil {
				t.Fatal(err)
			}
		}
		sent++
		publishEvents(t, q, committed("j", strconv.Itoa(sent), 1))
		until(t, tr, "j", func(s JobStatus) bool { return s.ShardsDone == sent })
	}
	send(300)
	for _, s := range []*seldom{&tr.noEvents, &tr.refused} {
		s.mu.Lock()
		s.told = s.told.Add(-time.Minute)
		s.mu.Unlock()
	}
	send(300)
	tr.Close()
	for _, what := range []string{"is not an event", "a request to cancel is refused"} {
		lines := 0
		for line := range strings.SplitSeq(log.String(), "\n") {
			if strings.Contains(line, what) {
				lines++
			}
		}
		if lines != 2 {
			t.Errorf("%d lines say %q", lines, what)
		}
	}
	if !strings.Contains(log.String(), "messages=300") || !strings.Contains(log.String(), "requests=300") {
		t.Errorf("the log tells no number: %s", &log)
	}
}
