package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"textmill/jobs"
	"textmill/jobs/embedded"
)

const subjectJ = subjectM + ".j"

// narrow is a server that carries 64 KiB a message.
func narrow(t *testing.T) string {
	t.Helper()
	s, err := embedded.Start(embedded.Options{Addr: "127.0.0.1:0", Dir: t.TempDir(), MaxPayload: 64 << 10, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s.URL()
}

// large is a job message of about so many bytes.
func large(shard, size int) []byte {
	return fmt.Appendf(nil, `{"job":"j","shard":%d,"dataset":"docs","records":[{"id":"a","text":"%s"}]}`, shard, strings.Repeat("0123456789 ", size/11))
}

func publishLarge(t *testing.T, q *Queue, data []byte) {
	t.Helper()
	m := JobMessage{Subject: subjectJ, MsgID: "m1", Header: jobs.Header{"X-Mine": {"kept"}}, Data: data}
	if err := errors.Join(q.PublishJob(within(t), m), q.Flush(within(t))); err != nil {
		t.Fatal(err)
	}
}

// chunksLeft is how many chunks the stream of claims holds.
func chunksLeft(t *testing.T, q *Queue) uint64 {
	t.Helper()
	chunks, _, err := q.Claims(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return chunks
}

func class(err error) string {
	var i *jobs.Invalid
	if errors.As(err, &i) {
		return i.Class
	}
	return fmt.Sprint(err)
}

func TestLargeMessageTravelsAsAClaim(t *testing.T) {
	q := dial(t, Options{URL: narrow(t)})
	c := consumer(t, q, subjectJ)
	data := large(3, 500<<10)
	publishLarge(t, q, data)
	d := fetchSoon(t, c)
	if d.Claim == nil || d.Claim.Chunks != 8 || d.Size != len(data) || string(d.Data) != `{"job":"j","shard":3,"dataset":"docs"}` || d.Header.Get("X-Mine") != "kept" {
		t.Fatalf("%+v, %q", d, d.Data)
	}
	got, err := d.Redeem(within(t), 1<<20)
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	if whole := d.Whole(got); whole.Header.Get(jobs.HeaderClaim) != "" || whole.Header.Get("X-Mine") != "kept" {
		t.Errorf("%+v", whole.Header)
	}
	if _, err := d.Redeem(within(t), 1000); class(err) != jobs.InvalidJob || !strings.Contains(err.Error(), "limits.claim_bytes") {
		t.Errorf("with a small limit: %v", err)
	}
	if err := errors.Join(d.Ack(within(t)), d.EndClaim(within(t))); err != nil || chunksLeft(t, q) != 0 {
		t.Errorf("%d chunks stay, %v", chunksLeft(t, q), err)
	}
	// Another daemon that slept through all of that does not take it for a loss.
	if _, err := d.Redeem(within(t), 1<<20); !errors.Is(err, ErrNotFound) {
		t.Errorf("after the end: %v", err)
	}
}

func TestClaimsThatCannotBeRedeemed(t *testing.T) {
	q := dial(t, Options{URL: narrow(t)})
	c := consumer(t, q, subjectJ)
	leave := func(change func(*jobs.Claim)) *Delivery {
		t.Helper()
		claim, err := q.leave(within(t), "j", large(1, 150<<10), failWhenFull)
		if err != nil {
			t.Fatal(err)
		}
		change(claim)
		h := jobs.Header{}
		claim.Set(h)
		if err := errors.Join(q.PublishJob(within(t), JobMessage{Subject: subjectJ, Header: h}), q.Flush(within(t))); err != nil {
			t.Fatal(err)
		}
		return fetchSoon(t, c)
	}
	for _, bad := range []struct {
		change func(*jobs.Claim)
		class  string
		says   string
	}{
		{func(c *jobs.Claim) { c.Chunks++ }, jobs.ClaimMissing, "3 of the 4 chunks"},
		{func(c *jobs.Claim) { c.ID = "none" }, jobs.ClaimMissing, "0 of the 3 chunks of claim none"},
		{func(c *jobs.Claim) { c.SHA256 = strings.Repeat("0", 64) }, jobs.ClaimDamaged, "SHA-256"},
		{func(c *jobs.Claim) { c.Size-- }, jobs.ClaimDamaged, "bytes"},
		{func(c *jobs.Claim) { c.Size = 100 }, jobs.ClaimDamaged, "bytes"},
		{func(c *jobs.Claim) { c.Chunks-- }, jobs.ClaimDamaged, "bytes"},
	} {
		d := leave(bad.change)
		if _, err := d.Redeem(within(t), 1<<20); class(err) != bad.class || !strings.Contains(err.Error(), bad.says) {
			t.Errorf("%+v: %v", d.Claim, err)
		}
	}
	d := leave(func(*jobs.Claim) {})
	s, err := q.js.Stream(within(t), ClaimStream)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(within(t), s.CachedInfo().State.LastSeq-2); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Redeem(within(t), 1<<20); class(err) != jobs.ClaimMissing || !strings.Contains(err.Error(), "2 of the 3") {
		t.Errorf("a chunk was removed: %v", err)
	}
	if err := q.js.DeleteStream(within(t), ClaimStream); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Redeem(within(t), 1<<20); class(err) != jobs.ClaimMissing {
		t.Errorf("the stream was removed: %v", err)
	}
}

// A dead letter of a claim holds the payload, whatever becomes of the claim; a retry leaves it as a claim again.
func TestDeadLetterOfAClaim(t *testing.T) {
	q := dial(t, Options{URL: narrow(t)})
	c := consumer(t, q, subjectJ)
	data := large(1, 300<<10)
	publishLarge(t, q, data)
	d := fetchSoon(t, c)
	payload, err := d.Redeem(within(t), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	l := DeadLetter{Delivery: d, Payload: payload, Key: "key", Class: jobs.Schema, Reason: "r"}
	for range 2 {
		if err := q.PublishDead(within(t), l); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(d.Term(within(t), ""), d.EndClaim(within(t))); err != nil {
		t.Fatal(err)
	}
	list := deadLetters(t, q)
	if len(list) != 1 || list[0].Size != len(data) {
		t.Fatalf("%+v", list)
	}
	e, err := q.GetDead(within(t), list[0].ID)
	if err != nil || !bytes.Equal(e.Payload, data) || e.Header.Get(jobs.HeaderClaim) != "" {
		t.Fatalf("%d bytes, %v, %v", len(e.Payload), e.Header, err)
	}
	if _, err := q.RetryDead(within(t), e.ID); err != nil {
		t.Fatal(err)
	}
	if room, err := q.DeadRoom(within(t)); err != nil || room.Letters != 0 {
		t.Errorf("after the retry: %+v, %v", room, err)
	}
	d = fetchSoon(t, c)
	if got, err := d.Redeem(within(t), 1<<20); err != nil || !bytes.Equal(got, data) || d.Retry != 1 {
		t.Errorf("retried: %d bytes, %+v, %v", len(got), d, err)
	}

	// One whose claim is lost keeps the claim.
	if err := q.PublishDead(within(t), DeadLetter{Delivery: d, Key: "other", Class: jobs.ClaimMissing, Reason: "r"}); err != nil {
		t.Fatal(err)
	}
	list = deadLetters(t, q)
	if len(list) != 1 || list[0].Header.Get(jobs.HeaderClaim) != d.Claim.ID || list[0].Size != len(d.Data) {
		t.Fatalf("%+v", list)
	}
	if resolved := list[0].resolved("x"); resolved.PayloadSHA256 != d.Claim.SHA256 {
		t.Errorf("%+v", resolved)
	}
	if _, err := q.RetryDead(within(t), list[0].ID); err != nil {
		t.Fatal(err)
	}
	if again := fetchSoon(t, c); again.Claim == nil || again.Claim.ID != d.Claim.ID || again.Retry != 2 {
		t.Errorf("%+v", again)
	}
}

func TestPurgeClaims(t *testing.T) {
	q := dial(t, Options{URL: narrow(t)})
	if _, last, err := q.Claims(within(t)); last != 0 || err != nil {
		t.Errorf("without a stream: %d, %v", last, err)
	}
	publishLarge(t, q, large(1, 150<<10))
	_, last, err := q.Claims(within(t))
	if err != nil || last != 3 {
		t.Fatalf("%d, %v", last, err)
	}
	publishLarge(t, q, large(2, 150<<10))
	if _, err := q.leave(within(t), "other", large(1, 100<<10), failWhenFull); err != nil {
		t.Fatal(err)
	}
	if err := q.PurgeClaims(within(t), "j", last); err != nil || chunksLeft(t, q) != 5 {
		t.Errorf("%d chunks, %v", chunksLeft(t, q), err)
	}
}

// A publisher may leave claims of its own job, and none of others'; one who may leave none is told what to do.
func TestPermissionsOfClaims(t *testing.T) {
	url := shared(t)
	daemon := dial(t, Options{URL: url, User: "textmill", Password: secret, InboxPrefix: "_INBOX_textmill"})
	if err := daemon.EnsureClaims(within(t)); err != nil {
		t.Fatal(err)
	}
	q := dial(t, Options{URL: url, User: "team_a", Password: secret, InboxPrefix: "_INBOX_team_a"})
	big := large(1, 2<<20)
	if err := errors.Join(q.PublishJob(within(t), JobMessage{Subject: subjectM + ".team_a", Data: big}), q.Flush(within(t))); err != nil {
		t.Fatal(err)
	}
	d := fetchSoon(t, consumer(t, daemon, subjectM+".team_a"))
	if got, err := d.Redeem(within(t), 4<<20); err != nil || len(got) != len(big) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := d.EndClaim(within(t)); err != nil || chunksLeft(t, daemon) != 0 {
		t.Error(err)
	}
	for _, subject := range []string{jobs.ClaimSubject("theirs", "x"), "$JS.API.STREAM.PURGE." + ClaimStream,
		"$JS.API.STREAM.MSG.GET." + ClaimStream, "$JS.API.DIRECT.GET." + ClaimStream} {
		denied(t, q, func() error { return q.nc.Publish(subject, nil) }, "publish to "+subject)
	}
}

// options are those of a server's configuration.
func options(t *testing.T, text string) *server.Options {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := server.ProcessConfigFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestPublisherWithoutClaims(t *testing.T) {
	o := options(t, `authorization { users = [ { user: p, password: p, permissions: {
	  publish: ["textmill.jobs.>", "$JS.API.STREAM.INFO.>"], subscribe: ["_INBOX.>"] } }, { user: d, password: d } ] }`)
	o.JetStream, o.StoreDir = true, t.TempDir()
	url := inProcess(t, o)
	daemon := dial(t, Options{URL: url, User: "d", Password: "d"})
	if err := daemon.EnsureClaims(within(t)); err != nil {
		t.Fatal(err)
	}
	q := dial(t, Options{URL: url, User: "p", Password: "p"})
	err := errors.Join(q.PublishJob(within(t), JobMessage{Subject: subjectJ, Data: large(1, 2<<20)}), q.Flush(within(t)))
	if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "let this user publish to textmill.claims.j.>") {
		t.Errorf("%v", err)
	}
}

// A stream of claims that is full has publishers wait until there is room.
func TestClaimsWaitForRoom(t *testing.T) {
	q := dial(t, Options{URL: narrow(t), ClaimsMaxBytes: 300 << 10})
	publishLarge(t, q, large(1, 200<<10))
	if err := q.PublishJob(within(t), JobMessage{Subject: subjectJ, MsgID: "m2", Data: large(2, 200<<10)}); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(within(t))
	cancel()
	if err := q.Flush(short); err == nil {
		t.Error("it was not waited for room")
	}
	c := consumer(t, q, subjectJ)
	d := fetchSoon(t, c)
	if err := errors.Join(d.Ack(within(t)), d.EndClaim(within(t)), q.Flush(within(t))); err != nil {
		t.Fatal(err)
	}
	if got, err := fetchSoon(t, c).Redeem(within(t), 1<<20); err != nil || !bytes.Equal(got, large(2, 200<<10)) {
		t.Error(err)
	}
}
