package daemon

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"textmill/config"
	"textmill/jobs"
	"textmill/jobs/embedded"
	"textmill/jobs/queue"
)

// beforehand runs a server that outlives daemons, and gives a queue to publish to before one starts.
func beforehand(t *testing.T, cfg *config.Config) *running {
	t.Helper()
	serve(t, cfg, embedded.Options{})
	return connect(t, *cfg, queue.StreamOptions{})
}

// serve has a daemon use a server of the test's own.
func serve(t *testing.T, cfg *config.Config, o embedded.Options) {
	t.Helper()
	o.Addr, o.Dir, o.Logger = "127.0.0.1:0", t.TempDir(), slog.New(slog.DiscardHandler)
	server, err := embedded.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	cfg.NATS.URL = server.URL()
}

// connect makes the streams before a daemon does.
func connect(t *testing.T, cfg config.Config, o queue.StreamOptions) *running {
	t.Helper()
	q, err := queue.Connect(t.Context(), queue.Options{URL: cfg.NATS.URL, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		t.Cleanup(q.Close)
		err = q.EnsureStreams(t.Context(), o)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &running{t: t, queue: q}
}

func (r *running) cancel(job string, at time.Time) {
	r.t.Helper()
	if err := r.queue.PublishEvent(r.t.Context(), jobs.Event{Type: jobs.EventCancelled, Job: job, Time: at}); err != nil {
		r.t.Fatal(err)
	}
}

// metric is the value of one of the daemon's metrics, as /metrics names it with its labels.
func (r *running) metric(name string) string {
	r.t.Helper()
	_, line, _ := strings.Cut(r.get("/metrics"), "\n"+name+" ")
	value, _, _ := strings.Cut(line, "\n")
	return value
}

func text(job string) jobs.Header {
	return jobs.Header{"Content-Type": {"text/plain"}, "Textmill-Dataset": {"notes"}, "Textmill-Job": {job}}
}

// A cancel whose author's clock is a day ahead ends what the server had before it, and nothing that comes later.
func TestACancelEndsWhatWasPublishedBeforeIt(t *testing.T) {
	cfg := testConfig(t)
	before := beforehand(t, &cfg)
	ahead := time.Now().Add(24 * time.Hour)
	for _, word := range []string{"one", "two", "three"} {
		before.publish(embedSubject+".notes", text("notes"), word)
	}
	before.cancel("notes", ahead)
	before.publish(embedSubject+".notes", text("notes"), "later")
	r := start(t, cfg)
	if e := r.await(jobs.EventDropped); e.Messages != 3 || e.Job != "notes" {
		t.Errorf("%+v, want 3 messages of notes", e)
	}
	if e := r.await(jobs.EventCommitted); e.Job != "notes" || e.Rows != 1 {
		t.Errorf("%+v", e)
	}
	if got := r.metric("textmill_cancelled_messages_total"); got != "3" {
		t.Errorf("the metric says %q, want 3", got)
	}
	r.publish(embedSubject+".notes", text("notes"), "still later")
	r.await(jobs.EventCommitted)
	tracker, err := r.queue.Track(t.Context(), queue.TrackOptions{Job: "notes"})
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	if status, _ := tracker.Job("notes"); status.State != queue.StateOpen || status.Rows != 2 || status.Dropped != 3 {
		t.Errorf("the job is %+v", status)
	}
	var texts []any
	for _, row := range readTable(t, cfg, "notes") {
		texts = append(texts, row["text"])
	}
	if len(texts) != 2 || texts[0] == "one" {
		t.Errorf("the table has %v", texts)
	}
}

// What names no job belongs to everybody.
func TestSharedJobsAreNotCancelled(t *testing.T) {
	cfg := testConfig(t)
	before := beforehand(t, &cfg)
	for _, job := range []string{jobs.DefaultTextJob, jobs.DefaultJob} {
		before.cancel(job, time.Now().Add(time.Hour))
	}
	r := start(t, cfg)
	r.publish(embedSubject, jobs.Header{"Content-Type": {"text/plain"}}, "somebody's")
	if e := r.await(jobs.EventCommitted); e.Job != "text" {
		t.Errorf("%+v", e)
	}
	r.publish(embedSubject, nil, `{"records":[{"text":"somebody's"}]}`)
	if e := r.await(jobs.EventCommitted); e.Job != "default" {
		t.Errorf("%+v", e)
	}
	if status, _ := r.daemon.events.Tracker().Job("text"); status.State == queue.StateCancelled {
		t.Error("the job of all texts is cancelled")
	}
}

// A job that shares its subject with others is cancelled too, though no table has heard of it.
func TestAJobOnASharedSubjectIsCancelled(t *testing.T) {
	cfg := testConfig(t)
	before := beforehand(t, &cfg)
	before.publish(embedSubject, nil, `{"job":"gone","shard":0,"shards":2,"dataset":"fresh","records":[{"text":"a"}]}`)
	before.publish(embedSubject, nil, `{"job":"stays","shard":0,"dataset":"fresh","records":[{"text":"b"}]}`)
	before.publish(embedSubject, nil, `{"job":"gone","shard":1,"shards":2,"dataset":"fresh","records":[{"text":"c"}]}`)
	before.cancel("gone", time.Now())
	r := start(t, cfg)
	for range 2 {
		if e := r.await(jobs.EventDropped); e.Job != "gone" || e.Shard == "" || len(e.PayloadSHA256) != 64 {
			t.Errorf("%+v", e)
		}
	}
	r.drain()
	if rows := readTable(t, cfg, "fresh"); len(rows) != 1 || rows[0]["job"] != "stays" {
		t.Errorf("rows are %v", rows)
	}
	if got := r.daemon.events.Tracker(); got != nil {
		if status, _ := got.Job("gone"); status.Dropped != 2 {
			t.Errorf("status counts %d dropped messages, want 2", status.Dropped)
		}
	}
}

// A message that cannot be decoded speaks to the job that its JSON names, whatever its subject.
func TestADeadMessageSpeaksToItsJob(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	r.publish(embedSubject, nil, `{"job":"mine","shard":4,"shards":9,"dataset":"d","records":[{"text":"a"}`)
	if e := r.await(jobs.EventDead); e.Job != "mine" || e.Shard != "4" || e.Dataset != "d" || e.Class != jobs.InvalidJob {
		t.Errorf("%+v", e)
	}
	r.publish(embedSubject, nil, `{"job":"mine","shard":5,"dataset":"d","records":[{"text":"a"}]}`)
	if e := r.await(jobs.EventCommitted); e.Job != "mine" || e.Shard != "5" {
		t.Errorf("%+v", e)
	}
}
