package housekeeping

import (
	"log/slog"
	"slices"
	"testing"

	"textmill/daemon/metrics"
	"textmill/jobs"
	"textmill/jobs/embedded"
	"textmill/jobs/queue"
)

// A daemon that is too busy to answer in time, even itself, serves its models all the same.
func TestABusyDaemonServesItsModels(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	server, err := embedded.Start(embedded.Options{Addr: "127.0.0.1:0", Dir: t.TempDir(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	q, err := queue.Connect(t.Context(), queue.Options{URL: server.URL(), Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	streams := queue.StreamOptions{}
	if err := q.EnsureStreams(t.Context(), streams); err != nil {
		t.Fatal(err)
	}
	for _, model := range []string{"ours", "nobodys"} {
		m := queue.JobMessage{Subject: jobs.Subject{Task: "embed", Model: model, Job: "j"}.String(), Data: []byte("{}")}
		if err := q.PublishJob(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	k := New(Options{Queue: q, Streams: streams, Metrics: metrics.New("test"), Log: quiet,
		Served: func() []queue.Served { return []queue.Served{{Task: "embed", Model: "ours"}} }})
	if err := q.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.lookForUnserved(t.Context()) // nobody announces anything
	if got := k.Unserved(); !slices.Equal(got, []string{"textmill.jobs.embed.nobodys.j"}) {
		t.Errorf("unserved: %q", got)
	}
}
