package batches

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"textmill/client"
	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/jobs/embedded"
	"textmill/jobs/queue"
	"textmill/work/batchlines"
)

// bench is a queue and tables on which batches are carried out, with something that makes rows in place of a model.
type bench struct {
	t       *testing.T
	q       *queue.Queue
	tracker *queue.Tracker
	store   *export.Store
	log     bytes.Buffer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	server, err := embedded.Start(embedded.Options{Addr: "127.0.0.1:0", Dir: filepath.Join(t.TempDir(), "nats"), MaxPayload: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	b := &bench{t: t}
	log := slog.New(slog.NewTextHandler(&b.log, nil))
	if b.q, err = queue.Connect(t.Context(), queue.Options{URL: server.URL(), Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.q.Close)
	if err := b.q.EnsureStreams(t.Context(), queue.StreamOptions{}); err != nil {
		t.Fatal(err)
	}
	if b.store, err = export.OpenStore(export.Options{URI: filepath.Join(t.TempDir(), "tables"), Logger: log}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	if b.tracker, err = b.q.Track(t.Context(), queue.TrackOptions{OnEvent: b.confirm}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.tracker.Close)
	return b
}

// confirm answers requests to cancel as daemons do.
func (b *bench) confirm(e jobs.Event) {
	if e.Type == jobs.EventCancelled && e.Table == "" {
		e.Table = b.store.Path()
		if err := b.q.PublishEvent(b.t.Context(), e); err != nil && b.t.Context().Err() == nil {
			b.t.Error(err)
		}
	}
}

// batches are those of a process that takes over what was not heard of for a time.
func (b *bench) batches(takeover time.Duration, point func(string)) *Batches {
	o := Options{Queue: b.q, Tracker: b.tracker, Table: b.store.TablePath, Scratch: b.t.TempDir(), Takeover: takeover, Point: point,
		Log: slog.New(slog.NewTextHandler(&b.log, nil))}
	if point == nil {
		o.Point = func(string) {}
	}
	o.Submit = client.SubmitOptions{Limits: jobs.Limits{RecordsPerShard: 4}, Local: []client.LocalModel{
		{Name: "m", Task: naming.TaskEmbed, SHA256: "sha", Check: func([]byte) (export.Vectors, error) {
			return export.Vectors{Precision: "float32", Dim: 1}, nil
		}}, {Name: "g", Task: naming.TaskGenerate}}}
	o.Submit.Input.MaxRecordBytes = 4 << 10
	return New(o)
}

// run has a process work until the test ends, or stop is called.
func (b *bench) run(s *Batches) (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.Run(ctx)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	b.t.Cleanup(stop)
	return stop
}

// work makes rows of a batch's job until the test ends: a text's vector is its length, "dead" kills its shard.
func (b *bench) work(id string) {
	ctx, cancel := context.WithCancel(b.t.Context())
	var ended sync.WaitGroup
	ended.Go(func() {
		var from *queue.Consumer
		for ctx.Err() == nil {
			var got []*queue.Delivery
			var err error
			if from == nil {
				from, err = b.q.Consumer(ctx, jobs.Subject{Task: naming.TaskEmbed, Model: "m", Job: id}.String(), "sha")
			} else {
				got, err = from.Fetch(ctx, 1, 8<<20)
			}
			if err != nil && ctx.Err() == nil {
				b.t.Error(err)
				return
			}
			for _, d := range got {
				b.settle(d)
			}
			if len(got) == 0 {
				select {
				case <-ctx.Done():
				case <-time.After(5 * time.Millisecond): // the queue has no call that waits for messages
				}
			}
		}
	})
	b.t.Cleanup(func() { cancel(); ended.Wait() })
}

func (b *bench) settle(d *queue.Delivery) {
	ctx := context.WithoutCancel(b.t.Context())
	s, err := jobs.Decode(jobs.Message{Subject: d.Subject, Header: d.Header, Data: d.Data, Sequence: d.Sequence}, jobs.Limits{})
	if err != nil {
		b.t.Error(err)
		return
	}
	e := jobs.Event{Type: jobs.EventCommitted, Job: s.Job, Shard: s.EventID(), Table: b.store.TablePath(s.Dataset), Task: s.Task,
		Model: s.Model, Dataset: s.Dataset, Time: time.Now()}
	sum := sha256.Sum256(d.Data)
	e.PayloadSHA256 = hex.EncodeToString(sum[:])
	var rows []export.Row
	for _, r := range s.Records {
		row := export.Row{Job: s.Job, Shard: s.EventID(), RecordID: r.ID, Task: s.Task, Model: s.Model, Attributes: r.Attributes}
		switch {
		case r.Err != nil:
			row.Error = r.Err.String()
			e.Errors++
		case r.Text == "dead":
			e.Type = jobs.EventDead
		default:
			row.Embedding, row.Chunk = []float32{float32(len(r.Text))}, export.Some[int32](0)
		}
		rows = append(rows, row)
	}
	if e.Rows = int64(len(rows)); e.Type == jobs.EventDead {
		e.Rows, e.Errors, e.Class, e.Reason = 0, 0, jobs.Schema, "as the test wants it"
	} else if err := b.commit(ctx, d, s, rows); err != nil {
		b.t.Error(err)
	}
	if err := b.q.PublishEvent(ctx, e); err != nil {
		b.t.Error(err)
	}
	if err := d.Ack(ctx); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) commit(ctx context.Context, d *queue.Delivery, s *jobs.Shard, rows []export.Row) error {
	table, err := b.store.Table(s.Dataset)
	if err != nil {
		return err
	}
	batch, err := table.Begin(ctx, export.EmbeddingFloat32)
	if err == nil {
		err = batch.Add(export.JobKey(s.Task, s.Model, s.Job, s.EventID(), d.Data), rows)
	}
	if err == nil {
		_, err = batch.Commit(ctx)
	}
	return err
}

// create begins a batch of lines by a process.
func (b *bench) create(s *Batches, window time.Duration, lines ...string) Batch {
	b.t.Helper()
	c, err := s.Upload(b.t.Context(), strings.NewReader(strings.Join(lines, "\n")))
	if err != nil {
		b.t.Fatal(err)
	}
	f, err := s.AddFile(b.t.Context(), File{Name: "requests.jsonl", Purpose: PurposeBatch, Content: c})
	if err != nil {
		b.t.Fatal(err)
	}
	one, err := s.Create(b.t.Context(), Batch{Endpoint: "/v1/embeddings", InputFile: f.ID, Input: f.Content, Window: "24h"}, window)
	if err != nil {
		b.t.Fatal(err)
	}
	return one
}

// await returns a batch once it is as is wanted.
func (b *bench) await(s *Batches, id string, want func(*Batch) bool) Batch {
	b.t.Helper()
	deadline := time.After(time.Minute)
	for {
		one, err := s.Batch(b.t.Context(), id)
		if err != nil {
			b.t.Fatal(err)
		}
		if want(&one) {
			return one
		}
		select {
		case <-deadline:
			b.t.Fatalf("it stays %+v", one)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func over(b *Batch) bool { return b.Status.Over() }

// answers are the codes of a batch's lines by custom_id, "" of a good one; each must be there once.
func (b *bench) answers(s *Batches, one *Batch) map[string]string {
	b.t.Helper()
	all := map[string]string{}
	for _, f := range []*File{one.Output, one.Errors} {
		if f == nil {
			continue
		}
		have, err := s.File(b.t.Context(), f.ID)
		if err != nil {
			b.t.Fatalf("%s: %v", f.ID, err)
		}
		raw, err := io.ReadAll(s.Open(b.t.Context(), have))
		if err != nil {
			b.t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			var l batchlines.Line
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				b.t.Fatal(err)
			}
			if _, twice := all[l.CustomID]; twice {
				b.t.Errorf("%s is answered twice", l.CustomID)
			}
			if all[l.CustomID] = ""; l.Error != nil {
				all[l.CustomID] = l.Error.Code
			}
		}
	}
	return all
}

// requests are lines that ask for the vectors of texts r0, r1 and so on.
func requests(texts ...string) (lines []string) {
	for i, text := range texts {
		lines = append(lines, fmt.Sprintf(`{"custom_id":"r%d","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":%q}}`, i, text))
	}
	return lines
}

func numbered(n int) (texts []string) {
	for i := range n {
		texts = append(texts, strings.Repeat("x", i+1))
	}
	return texts
}
