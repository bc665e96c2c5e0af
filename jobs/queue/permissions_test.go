package queue

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"textmill/jobs"
)

// shared is a server with the users of deploy/nats-permissions.conf.
func shared(t *testing.T) string {
	t.Helper()
	t.Setenv("TEXTMILL_NATS_PASSWORD", secret)
	t.Setenv("TEAM_A_NATS_PASSWORD", secret)
	o, err := server.ProcessConfigFile("../../deploy/nats-permissions.conf")
	if err != nil {
		t.Fatal(err)
	}
	o.JetStream, o.StoreDir = true, t.TempDir()
	return inProcess(t, o)
}

// The daemon's user may do all that a daemon does.
func TestPermissionsOfTheDaemon(t *testing.T) {
	q := dial(t, Options{URL: shared(t), User: "textmill", Password: secret, InboxPrefix: "_INBOX_textmill"})
	put(t, q, subjectM+".j", "one", "two")
	c := consumer(t, q, subjectM+".j")
	all := fetch(t, c, 2, 0)
	if len(all) != 2 {
		t.Fatalf("fetched %d", len(all))
	}
	bury(t, q, all[0], "k")
	publishEvents(t, q, committed("j", "1", 1))
	if err := errors.Join(all[1].InProgress(), all[1].Ack(within(t)), q.RestoreStreams(within(t), StreamOptions{})); err != nil {
		t.Error(err)
	}
	tr := track(t, q, TrackOptions{})
	until(t, tr, "j", func(s JobStatus) bool { return s.Rows == 1 })
	stop, err := q.Announce(func() []Served { return []Served{{Task: "embed", Model: "m"}} })
	if err != nil {
		t.Fatal(err)
	}
	if served, err := q.Serving(within(t), time.Second); err != nil || len(served) != 1 {
		t.Errorf("served: %v, %v", served, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n, err := q.PurgeJob(within(t), "j", 0); err != nil || n != 0 {
		t.Errorf("purged %d: %v", n, err)
	}
}

// A publisher's user may publish its own job, and read nothing of anybody's.
func TestPermissionsOfAPublisher(t *testing.T) {
	url := shared(t)
	daemon := dial(t, Options{URL: url, User: "textmill", Password: secret, InboxPrefix: "_INBOX_textmill"})
	put(t, daemon, subjectM+".theirs", "secret of others")
	publishEvents(t, daemon, committed("theirs", "1", 1))
	consumer(t, daemon, subjectM+".theirs")

	q := dial(t, Options{URL: url, User: "team_a", Password: secret, InboxPrefix: "_INBOX_team_a"})
	put(t, q, subjectM+".team_a", "mine")
	if err := errors.Join(q.PublishJob(within(t), JobMessage{Subject: subjectM + ".theirs"}), q.Flush(within(t))); !errors.Is(err, ErrRefused) {
		t.Errorf("publishing another's job: %v", err)
	}
	for _, subject := range []string{jobs.EventSubject("theirs"), "textmill.dead.embed.m.0", "$JS.ACK.TEXTMILL_JOBS.x.1.1.1.1.0"} {
		denied(t, q, func() error { return q.nc.Publish(subject, nil) }, "publish to "+subject)
	}
	for _, subject := range []string{"textmill.>", ">", "_INBOX.>", "_INBOX_textmill.>", "textmill.serving", "$JS.EVENT.>"} {
		denied(t, q, func() error {
			_, err := q.nc.SubscribeSync(subject)
			return err
		}, "subscribe to "+subject)
	}
	for api, body := range map[string]string{
		"$JS.API.STREAM.MSG.GET.TEXTMILL_JOBS":                                        `{"seq":1}`,
		"$JS.API.STREAM.MSG.GET.TEXTMILL_EVENTS":                                      `{"seq":1}`,
		"$JS.API.DIRECT.GET.TEXTMILL_JOBS":                                            `{"seq":1}`,
		"$JS.API.CONSUMER.CREATE.TEXTMILL_EVENTS":                                     `{"stream_name":"TEXTMILL_EVENTS","config":{}}`,
		"$JS.API.CONSUMER.MSG.NEXT.TEXTMILL_JOBS." + consumerName(subjectM+".theirs"): `{"batch":1}`,
		"$JS.API.STREAM.PURGE.TEXTMILL_JOBS":                                          ``,
		"$JS.API.STREAM.DELETE.TEXTMILL_JOBS":                                         ``,
	} {
		denied(t, q, func() error { return q.nc.PublishRequest(api, q.nc.NewInbox(), []byte(body)) }, api)
	}
	if got := fetch(t, consumer(t, daemon, subjectM+".theirs"), 1, 0); len(got) != 1 || string(got[0].Data) != "secret of others" {
		t.Error("what the others published is no longer theirs")
	}
}

// Who asks what is served says where the answer goes: never where only a daemon may publish.
func TestAnswersGoToInboxesAlone(t *testing.T) {
	url := shared(t)
	daemon := dial(t, Options{URL: url, User: "textmill", Password: secret, InboxPrefix: "_INBOX_textmill"})
	put(t, daemon, subjectM+".theirs", "theirs")
	asked := make(chan struct{}, 1)
	stop, err := daemon.Announce(func() []Served { asked <- struct{}{}; return []Served{{Task: "embed", Model: "m"}} })
	if err == nil {
		err = daemon.nc.FlushWithContext(within(t))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	q := dial(t, Options{URL: url, User: "team_a", Password: secret, InboxPrefix: "_INBOX_team_a"})
	for _, reply := range []string{subjectM + ".theirs", jobs.EventSubject("theirs"), "textmill.dead.embed.m.0", servingSubject,
		"textmill.claims.theirs.0", "textmill.files.theirs", "textmill.batches.theirs", "$JS.API.STREAM.PURGE.TEXTMILL_JOBS"} {
		if err := q.nc.PublishRequest(servingSubject, reply, nil); err != nil {
			t.Fatal(err)
		}
	}
	if served, err := q.Serving(within(t), time.Second); err != nil || len(served) != 1 {
		t.Errorf("served: %v, %v", served, err)
	}
	if err := daemon.nc.FlushWithContext(within(t)); err != nil {
		t.Fatal(err)
	}
	<-asked // of the inbox
	if len(asked) > 0 {
		t.Error("other questions are answered")
	}
	for stream, want := range map[string]uint64{JobStream: 1, EventStream: 0, DeadStream: 0} {
		s, err := daemon.js.Stream(within(t), stream)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.CachedInfo().State.Msgs; got != want {
			t.Errorf("%s holds %d messages, want %d", stream, got, want)
		}
	}
}

// denied checks that the server refuses what do asks of it.
func denied(t *testing.T, q *Queue, do func() error, what string) {
	t.Helper()
	before := q.denied.Load()
	if err := errors.Join(do(), q.nc.FlushWithContext(within(t))); err != nil && !errors.Is(err, nats.ErrPermissionViolation) {
		t.Errorf("%s: %v", what, err)
		return
	}
	ctx, cancel := context.WithTimeout(within(t), 5*time.Second)
	defer cancel()
	for q.denied.Load() == before {
		select {
		case <-ctx.Done():
			t.Errorf("%s is not denied", what)
			return
		case <-time.After(time.Millisecond): // the server's word comes beside the answer
		}
	}
}

// The daemon's user keeps files and batches; a publisher's reads, changes and removes none.
func TestPermissionsOfFiles(t *testing.T) {
	url := shared(t)
	daemon := dial(t, Options{URL: url, User: "textmill", Password: secret, InboxPrefix: "_INBOX_textmill"})
	if err := errors.Join(daemon.EnsureFiles(within(t), 0), daemon.EnsureBatches(within(t))); err != nil {
		t.Fatal(err)
	}
	c, err := daemon.PutContent(within(t), strings.NewReader("theirs"))
	if err != nil {
		t.Fatal(err)
	}
	record := Record{Kind: jobs.KindFile, ID: "f", Data: []byte("{}")}
	if _, err := daemon.PutRecord(within(t), record); err != nil {
		t.Fatal(err)
	}
	q := dial(t, Options{URL: url, User: "team_a", Password: secret, InboxPrefix: "_INBOX_team_a"})
	for _, subject := range []string{jobs.FileSubject(c.ID), jobs.BatchSubject(jobs.KindFile, "f"), jobs.BatchSubject(jobs.KindBatch, "new"),
		jobs.BatchSubject(jobs.KindTables, boundTables)} {
		denied(t, q, func() error { return q.nc.Publish(subject, nil) }, "publish to "+subject)
	}
	for _, stream := range []string{FileStream, BatchStream} {
		for _, api := range []string{"STREAM.MSG.GET.", "DIRECT.GET.", "CONSUMER.CREATE.", "STREAM.PURGE.", "STREAM.DELETE."} {
			denied(t, q, func() error { return q.nc.PublishRequest("$JS.API."+api+stream, q.nc.NewInbox(), []byte(`{"seq":1}`)) }, api+stream)
		}
	}
	got, err := io.ReadAll(daemon.Content(within(t), c))
	if string(got) != "theirs" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	n := 0
	err = daemon.Records(within(t), jobs.KindFile, func(r Record) error { n++; return nil })
	if err = errors.Join(err, daemon.DropContent(within(t), c), daemon.DropRecord(within(t), jobs.KindFile, "f")); n != 1 || err != nil {
		t.Errorf("%d records, %v", n, err)
	}
}
