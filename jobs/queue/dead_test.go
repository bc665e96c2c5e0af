package queue

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"textmill/ground/naming"
	"textmill/jobs"
)

func deadLetters(t *testing.T, q *Queue) []DeadEntry {
	t.Helper()
	var out []DeadEntry
	if err := q.ListDead(within(t), func(e DeadEntry) bool { out = append(out, e); return true }); err != nil {
		t.Fatal(err)
	}
	return out
}

func bury(t *testing.T, q *Queue, d *Delivery, key string) {
	t.Helper()
	payload, err := d.Payload(within(t))
	if err != nil {
		t.Fatal(err)
	}
	l := DeadLetter{Delivery: d, Payload: payload, Key: key, Class: jobs.InvalidJob, Reason: "two\nlines", ModelSHA256: "sha"}
	for range 2 { // a redelivery repeats it
		if err := q.PublishDead(within(t), l); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Term(within(t), "dead"); err != nil {
		t.Fatal(err)
	}
}

// The newest letters are found behind gaps, and among letters of several messages.
func TestNewestLetters(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	c := consumer(t, q, subjectM)
	const letters = 60
	for n := range letters {
		m := JobMessage{Subject: subjectM, MsgID: fmt.Sprint(n), Data: []byte("{not json")}
		if err := errors.Join(q.PublishJob(within(t), m), q.Flush(within(t))); err != nil {
			t.Fatal(err)
		}
		d := fetchSoon(t, c)
		l := DeadLetter{Delivery: d, Payload: []byte("x"), Key: fmt.Sprint("key", n), Class: fmt.Sprint(n)}
		if n == letters-2 { // beside its tails, it has the newest sequences
			l.Payload = make([]byte, q.MaxPayload())
		}
		if err := errors.Join(q.PublishDead(within(t), l), d.Term(within(t), "dead")); err != nil {
			t.Fatal(err)
		}
	}
	classes := func(most int) (all []string, held uint64) {
		t.Helper()
		newest, held, err := q.NewestDead(within(t), most)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range newest {
			all = append(all, e.Class)
		}
		return all, held
	}
	if got, held := classes(3); !slices.Equal(got, []string{"59", "58", "57"}) || held != letters {
		t.Errorf("%v of %d", got, held)
	}
	for n := 5; n < 58; n++ {
		if _, err := q.DropDead(within(t), jobs.KeyHash(fmt.Sprint("key", n))); err != nil {
			t.Fatal(err)
		}
	}
	for most, want := range map[int][]string{1: {"59"}, 3: {"59", "58", "4"}, 100: {"59", "58", "4", "3", "2", "1", "0"}} {
		if got, held := classes(most); !slices.Equal(got, want) || held != 7 {
			t.Errorf("%d of %d letters: %v, want %v", most, held, got, want)
		}
	}
}

func TestDeadLetterAndRetry(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	c := consumer(t, q, subjectM)
	m := JobMessage{Subject: subjectM, MsgID: "id-1", Data: []byte("{not json"), Header: jobs.Header{"X-Mine": {"kept"}, "Content-Type": {"application/json"}}}
	if err := errors.Join(q.PublishJob(within(t), m), q.Flush(within(t))); err != nil {
		t.Fatal(err)
	}
	first := fetchSoon(t, c)
	bury(t, q, first, "key")

	list := deadLetters(t, q)
	if len(list) != 1 {
		t.Fatalf("%d letters", len(list))
	}
	e := list[0]
	if e.ID != jobs.KeyHash("key") || e.Class != jobs.InvalidJob || e.Reason != "two lines" || e.Attempts != 1 || e.Subject != subjectM ||
		e.Sequence != 1 || e.ModelSHA256 != "sha" || e.Task != "embed" || e.Model != "m" || e.Size != len(m.Data) || e.Payload != nil || e.Time.IsZero() {
		t.Errorf("letter %+v", e)
	}
	if got, err := q.GetDead(within(t), e.ID); err != nil || string(got.Payload) != "{not json" || got.Reason != e.Reason {
		t.Errorf("letter %+v, %v", got, err)
	}

	if r, err := q.RetryDead(within(t), e.ID); err != nil || r.Retry != 1 {
		t.Fatalf("retry %+v, %v", r, err)
	}
	if left := deadLetters(t, q); len(left) != 0 {
		t.Errorf("letters after the retry: %v", left)
	}
	again := fetchSoon(t, c)
	if again.Retry != 1 || string(again.Data) != "{not json" || again.Header.Get("x-mine") != "kept" || again.Header.Get(jobs.HeaderOriginalMsgID) != "id-1" {
		t.Errorf("retried delivery %+v", again)
	}
	if o := again.Origin; o.Sequence != 1 || !o.Timestamp.Equal(first.Timestamp) || !o.StreamCreated.Equal(first.StreamCreated) {
		t.Errorf("origin %+v of %+v", o, first)
	}
	for _, name := range []string{jobs.HeaderClass, jobs.HeaderReason, jobs.HeaderAttempts} {
		if v := again.Header.Get(name); v != "" {
			t.Errorf("the retry carries %s: %s", name, v)
		}
	}

	bury(t, q, again, "key/r1")
	if r, err := q.RetryDead(within(t), jobs.KeyHash("key/r1")); err != nil || r.Retry != 2 {
		t.Fatalf("second retry %+v, %v", r, err)
	}
	if d := fetchSoon(t, c); d.Retry != 2 || d.Origin.Sequence != 1 {
		t.Errorf("delivery %+v", d)
	}
}

func TestRetryOfATextKeepsItsID(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	c := consumer(t, q, subjectM)
	m := JobMessage{Subject: subjectM, MsgID: "doc-9", Data: []byte("plain"), Header: jobs.Header{"Content-Type": {"text/plain"}}}
	if err := errors.Join(q.PublishJob(within(t), m), q.Flush(within(t))); err != nil {
		t.Fatal(err)
	}
	bury(t, q, fetchSoon(t, c), "k")
	if _, err := q.RetryDead(within(t), jobs.KeyHash("k")); err != nil {
		t.Fatal(err)
	}
	s, err := jobs.Decode(fetchSoon(t, c).Message(), jobs.Limits{})
	if err != nil || s.Records[0].ID != "doc-9" || s.Records[0].Text != "plain" || s.Retry != 1 || s.KeyID == "" {
		t.Errorf("shard %+v, %v", s, err)
	}
}

func TestRetryRepeatedAfterACrashIsTheSameDelivery(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	c := consumer(t, q, subjectM)
	put(t, q, subjectM, "x")
	d := fetchSoon(t, c)
	bury(t, q, d, "k")
	for range 2 {
		if _, err := q.RetryDead(within(t), jobs.KeyHash("k")); err != nil {
			t.Fatal(err)
		}
		// As if the letter had not been removed: a zombie publishes it again.
		if err := q.PublishDead(within(t), DeadLetter{Delivery: d, Payload: []byte("x"), Key: "k", Class: "c"}); err != nil {
			t.Fatal(err)
		}
	}
	if got := fetchSoon(t, c); got.Retry != 1 {
		t.Errorf("retry %d", got.Retry)
	}
	if got := fetch(t, c, 1, 0); len(got) != 0 {
		t.Errorf("delivered twice: %+v", got[0])
	}
}

func TestDeadLetterOfThePayloadLimit(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	body := make([]byte, q.MaxPayload())
	if _, err := rand.Read(body); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(q.PublishJob(within(t), JobMessage{Subject: subjectM, Data: body}), q.Flush(within(t))); err != nil {
		t.Fatal(err)
	}
	d := fetchSoon(t, consumer(t, q, subjectM))
	bury(t, q, d, "k")
	list := deadLetters(t, q)
	if len(list) != 1 || list[0].Size != len(body) {
		t.Fatalf("letters %+v", list)
	}
	if got, err := q.GetDead(within(t), list[0].ID); err != nil || !bytes.Equal(got.Payload, body) {
		t.Errorf("payload of %d bytes, %v", len(got.Payload), err)
	}
	if _, err := q.RetryDead(within(t), list[0].ID); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a retry that cannot be carried: %v", err)
	}
}

