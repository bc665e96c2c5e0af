package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"textmill/config"
	"textmill/internal/otlp"
	"textmill/jobs"
	"textmill/open/telemetry"
)

// TestTracesFollowAShard publishes a shard as submit does, and finds all of its way in one trace, in order, and its id in the log.
func TestTracesFollowAShard(t *testing.T) {
	collector := otlp.Receive(t)
	cfg := testConfig(t)
	cfg.Telemetry = config.Telemetry{TracesSample: 1, Endpoint: collector.URL}
	publisher, err := telemetry.Open(t.Context(), cfg.Telemetry, "v1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, cfg)
	header, sent := publisher.Publish(telemetry.Names{Job: "j", Shard: "0", Dataset: "docs", Task: "embed", Model: model}, nil)
	if !strings.HasPrefix(jobs.Header(header).Get("traceparent"), "00-") {
		t.Fatalf("the message has the headers %v", header)
	}
	r.publish("textmill.jobs.embed."+model+".j", header,
		`{"job":"j","shard":0,"dataset":"docs","records":[{"id":"a","text":"one"},{"id":"b","text":"two words"},{"id":"c","text":7}]}`)
	sent(nil)
	r.await(jobs.EventCommitted)
	r.publish("textmill.jobs.embed."+model+".k", nil, `{"job":"k","shard":0,"records":`) // of a publisher who knows of no traces
	r.await(jobs.EventDead)
	r.drain()
	if err := publisher.Close(); err != nil {
		t.Fatal(err)
	}
	spans, _ := collector.Spans()
	byName, dead := map[string]otlp.Span{}, map[string]otlp.Span{}
	for _, s := range spans {
		if s.Resource["service.name"] != "textmill" {
			t.Errorf("%s is of %v", s.Name, s.Resource)
		}
		if s.Trace == strings.Split(jobs.Header(header).Get("traceparent"), "-")[1] {
			byName[s.Name] = s
		} else {
			dead[s.Name] = s
		}
	}
	shard := byName["shard"]
	if shard.Parent != byName["publish"].ID || shard.Texts["textmill.job"] != "j" || shard.Texts["textmill.model"] != model ||
		shard.Texts["textmill.verdict"] != "committed" || shard.Numbers["textmill.rows"] != 3 || shard.Numbers["textmill.error_rows"] != 1 {
		t.Errorf("the shard: %+v", shard)
	}
	var before otlp.Span
	for _, name := range []string{"queue", "fetch", "turn", "tokenize", "run", "commit", "ack"} {
		s, there := byName[name]
		switch {
		case !there || s.Parent != shard.ID || s.Ended.Before(s.Begun):
			t.Errorf("%s: %+v", name, s)
		case name != "queue" && name != "fetch" && s.Ended.Before(before.Ended):
			t.Errorf("%s ended before %s", name, before.Name)
		case name != "queue" && name != "fetch" && (s.Begun.Before(shard.Begun) || s.Ended.After(shard.Ended)):
			t.Errorf("%s is not within its shard", name)
		}
		before = s
	}
	if n := byName["tokenize"].Numbers["textmill.times"]; n != 2 {
		t.Errorf("%d records were tokenized", n)
	}
	if n := byName["run"].Numbers["textmill.times"]; n < 1 || n > 2 {
		t.Errorf("%d batches ran", n)
	}
	if s := dead["shard"]; s.Parent != "" || s.Texts["textmill.verdict"] != "dead" {
		t.Errorf("the dead letter's: %+v", s)
	}
	if !strings.Contains(r.log.String(), "trace_id="+shard.Trace) {
		t.Error("the log does not name the trace")
	}
}

// A batch whose creator names a trace is told of in it, from the upload of its requests to the commits of its shards, as the
// trace's own choice says and not the sample.
func TestTracesFollowABatch(t *testing.T) {
	collector := otlp.Receive(t)
	cfg := testConfig(t)
	cfg.Telemetry, cfg.Limits.RecordsPerShard = config.Telemetry{TracesSample: 1e-9, Endpoint: collector.URL}, 2
	r := start(t, cfg)
	const told, untold, span = "0af7651916cd43dd8448eb211c80319c", "0af7651916cd43dd8448eb211c80319d", "b7ad6b7169203331"
	lines := ""
	for i := range 3 {
		lines += fmt.Sprintf(`{"custom_id":"%d","method":"POST","url":"/v1/embeddings","body":{"model":%q,"input":"one"}}`+"\n", i, model)
	}
	for _, parent := range []string{"00-" + untold + "-" + span + "-00", "00-" + told + "-" + span + "-01"} {
		body, kind := form(t, "purpose", "batch", "file", lines)
		post := func(path, kind string, body io.Reader) string {
			status, raw := r.do(http.MethodPost, path, body, "Content-Type", kind, "Traceparent", parent)
			var made struct{ ID string }
			if err := json.Unmarshal(raw, &made); err != nil || status != http.StatusOK {
				t.Fatalf("%s: %d %s", path, status, raw)
			}
			return made.ID
		}
		file := post("/v1/files", kind, body)
		r.awaitBatch(post("/v1/batches", "application/json", strings.NewReader(
			`{"input_file_id":"`+file+`","endpoint":"/v1/embeddings","completion_window":"24h"}`)), "completed")
	}
	r.drain()
	spans, _ := collector.Spans()
	counts := map[string]int{}
	for _, s := range spans {
		if s.Trace != told {
			t.Errorf("%s is told of trace %s", s.Name, s.Trace)
		}
		if counts[s.Name]++; s.Parent != span && (s.Name == "upload" || s.Name == "publish" || s.Name == "collect") {
			t.Errorf("%s has the parent %s", s.Name, s.Parent)
		}
	}
	for name, n := range map[string]int{"upload": 1, "validate": 1, "publish-batch": 1, "publish": 2, "shard": 2, "commit": 2, "ack": 2, "collect": 1} {
		if counts[name] != n {
			t.Errorf("%d spans %s; all are %v", counts[name], name, counts)
		}
	}
}

// Nothing is sent where nothing is asked for, whatever publishers and the environment say.
func TestNothingIsTracedUnlessAskedFor(t *testing.T) {
	collector := otlp.Receive(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
	r := start(t, testConfig(t))
	r.publish("textmill.jobs.embed."+model+".j", jobs.Header{"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
		`{"job":"j","shard":0,"dataset":"docs","records":[{"id":"a","text":"one"}]}`)
	r.await(jobs.EventCommitted)
	r.drain()
	if spans, requests := collector.Spans(); requests > 0 {
		t.Errorf("%d requests came, of %+v", requests, spans)
	}
	if strings.Contains(r.log.String(), "trace_id") {
		t.Error("the log names a trace")
	}
	if none, err := telemetry.Open(context.Background(), config.Telemetry{}, "v1", nil); none != nil || err != nil {
		t.Errorf("%v, %v", none, err)
	}
}

// A share is told of, those that publishers chose among them, and a collector that is away costs nothing but a line of the log.
func TestTracesAreSampled(t *testing.T) {
	collector := otlp.Receive(t)
	half, err := telemetry.Open(t.Context(), config.Telemetry{TracesSample: 0.5, Endpoint: collector.URL}, "v1", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	told, chosen := 0, 0
	for range 500 {
		s := half.Shard(func(string) string { return "" }, telemetry.Names{}, time.Now())
		if s.End("committed", 1, 0, nil); s.Told() {
			told++
		}
		if header, done := half.Publish(telemetry.Names{}, nil); header != nil {
			done(nil)
			if s := half.Shard(jobs.Header(header).Get, telemetry.Names{}, time.Now()); s.Told() {
				chosen++
				s.End("committed", 1, 0, nil)
			}
		}
	}
	if told < 175 || told > 325 || chosen < 175 || chosen > 325 { // six standard deviations
		t.Errorf("%d and %d of 500 are told of", told, chosen)
	}
	if s := half.Shard(jobs.Header{"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}}.Get, telemetry.Names{}, time.Now()); s.Told() {
		t.Error("one that its publisher left out is told of")
	}
	for _, hostile := range []string{"", "00", "00-zz-11-01", strings.Repeat("a", 1<<16), "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x"} {
		half.Shard(jobs.Header{"traceparent": {hostile}}.Get, telemetry.Names{}, time.Now()).End("committed", 1, 0, io.EOF)
	}
	if err := half.Close(); err != nil {
		t.Error(err)
	}
	if _, err := telemetry.Open(t.Context(), config.Telemetry{TracesSample: 1}, "v1", nil); err == nil || !strings.Contains(err.Error(), "telemetry.endpoint") {
		t.Errorf("without a place to send to: %v", err)
	}
}
