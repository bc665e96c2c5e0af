package telemetry

import (
	"log/slog"
	"testing"
	"time"

	"textmill/config"
	"textmill/internal/otlp"
)

const sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// Publishers who ask that all of their messages be told of get the share that is configured and a little more.
func TestPublishersCannotHaveEverythingTraced(t *testing.T) {
	collector := otlp.Receive(t)
	open := func(share float64) *Tracer {
		tracer, err := Open(t.Context(), config.Telemetry{TracesSample: share, Endpoint: collector.URL}, "v1", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		return tracer
	}
	header := func(name string) string { return map[string]string{"traceparent": sampled}[name] }
	const messages = 20_000
	few, told, begun := open(0.01), 0, time.Now()
	for range messages {
		if s := few.Shard(header, Names{}, time.Now()); s.Told() {
			told++
		}
		if header, done := few.Publish(Names{}, Trace{"traceparent": sampled}); header == nil {
			t.Fatal("the trace is not handed on")
		} else {
			done(nil)
		}
	}
	most := othersAtOnce + 2*0.01*messages + othersASecond*time.Since(begun).Seconds() + 1
	if told < othersAtOnce/2 || float64(told) > most {
		t.Errorf("%d of %d are told of, want up to %.0f", told, messages, most)
	}
	every := open(1)
	for range messages / 10 {
		if s := every.Shard(header, Names{}, time.Now()); !s.Told() {
			t.Fatal("one is left out where everything is to be told")
		}
	}
	for _, tracer := range []*Tracer{few, every} {
		_ = tracer.Close() // whether all of it is sent in time is nothing to this test
	}
}