// A message may bring as many headers as the server takes: its letter, and the letter's retry, find room all the same.
func TestDeadLetterOfAMessageFullOfHeaders(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	c := consumer(t, q, subjectM)
	many, likeOurs := nats.Header{}, nats.Header{}
	for i := range 3500 {
		many.Set(fmt.Sprintf("X-%05d", i), "0123456")
	}
	for i := range 60 {
		likeOurs.Set(fmt.Sprintf("Textmill-%d", i), strings.Repeat("x", 1050))
	}
	for what, h := range map[string]nats.Header{
		"one that is long": {"X": {strings.Repeat("x", 65_000)}},
		"a dataset":        {jobs.HeaderDataset: {strings.Repeat("\x01", 65_000)}},
		"an id":            {jobs.HeaderMsgID: {strings.Repeat("é", 32_500)}},
		"many":             many,
		"like textmill's":  likeOurs,
	} {
		msg := &nats.Msg{Subject: subjectM, Header: h, Data: []byte("not json")}
		if n := headerSize(h); n > 1<<16-1 || n < 60<<10 {
			t.Fatalf("%s: %d bytes try nothing", what, n)
		}
		if _, err := q.js.PublishMsg(within(t), msg); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		bury(t, q, fetchSoon(t, c), what)
		letter, err := q.RetryDead(within(t), jobs.KeyHash(what))
		if err != nil || string(letter.Payload) != "not json" || letter.Class != jobs.InvalidJob || letter.Reason != "two lines" {
			t.Errorf("%s: retried %.200q, %v", what, letter.Payload, err)
			continue
		}
		again := fetchSoon(t, c)
		if d := again.Header.Get(jobs.HeaderDataset); again.Retry != 1 || what == "a dataset" && (d == "" || naming.CheckDataset(d) == nil) {
			t.Errorf("%s: retry %d for the dataset %.80q", what, again.Retry, d)
		}
		if err := again.Ack(within(t)); err != nil {
			t.Error(err)
		}
	}
}

