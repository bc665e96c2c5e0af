package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
)

// Every stream is asked for with as many replicas as the configuration says, those of files and batches too: a server that is
// alone refuses each for them.
func TestStreamsAskForReplicas(t *testing.T) {
	q, err := Connect(within(t), Options{URL: embeddedURL(t), Replicas: 3, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	made := map[string]func() error{"claims": func() error { return q.EnsureClaims(within(t)) }, "batches": func() error { return q.EnsureBatches(within(t)) },
		"files": func() error { return q.EnsureFiles(within(t), 0) }}
	for _, one := range wantedStreams(StreamOptions{}) {
		made[one.cfg.Name] = func() error { return q.ensureStream(within(t), one.cfg, 0, one.byDefault) }
	}
	for name, ensure := range made {
		api := (*jetstream.APIError)(nil)
		if err := ensure(); !errors.As(err, &api) || api.ErrorCode != 10074 { // replicas > 1 not supported in non-clustered mode
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEnsureStreams(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	if err := q.EnsureStreams(within(t), StreamOptions{MaxBytes: 5}); err != nil {
		t.Fatalf("streams that exist: %v", err)
	}
	config := func(name string) jetstream.StreamConfig {
		s, err := q.js.Stream(within(t), name)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().Config
	}
	j, d, e := config(JobStream), config(DeadStream), config(EventStream)
	if j.Retention != jetstream.WorkQueuePolicy || j.Discard != jetstream.DiscardNew || j.Storage != jetstream.FileStorage || j.MaxBytes != 1<<30 || j.MaxAge != 0 {
		t.Errorf("jobs: %+v", j)
	}
	if d.Retention != jetstream.LimitsPolicy || d.Discard != jetstream.DiscardNew || d.MaxBytes <= 0 || d.MaxAge != 0 {
		t.Errorf("dead: %+v", d)
	}
	if e.Retention != jetstream.LimitsPolicy || e.Discard != jetstream.DiscardOld || e.MaxBytes <= 0 || e.MaxAge != 30*24*time.Hour {
		t.Errorf("events: %+v", e)
	}
}

func TestStreamsWithOtherSettingsAreRefused(t *testing.T) {
	q, err := Connect(within(t), Options{URL: embeddedURL(t), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	_, err = q.js.CreateStream(within(t), jetstream.StreamConfig{Name: JobStream, Subjects: []string{"textmill.jobs.embed.>"}, MaxAge: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	err = q.EnsureStreams(within(t), StreamOptions{})
	if !errors.Is(err, ErrStreamDiffers) {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{JobStream, "retention is Limits and must be WorkQueue", "subjects", "max_age", "discard"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	s, err := q.js.Stream(within(t), JobStream)
	if err != nil || s.CachedInfo().Config.MaxAge != time.Hour {
		t.Errorf("it was changed: %+v, %v", s, err)
	}
}

func TestStreamsFitASmallServer(t *testing.T) {
	url := inProcess(t, &server.Options{JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 1 << 30})
	q, err := Connect(within(t), Options{URL: url, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := q.EnsureStreams(within(t), StreamOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{JobStream, DeadStream, EventStream} {
		s, err := q.js.Stream(within(t), name)
		if err != nil || s.CachedInfo().Config.MaxBytes < 64<<20 {
			t.Errorf("stream %s: %v, %v", name, s, err)
		}
	}
}

func TestServerWithoutJetStream(t *testing.T) {
	q, err := Connect(within(t), Options{URL: inProcess(t, &server.Options{}), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	err = q.EnsureStreams(within(t), StreamOptions{})
	if !errors.Is(err, ErrNoJetStream) || !strings.Contains(err.Error(), "-js") {
		t.Errorf("got %v", err)
	}
}

func TestSubjects(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	put(t, q, "textmill.jobs.embed.m", "1", "2")
	for _, s := range []string{"embed.m.b", "embed.m.a", "embed.mm", "embed.m.a.b", "generate.m", "rank.m"} {
		put(t, q, "textmill.jobs."+s, "x")
	}
	got, err := q.Subjects(within(t), "embed", "m")
	if err != nil {
		t.Fatal(err)
	}
	want := "[{textmill.jobs.embed.m embed m  2} {textmill.jobs.embed.m.a embed m a 1} {textmill.jobs.embed.m.a.b    1} {textmill.jobs.embed.m.b embed m b 1}]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	unserved, err := q.UnservedSubjects(within(t), func(task, model string) bool { return task == "embed" })
	if want := "[{textmill.jobs.embed.m.a.b    1} {textmill.jobs.generate.m generate m  1} {textmill.jobs.rank.m    1}]"; err != nil || fmt.Sprint(unserved) != want {
		t.Errorf("unserved %v, %v, want %s", unserved, err, want)
	}
}

func TestSubjectsBeyondOnePage(t *testing.T) {
	const n = 100_500 // a page of the server has 100,000
	url := inProcess(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
	q := dial(t, Options{URL: url})
	for i := range n {
		if err := q.nc.Publish(fmt.Sprintf("%s.j%d", subjectM, i), nil); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 999 { // a server that is busy drops what nobody waits for
			put(t, q, subjectM, "so far")
		}
	}
	put(t, q, subjectM, "last")
	got, err := q.Subjects(within(t), "embed", "m")
	if err != nil || len(got) != n+1 {
		t.Errorf("%d subjects, %v, want %d", len(got), err, n+1)
	}
}

func TestPurgeJob(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	put(t, q, subjectM+".a", "1", "2")
	put(t, q, "textmill.jobs.generate.n.a", "3")
	put(t, q, subjectM+".b", "4")
	put(t, q, subjectM, "5")
	if n, err := q.PurgeJob(within(t), "a", 0); err != nil || n != 3 {
		t.Errorf("purged %d, %v", n, err)
	}
	if n, err := q.PurgeJob(within(t), "a", 0); err != nil || n != 0 {
		t.Errorf("purged %d, %v", n, err)
	}
	if got, err := q.Subjects(within(t), "embed", "m"); err != nil || len(got) != 2 {
		t.Errorf("left %v, %v", got, err)
	}
	if _, err := q.PurgeJob(within(t), ">", 0); err == nil {
		t.Error("a wildcard was purged")
	}
}

func TestServing(t *testing.T) {
	url := embeddedURL(t)
	q := dial(t, Options{URL: url})
	if got, err := q.Serving(within(t), 10*time.Second); err != nil || len(got) != 0 {
		t.Fatalf("nobody serves %v, %v", got, err)
	}
	m, n := Served{"embed", "m", "1"}, Served{"generate", "n", "2"}
	for _, s := range [][]Served{{m, n}, {m}} {
		daemon := dial(t, Options{URL: url})
		stop, err := daemon.Announce(func() []Served { return s })
		if err != nil {
			t.Fatal(err)
		}
		if err := daemon.nc.FlushWithContext(within(t)); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}()
	}
	if got, err := q.Serving(within(t), 300*time.Millisecond); err != nil || fmt.Sprint(got) != fmt.Sprint([]Served{m, n}) {
		t.Errorf("got %v, %v", got, err)
	}
	gone, cancel := context.WithCancel(within(t))
	cancel()
	if got, err := q.Serving(gone, time.Second); err == nil {
		t.Errorf("a cancelled question gives %v", got)
	}
}
