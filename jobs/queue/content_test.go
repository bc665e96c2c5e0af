package queue

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"textmill/jobs"
)

func withFiles(t *testing.T, maxBytes int64) *Queue {
	t.Helper()
	q := dial(t, Options{URL: embeddedURL(t)})
	if err := errors.Join(q.EnsureFiles(within(t), maxBytes), q.EnsureBatches(within(t))); err != nil {
		t.Fatal(err)
	}
	return q
}

func contents(t *testing.T, q *Queue) int {
	t.Helper()
	s, err := q.js.Stream(within(t), FileStream)
	if err != nil {
		t.Fatal(err)
	}
	return int(s.CachedInfo().State.Msgs)
}

// A content of several chunks comes back as it was put; one that breaks off leaves nothing, and one that lost a chunk,
// or of which another size is told, is an error at its end and never half of itself.
func TestContentsAreWholeOrErrors(t *testing.T) {
	q := withFiles(t, 0)
	data := bytes.Repeat([]byte("0123456789abcde\n"), 150_000) // three chunks
	for _, want := range [][]byte{data, data[:1], nil} {
		c, err := q.PutContent(within(t), iotest.HalfReader(bytes.NewReader(want)))
		if err != nil || c.Size != int64(len(want)) {
			t.Fatalf("%+v, %v", c, err)
		}
		got, err := io.ReadAll(q.Content(within(t), c))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
		}
	}
	before := contents(t, q)
	for _, broken := range []error{errors.New("the client went away"), io.ErrUnexpectedEOF} {
		for _, n := range []int{0, 100, len(data)} {
			if _, err := q.PutContent(within(t), io.MultiReader(bytes.NewReader(data[:n]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
		}
	}
	if left := contents(t, q); left != before {
		t.Errorf("%d chunks are left behind", left-before)
	}
	c, err := q.PutContent(within(t), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	longer := c
	longer.Chunks++
	other := c
	other.SHA256 = "00"
	s, err := q.js.Stream(within(t), FileStream)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []Content{longer, other} {
		if _, err := io.ReadAll(q.Content(within(t), one)); !errors.Is(err, ErrNotWhole) {
			t.Errorf("%+v: %v", one, err)
		}
	}
	if err := s.DeleteMsg(within(t), s.CachedInfo().State.LastSeq-1); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(q.Content(within(t), c)); !errors.Is(err, ErrNotWhole) {
		t.Errorf("without a chunk: %v", err)
	}
}

func TestContentsThatNobodyKeepsAreSwept(t *testing.T) {
	q := withFiles(t, 0)
	var all []Content
	for range 3 {
		c, err := q.PutContent(within(t), bytes.NewReader([]byte("x")))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	kept := func(id string) bool { return id == all[1].ID }
	if n, err := q.SweepContents(within(t), time.Now().Add(-time.Minute), kept); n != 0 || err != nil {
		t.Errorf("%d young ones are swept, %v", n, err)
	}
	if n, err := q.SweepContents(within(t), time.Now().Add(time.Minute), kept); n != 2 || err != nil {
		t.Errorf("%d are swept, %v", n, err)
	}
	if got, err := io.ReadAll(q.Content(within(t), all[1])); string(got) != "x" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAFullStreamOfContents(t *testing.T) {
	url := inProcess(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
	q := dial(t, Options{URL: url})
	if err := q.EnsureFiles(within(t), 2<<20); err != nil {
		t.Fatal(err)
	}
	if _, err := q.PutContent(within(t), io.LimitReader(zeros{}, 8<<20)); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	if left := contents(t, q); left != 0 {
		t.Errorf("%d chunks are left behind", left)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Of those who replace a record one succeeds, and who follows sees what is there and each change.
func TestRecordsAreReplacedByOne(t *testing.T) {
	q := withFiles(t, 0)
	ctx, cancel := context.WithCancelCause(within(t))
	seen, ended := make(chan Record, 10), make(chan error, 1)
	one := Record{Kind: jobs.KindBatch, ID: "a", Data: []byte("1")}
	first, err := q.PutRecord(within(t), one)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		ended <- q.FollowRecords(ctx, jobs.KindBatch, func(r Record) error { seen <- r; return nil })
	}()
	if r := <-seen; r.ID != "a" || string(r.Data) != "1" || r.Revision != first {
		t.Errorf("%+v", r)
	}
	if again, err := q.PutRecord(within(t), one); again != first || err != nil { // an answer that was lost
		t.Errorf("%d, %v", again, err)
	}
	second, err := q.PutRecord(within(t), Record{Kind: jobs.KindBatch, ID: "a", Data: []byte("2"), Revision: first})
	if err != nil || second <= first {
		t.Fatalf("%d after %d, %v", second, first, err)
	}
	if _, err := q.PutRecord(within(t), Record{Kind: jobs.KindBatch, ID: "a", Data: []byte("3"), Revision: first}); !errors.Is(err, ErrChanged) {
		t.Errorf("got %v", err)
	}
	if _, err := q.PutRecord(within(t), Record{Kind: jobs.KindFile, ID: "a", Data: []byte("of a file")}); err != nil {
		t.Errorf("another kind: %v", err)
	}
	if r := <-seen; string(r.Data) != "2" || r.Revision != second || time.Since(r.Time) > time.Minute {
		t.Errorf("%+v", r)
	}
	stop := errors.New("enough")
	cancel(stop)
	if err := <-ended; !errors.Is(err, stop) && !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	var all []string
	err = q.Records(within(t), jobs.KindBatch, func(r Record) error { all = append(all, string(r.Data)); return nil })
	if len(all) != 1 || all[0] != "2" || err != nil {
		t.Errorf("%v, %v", all, err)
	}
	if err := q.DropRecord(within(t), jobs.KindBatch, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Record(within(t), jobs.KindBatch, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if _, err := q.PutRecord(within(t), Record{Kind: jobs.KindBatch, ID: "a", Data: []byte("4"), Revision: second}); !errors.Is(err, ErrChanged) {
		t.Errorf("one that is gone: %v", err)
	}
	if err := q.js.DeleteStream(within(t), BatchStream); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Record(within(t), jobs.KindBatch, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("without a stream: %v", err)
	}
	if _, err := q.js.CreateStream(within(t), jetstream.StreamConfig{Name: BatchStream, Subjects: []string{jobs.AllBatches}, Discard: jetstream.DiscardNew}); err != nil {
		t.Fatal(err)
	}
	if err := q.EnsureBatches(within(t)); !errors.Is(err, ErrStreamDiffers) {
		t.Errorf("a stream that keeps all: %v", err)
	}
}