func TestManyDeadLettersAreListedInOrder(t *testing.T) {
	q := dial(t, Options{URL: inProcessURL(t)})
	d := &Delivery{Subject: subjectM, Task: "embed", Model: "m", Delivered: 1, Timestamp: time.Now(), StreamCreated: time.Now(), Stream: JobStream}
	for i := range 600 {
		d.Sequence = uint64(i + 1)
		if err := q.PublishDead(within(t), DeadLetter{Delivery: d, Key: strings.Repeat("k", i), Class: "c", Payload: []byte("xy")}); err != nil {
			t.Fatal(err)
		}
	}
	list := deadLetters(t, q)
	for i, e := range list {
		if e.Sequence != uint64(i+1) || e.Size != 2 {
			t.Fatalf("letter %d is %+v", i, e)
		}
	}
	n := 0
	if err := q.ListDead(within(t), func(DeadEntry) bool { n++; return n < 5 }); err != nil || n != 5 || len(list) != 600 {
		t.Errorf("%d letters, ended after %d, %v", len(list), n, err)
	}
}

func TestUnknownDeadLetter(t *testing.T) {
	q := dial(t, Options{URL: embeddedURL(t)})
	for _, id := range []string{"", "*", "abc", jobs.KeyHash("x")} {
		if _, err := q.GetDead(within(t), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestFullDeadStreamIsAnError(t *testing.T) {
	q, err := Connect(within(t), Options{URL: embeddedURL(t), Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	if err := q.EnsureStreams(within(t), StreamOptions{MaxBytes: 1 << 20, DeadMaxBytes: 1000, EventsMaxBytes: 1 << 20}); err != nil {
		t.Fatal(err)
	}
	d := &Delivery{Subject: subjectM, Task: "embed", Model: "m", Stream: JobStream}
	err = q.PublishDead(within(t), DeadLetter{Delivery: d, Key: "k", Payload: make([]byte, 2000)})
	if !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
}
