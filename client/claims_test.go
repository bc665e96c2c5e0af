package client

import (
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/jobs"
	"textmill/jobs/embedded"
	"textmill/jobs/queue"
)

// A record beyond what a message carries is a shard of its own, up to limits.claim_bytes; a cancel leaves nothing of it.
func TestLargeRecordsAreClaims(t *testing.T) {
	server, err := embedded.Start(embedded.Options{Addr: "127.0.0.1:0", Dir: filepath.Join(t.TempDir(), "nats"), MaxPayload: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	q, err := queue.Connect(t.Context(), queue.Options{URL: server.URL(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	long := strings.Repeat("ten bytes ", 20_000)
	o, _, _ := options("-")
	o.Job, o.NoWait, o.Limits.ClaimBytes = "large", true, 300_000
	o.Stdin = strings.NewReader(`{"id":"a","text":"short"}
{"id":"b","text":"` + long + `"}
{"id":"c","text":"short"}
{"id":"d","text":"` + long + long + `"}
`)
	s, err, _ := done(t, q, o)
	if err != nil || s.Shards != 3 || s.Invalid != 1 {
		t.Fatalf("%+v, %v", s, err)
	}
	consumer, err := q.Consumer(t.Context(), "textmill.jobs.embed.m.large", "sha")
	if err != nil {
		t.Fatal(err)
	}
	all, err := consumer.Fetch(t.Context(), 9, 0)
	slices.SortFunc(all, func(a, b *queue.Delivery) int { // a claim's message is published later
		return strings.Compare(a.Message().Named().Shard, b.Message().Named().Shard)
	})
	if err != nil || len(all) != 3 || all[1].Claim == nil || all[0].Claim != nil || all[2].Claim != nil {
		t.Fatalf("%d messages, %v", len(all), err)
	}
	payload, err := all[1].Redeem(t.Context(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	shard, err := jobs.Decode(all[1].Whole(payload), jobs.Limits{})
	if err != nil || shard.ID != "1" || len(shard.Records) != 1 || shard.Records[0].Text != long {
		t.Errorf("%+v, %v", shard, err)
	}
	last, err := jobs.Decode(all[2].Message(), jobs.Limits{})
	if err != nil || len(last.Records) != 2 || last.Records[1].Err == nil || last.Records[1].Err.Class != jobs.TooLong || !strings.Contains(last.Records[1].Err.Message, "limits.claim_bytes") {
		t.Errorf("%+v, %v", last, err)
	}
	if _, err := Cancel(t.Context(), q, CancelOptions{Job: "large", Wait: 1, Stdout: io.Discard, Stderr: io.Discard}); err != nil {
		t.Fatal(err)
	}
	if _, err := all[1].Redeem(t.Context(), 1<<20); err == nil {
		t.Error("the claim is there after the cancel")
	}
}
