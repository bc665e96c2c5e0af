package client

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/jobs/embedded"
	"textmill/jobs/queue"
)

// openQueue connects to a server of the test's own.
func openQueue(t *testing.T) *queue.Queue {
	t.Helper()
	return openQueueWith(t, queue.StreamOptions{})
}

func openQueueWith(t *testing.T, o queue.StreamOptions) *queue.Queue {
	t.Helper()
	server, err := embedded.Start(embedded.Options{Addr: "127.0.0.1:0", Dir: filepath.Join(t.TempDir(), "nats")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	q, err := queue.Connect(t.Context(), queue.Options{URL: server.URL(), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	if err := q.EnsureStreams(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return q
}

// cutAt is how many bytes of a text the worker's model takes.
const cutAt = 100

// worker settles the shards of one job as a daemon does, without the model and with a map for a table: event, then ack.
type worker struct {
	t       *testing.T
	q       *queue.Queue
	subject string

	mu      sync.Mutex
	seen    map[string]int // shard → how often it came
	records []jobs.Record
	table   map[string]string // shard → hash of its payload
	dead    map[string]bool   // shards to end as dead letters
	old     bool              // tell of no payloads, as earlier versions did
	silent  bool              // tell nothing
	path    string            // of the table
}

func newWorker(t *testing.T, q *queue.Queue, job string) *worker {
	return &worker{t: t, q: q, subject: "textmill.jobs.embed.m." + job, path: "/t", seen: map[string]int{}, table: map[string]string{}, dead: map[string]bool{}}
}

// settle works off what waits until it has settled n shards; n < 0 means until ctx ends.
func (w *worker) settle(ctx context.Context, n int) {
	var consumer *queue.Consumer
	for fine := time.Now(); n != 0 && ctx.Err() == nil; {
		var got []*queue.Delivery
		var err error
		if consumer == nil {
			consumer, err = w.q.Consumer(ctx, w.subject, "sha")
		} else {
			got, err = consumer.Fetch(ctx, 1, 8<<20)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			fine = time.Now()
		case time.Since(fine) > time.Minute: // else whoever waits for the rows would wait for ever
			panic(fmt.Sprintf("the worker of %s: %v", w.subject, err))
		}
		if len(got) == 0 {
			select {
			case <-time.After(5 * time.Millisecond): // the queue has no call that waits for messages
			case <-ctx.Done():
			}
		}
		for _, d := range got {
			w.one(ctx, d)
			n--
		}
	}
}

// one is carried out to its end, though the test may be over.
func (w *worker) one(ctx context.Context, d *queue.Delivery) {
	ctx = context.WithoutCancel(ctx)
	s, err := jobs.Decode(jobs.Message{Subject: d.Subject, Header: d.Header, Data: d.Data, Sequence: d.Sequence}, jobs.Limits{})
	if err != nil {
		w.t.Error(err)
		return
	}
	w.mu.Lock()
	w.seen[s.EventID()]++
	w.records = append(w.records, s.Records...)
	dead := w.dead[s.EventID()]
	w.mu.Unlock()
	e := jobs.Event{Type: jobs.EventCommitted, Job: s.Job, Shard: s.EventID(), Table: w.path, Time: time.Now()}
	for _, r := range s.Records {
		e.Rows++
		if r.Err != nil {
			e.Errors++
		}
		if n := len(r.Text) - cutAt; n > 0 {
			e.Truncated, e.Dropped = e.Truncated+1, e.Dropped+int64(n)
		}
	}
	sum := sha256.Sum256(d.Data)
	hash := hex.EncodeToString(sum[:])
	class := ""
	switch known := w.table[s.EventID()]; {
	case dead:
		class = jobs.Schema
	case known == "":
		w.table[s.EventID()] = hash
	case known != hash:
		class = jobs.IdentityConflict
	default:
		e.Uncounted, e.Errors, e.Truncated, e.Dropped = true, 0, 0, 0
	}
	if class != "" {
		e = jobs.Event{Type: jobs.EventDead, Job: s.Job, Shard: s.EventID(), Class: class, Reason: "as the test wants it", Time: time.Now()}
		letter := queue.DeadLetter{Delivery: d, Payload: d.Data, Key: s.Job + "/" + s.EventID() + hash, Class: class, Reason: "as the test wants it", ModelSHA256: "sha"}
		if err := w.q.PublishDead(ctx, letter); err != nil {
			w.t.Error(err)
		}
	}
	if e.PayloadSHA256, e.Task, e.Model, e.Dataset = hash, s.Task, s.Model, s.Dataset; w.old {
		e = jobs.Event{Type: e.Type, Job: e.Job, Shard: e.Shard, Rows: e.Rows, Errors: e.Errors, Table: e.Table, Time: e.Time}
	}
	if !w.silent {
		if err := w.q.PublishEvent(ctx, e); err != nil {
			w.t.Error(err)
		}
	}
	if err := d.Ack(ctx); err != nil {
		w.t.Error(err)
	}
}

// start works in the background until the test ends.
func (w *worker) start() {
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { w.settle(ctx, -1) })
	w.t.Cleanup(func() {
		cancel()
		ended.Wait()
	})
}

// writeFile puts n records into a JSONL file.
func writeFile(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.jsonl")
	if err := os.WriteFile(path, []byte(lines(n, `{"id":"r%d","text":"t"}`)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func options(files ...string) (SubmitOptions, *strings.Builder, *strings.Builder) {
	var out, errs strings.Builder
	return SubmitOptions{Model: "m", Dataset: "d", Files: files, Local: []LocalModel{{Name: "m", Task: naming.TaskEmbed, SHA256: "sha"}}, Stdout: &out, Stderr: &errs}, &out, &errs
}

// waiting counts the messages of a job that nobody has settled.
func waiting(t *testing.T, q *queue.Queue, job string) uint64 {
	t.Helper()
	subjects, err := q.Subjects(t.Context(), "embed", "m")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range subjects {
		if s.Job == job {
			return s.Messages
		}
	}
	return 0
}
