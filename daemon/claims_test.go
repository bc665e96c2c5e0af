package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"textmill/config"
	"textmill/daemon/inflight"
	"textmill/jobs"
	"textmill/jobs/embedded"
	"textmill/jobs/queue"
)

// narrow has a daemon use a server that carries 64 KiB a message.
func narrow(t *testing.T, cfg *config.Config) {
	t.Helper()
	serve(t, cfg, embedded.Options{MaxPayload: 64 << 10})
}

// noChunks waits until every claim is purged, which comes after the ack.
func (r *running) noChunks() {
	r.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		chunks, _, err := r.queue.Claims(r.t.Context())
		if err == nil && chunks == 0 {
			return
		}
		if err != nil || time.Now().After(deadline) {
			r.t.Fatalf("%d chunks stay, %v", chunks, err)
		}
	}
}

func longText(words int) string { return strings.Repeat("many words of a text ", words/5) }

const claimSubject = embedSubject + ".large"

func TestClaimBecomesRows(t *testing.T) {
	cfg := testConfig(t)
	narrow(t, &cfg)
	r := start(t, cfg)
	payload := fmt.Sprintf(`{"job":"large","shard":0,"shards":2,"dataset":"docs","params":{"normalize":true},"records":[{"id":"a","text":"%s"},{"id":"b","text":"short"}]}`,
		longText(40_000))
	r.publish(claimSubject, nil, payload)
	first := r.await(jobs.EventCommitted)
	if first.Rows != 2 || first.Job != "large" || first.Shard != "0" || first.Shards != 2 || first.Truncated != 1 {
		t.Errorf("%+v", first)
	}
	r.noChunks()

	// Again, it is the same shard, and its payload is not read for that.
	r.publish(claimSubject, nil, payload)
	r.noChunks()
	if n := r.metric(`textmill_deliveries_total{verdict="skipped"}`); n != "1" {
		t.Errorf("skipped: %s", n)
	}

	// Another payload under its name is a conflict, and its letter holds all of it.
	r.publish(claimSubject, nil, strings.Replace(payload, "many", "more", 1))
	if e := r.await(jobs.EventDead); e.Class != jobs.IdentityConflict {
		t.Errorf("%+v", e)
	}
	r.noChunks()
	ids := r.letters(1)
	if e, err := r.queue.GetDead(t.Context(), ids[0]); err != nil || string(e.Payload) != strings.Replace(payload, "many", "more", 1) {
		t.Errorf("%d bytes, %v", len(e.Payload), err)
	}
	if _, err := r.queue.RepublishDead(t.Context(), ids[0], "anew"); err != nil {
		t.Fatal(err)
	}
	if e := r.await(jobs.EventCommitted); e.Job != "anew" || e.Rows != 2 {
		t.Errorf("%+v", e)
	}
	r.noChunks()
	rows := readTable(t, cfg, "docs")
	if len(rows) != 4 || rows[0]["text"] != strings.Replace(longText(40_000), "many", "more", 1) && rows[0]["text"] != longText(40_000) {
		t.Errorf("%d rows", len(rows))
	}
}

// A text of its own, large too, and a claim that an outsider leaves by hand.
func TestPlainTextIsAClaim(t *testing.T) {
	cfg := testConfig(t)
	narrow(t, &cfg)
	r := start(t, cfg)
	h := jobs.Header{"Content-Type": {"text/plain"}, "Textmill-Dataset": {"notes"}}
	r.publish(claimSubject, h, longText(20_000))
	if e := r.await(jobs.EventCommitted); e.Rows != 1 || e.Dataset != "notes" || e.Truncated != 1 {
		t.Errorf("%+v", e)
	}
	r.noChunks()
}

// A claim that is lost is a dead letter that says so, after it was looked for again, and no verdict on the shard: published again, it is
// committed, and the letter's retry finds it done.
func TestLostClaims(t *testing.T) {
	cfg := testConfig(t)
	narrow(t, &cfg)
	before := connect(t, cfg, queue.StreamOptions{})
	payload := fmt.Sprintf(`{"job":"large","shard":0,"shards":1,"dataset":"docs","records":[{"id":"a","text":"%s"}]}`, longText(20_000))
	before.publish(claimSubject, nil, payload)
	if err := before.queue.PurgeClaims(t.Context(), "large", 1); err != nil {
		t.Fatal(err)
	}
	r := start(t, cfg)
	e := r.await(jobs.EventDead)
	if e.Class != jobs.ClaimMissing || e.Job != "large" || e.Shard != "0" || !strings.Contains(e.Reason, "publish the shard again") {
		t.Errorf("%+v", e)
	}
	r.publish(claimSubject, nil, payload)
	if again := r.await(jobs.EventCommitted); again.PayloadSHA256 != e.PayloadSHA256 || again.Rows != 1 {
		t.Errorf("%+v", again)
	}
	ids := r.letters(1)
	if _, err := r.queue.RetryDead(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	if again := r.await(jobs.EventCommitted); again.Shard != "0/r1" {
		t.Errorf("%+v", again)
	}
	if rows := readTable(t, cfg, "docs"); len(rows) != 1 {
		t.Errorf("%d rows", len(rows))
	}
}

// What all claims together hold in memory is bounded: the next one waits until the records of one before it are fed.
func TestClaimsAreReadOneAfterTheOther(t *testing.T) {
	cfg := testConfig(t)
	narrow(t, &cfg)
	r := connect(t, cfg, queue.StreamOptions{})
	for i := range 2 {
		r.publish(claimSubject, nil, fmt.Sprintf(`{"job":"large","shard":%d,"dataset":"docs","records":[{"id":"a","text":"%s"}]}`, i, longText(20_000)))
	}
	consumer, err := r.queue.Consumer(t.Context(), claimSubject, "sha")
	if err != nil {
		t.Fatal(err)
	}
	all, err := consumer.Fetch(t.Context(), 2, 0)
	if err != nil || len(all) != 2 {
		t.Fatal(len(all), err)
	}
	limits := jobs.Limits{ClaimBytes: 120_000}
	c := newClaims(limits, 0)
	var messages []*message
	for _, d := range all {
		delivery, shard, err := inflight.Decode(d, limits, "sha")
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, &message{Delivery: delivery, shard: shard})
	}
	done, err := c.redeem(t.Context(), messages[0], nil)
	if err != nil || len(messages[0].shard.Records) != 1 {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		release, err := c.redeem(t.Context(), messages[1], nil)
		release()
		second <- err
	}()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.redeem(ended, messages[1], nil); !errors.Is(err, context.Canceled) {
		t.Errorf("with no room: %v", err)
	}
	select {
	case err := <-second:
		t.Errorf("the second was read beside the first: %v", err)
	default:
	}
	done()
	if err := <-second; err != nil || len(messages[1].shard.Records) != 1 {
		t.Error(err)
	}
}
