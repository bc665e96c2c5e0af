package queue

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func TestFetchIsBoundedAndReturnsAtOnce(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	c := consumer(t, q, subjectM)
	if got := fetch(t, c, 10, 1<<20); len(got) != 0 {
		t.Fatalf("an empty subject gives %d", len(got))
	}
	for i := range 10 {
		put(t, q, subjectM, fmt.Sprintf("%d%s", i, strings.Repeat("x", 1000)))
	}
	put(t, q, subjectM, strings.Repeat("y", 100_000))
	put(t, q, subjectM+".other", "not for this consumer")
	waiting(t, c, 11)
	if got := fetch(t, c, 3, 1<<20); len(got) != 3 || got[0].Data[0] != '0' || got[2].Data[0] != '2' {
		t.Fatalf("3 messages gives %d", len(got))
	}
	got := fetch(t, c, 100, 5000)
	if len(got) < 2 || len(got) > 4 {
		t.Fatalf("5000 bytes give %d messages of 1001", len(got))
	}
	n := 3 + len(got)
	for n < 10 {
		n += len(fetch(t, c, 10-n, 0))
	}
	if got := fetch(t, c, 100, 5000); len(got) != 1 || got[0].Size != 100_000 {
		t.Fatalf("a message above the bytes alone: %d", len(got))
	}
	if got := fetch(t, c, 100, 5000); len(got) != 0 {
		t.Fatalf("nothing is left, but %d came", len(got))
	}
}

func TestDeliverySaysWhereItIsFrom(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	before := time.Now()
	put(t, q, subjectM+".j-1", `{}`)
	put(t, q, "textmill.jobs.embed.m.j-1.more", `{}`)
	d := fetchSoon(t, consumer(t, q, subjectM+".j-1"))
	if d.Task != "embed" || d.Model != "m" || d.Job != "j-1" || d.Stream != JobStream || d.Sequence != 1 || d.Delivered != 1 || d.Retry != 0 {
		t.Errorf("delivery %+v", d)
	}
	if d.Timestamp.Before(before) || d.StreamCreated.After(d.Timestamp) || d.StreamCreated.IsZero() {
		t.Errorf("timestamp %s, stream created %s", d.Timestamp, d.StreamCreated)
	}
	malformed := fetchSoon(t, consumer(t, q, "textmill.jobs.embed.m.j-1.more"))
	if malformed.Task != "" {
		t.Errorf("delivery %+v", malformed)
	}
}

func TestPayloadIsReadAgain(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	put(t, q, subjectM, "body")
	d := fetchSoon(t, consumer(t, q, subjectM))
	d.Data = nil
	if b, err := d.Payload(within(t)); err != nil || string(b) != "body" {
		t.Fatalf("%q, %v", b, err)
	}
	if err := d.Ack(within(t)); err != nil {
		t.Fatal(err)
	}
	if b, err := d.Payload(within(t)); !errors.Is(err, ErrNotFound) {
		t.Errorf("after the ack: %q, %v", b, err)
	}
}

func TestAcks(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t), AckWait: 2 * time.Second})
	c := consumer(t, q, subjectM)
	if c.AckWait() != 2*time.Second {
		t.Errorf("ack wait %s", c.AckWait())
	}
	put(t, q, subjectM, "a", "b")
	waiting(t, c, 2)
	got := fetch(t, c, 2, 0)
	if err := got[0].Ack(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := got[0].Ack(within(t)); err != nil {
		t.Errorf("acked again: %v", err)
	}
	if err := got[1].Nak(0); err != nil {
		t.Fatal(err)
	}
	again := fetchSoon(t, c)
	if again.Delivered != 2 || string(again.Data) != "b" {
		t.Fatalf("after the nak %+v", again)
	}
	for range 12 { // 12 × 0.2 s is beyond AckWait
		if err := again.InProgress(); err != nil {
			t.Fatal(err)
		}
		if _, unacked, err := c.Pending(within(t)); err != nil || unacked != 1 {
			t.Fatalf("%d unacked, %v", unacked, err)
		}
		<-time.After(200 * time.Millisecond)
	}
	if got := fetch(t, c, 1, 0); len(got) != 0 {
		t.Fatalf("delivered %d times in spite of InProgress", got[0].Delivered)
	}
	if expired := fetchSoon(t, c); expired.Delivered != 3 {
		t.Fatalf("after AckWait %+v", expired)
	} else if err := expired.Term(within(t), "bad\nreason"); err != nil {
		t.Fatal(err)
	}
	waiting, unacked, err := c.Pending(within(t))
	if err != nil || waiting+unacked != 0 {
		t.Errorf("after term %d wait, %d unacked, %v", waiting, unacked, err)
	}
	if list, err := q.Subjects(within(t), "embed", "m"); err != nil || len(list) != 0 {
		t.Errorf("after term the stream holds %v, %v", list, err)
	}
}

