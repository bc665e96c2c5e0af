package queue

import (
	"strconv"
	"strings"
	"testing"

	"textmill/jobs"
	"textmill/jobs/embedded"
)

// BenchmarkShards carries shards of 100 records from PublishJob through Fetch and
// Decode to a confirmed ack, on the embedded server.
func BenchmarkShards(b *testing.B) {
	s, err := embedded.Start(embedded.Options{Addr: "127.0.0.1:0", Dir: b.TempDir(), Logger: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	ctx := b.Context()
	q, err := Connect(ctx, Options{URL: s.URL(), Logger: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	defer q.Close()
	if err := q.EnsureStreams(ctx, StreamOptions{}); err != nil {
		b.Fatal(err)
	}
	e := jobs.Envelope{Job: "j", Shard: "0", Dataset: "d"}
	payload := e.Open(nil)
	for i := range 100 {
		r := jobs.Record{ID: strconv.Itoa(i), Text: strings.Repeat("word ", 40)}
		if payload = r.AppendJSON(payload); i < 99 {
			payload = append(payload, ',')
		}
	}
	payload = e.Close(payload)
	c, err := q.Consumer(ctx, "textmill.jobs.embed.m.j", "sha")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(payload)))
	b.ResetTimer()
	go func() {
		for range b.N {
			if err := q.PublishJob(ctx, JobMessage{Subject: "textmill.jobs.embed.m.j", Data: payload}); err != nil {
				return // Flush tells
			}
		}
	}()
	for n := 0; n < b.N; {
		got, err := c.Fetch(ctx, 64, 4<<20)
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range got {
			if _, err := jobs.Decode(d.Message(), jobs.Limits{}); err != nil {
				b.Fatal(err)
			}
			if err := d.Ack(ctx); err != nil {
				b.Fatal(err)
			}
		}
		n += len(got)
	}
	if err := q.Flush(ctx); err != nil {
		b.Fatal(err)
	}
}