func TestNakWithDelay(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	c := consumer(t, q, subjectM)
	put(t, q, subjectM, "a")
	start := time.Now()
	if err := fetchSoon(t, c).Nak(300 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	fetchSoon(t, c)
	if took := time.Since(start); took < 290*time.Millisecond || took > 20*time.Second {
		t.Errorf("delivered again after %s", took)
	}
}

func TestConsumerIsSharedAndNeverChanged(t *testing.T) {
	url := embeddedURL(t)
	q := dial(t, Options{URL: url})
	put(t, q, subjectM, "a", "b")
	first := consumer(t, q, subjectM)
	other := dial(t, Options{URL: url, AckWait: time.Minute})
	second := consumer(t, other, subjectM)
	if second.AckWait() != 30*time.Second {
		t.Errorf("the second daemon's ack wait is %s", second.AckWait())
	}
	a, b := fetchSoon(t, first), fetchSoon(t, second)
	if a.Sequence == b.Sequence {
		t.Errorf("they do not share the work: %v %v", a, b)
	}
	if _, err := other.Consumer(within(t), subjectM, "other"); !errors.Is(err, ErrOtherModel) || !strings.Contains(err.Error(), "sha") {
		t.Errorf("other weights: %v", err)
	}
	c, err := q.js.CreateConsumer(within(t), JobStream, jetstream.ConsumerConfig{
		Durable: consumerName(subjectM + ".x"), FilterSubject: subjectM + ".x", AckPolicy: jetstream.AckExplicitPolicy,
		MaxDeliver: 5, Metadata: map[string]string{modelKey: "sha"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Consumer(within(t), subjectM+".x", "sha"); !errors.Is(err, ErrConsumerDiffers) || !strings.Contains(err.Error(), "max_deliver is 5") {
		t.Errorf("other settings: %v", err)
	}
	if info, err := c.Info(within(t)); err != nil || info.Config.MaxDeliver != 5 {
		t.Errorf("they were changed: %+v, %v", info, err)
	}
}

func TestConsumerIsRemovedOnlyWhenIdle(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	c := consumer(t, q, subjectM)
	put(t, q, subjectM, "a")
	if removed, err := c.Remove(within(t)); removed || err != nil {
		t.Fatalf("with a message waiting: %v, %v", removed, err)
	}
	d := fetchSoon(t, c)
	if removed, err := c.Remove(within(t)); removed || err != nil {
		t.Fatalf("with a message unacked: %v, %v", removed, err)
	}
	if err := d.Ack(within(t)); err != nil {
		t.Fatal(err)
	}
	if removed, err := c.Remove(within(t)); !removed || err != nil {
		t.Fatalf("when idle: %v, %v", removed, err)
	}
	if removed, err := c.Remove(within(t)); !removed || err != nil {
		t.Errorf("again: %v, %v", removed, err)
	}
	if _, err := c.Fetch(within(t), 1, 0); !errors.Is(err, ErrConsumerGone) {
		t.Errorf("fetch from it: %v", err)
	}
	if err := d.Ack(within(t)); !errors.Is(err, ErrConsumerGone) {
		t.Errorf("ack to it: %v", err)
	}
}

func TestStreamMadeAnewIsNoticed(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	c := consumer(t, q, subjectM)
	put(t, q, subjectM, "old")
	if err := q.js.DeleteStream(within(t), JobStream); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fetch(within(t), 1, 0); !errors.Is(err, ErrConsumerGone) {
		t.Errorf("without the stream: %v", err)
	}
	if err := q.EnsureStreams(within(t), StreamOptions{MaxBytes: 1 << 30}); err != nil {
		t.Fatal(err)
	}
	put(t, q, subjectM, "new")
	anew := consumer(t, q, subjectM)
	if got, err := c.Fetch(within(t), 1, 0); !errors.Is(err, ErrConsumerGone) {
		t.Errorf("the old handle delivers %v, %v under the old stream's identity", got, err)
	}
	d := fetchSoon(t, anew)
	if string(d.Data) != "new" || !d.StreamCreated.Equal(anew.created) || !d.StreamCreated.After(c.created) {
		t.Errorf("delivery %+v", d)
	}
}

func TestConsumerNamesDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, s := range []string{"a.b", "a-b", "a.b.c", "a.b-c", "a.b.c$", "a.b.c%", strings.Repeat("x", 300) + "a", strings.Repeat("x", 300) + "b"} {
		name := consumerName("textmill.jobs." + s)
		if other, taken := seen[name]; taken {
			t.Errorf("%s and %s are both %s", s, other, name)
		}
		if seen[name] = s; len(name) > 200 || strings.ContainsAny(name, ".*>/\\ $%") {
			t.Errorf("%s is no name", name)
		}
	}
}

func FuzzParseAck(f *testing.F) {
	f.Add("$JS.ACK.S.C.1.2.3.1700000000000000000.4")
	f.Add("$JS.ACK._.HASH.S.C.1.2.3.1700000000000000000.4.token")
	f.Add("$JS.ACK.a.b.c.d.e")
	f.Fuzz(func(t *testing.T, reply string) {
		if a, err := parseAck(reply); err == nil && a.delivered < 0 {
			t.Errorf("%q: %+v", reply, a)
		}
	})
}

func TestParseAckReadsBothForms(t *testing.T) {
	for _, s := range []string{"$JS.ACK.S.C.2.30.4.1700000000000000001.5", "$JS.ACK.d.h.S.C.2.30.4.1700000000000000001.5.t", "$JS.ACK.d.h.S.C.2.30.4.1700000000000000001.5"} {
		a, err := parseAck(s)
		if err != nil || a.delivered != 2 || a.sequence != 30 || a.delivery != 4 || a.timestamp.UnixNano() != 1700000000000000001 || a.pending != 5 {
			t.Errorf("%s: %+v, %v", s, a, err)
		}
	}
}
