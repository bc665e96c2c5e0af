package daemon

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"textmill/jobs"
)

// scraped are a daemon's metrics by name and labels, as Prometheus reads them.
func (r *running) scraped() map[string]float64 {
	r.t.Helper()
	values := map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(r.get("/metrics"))); lines.Scan(); {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil && strings.HasPrefix(name, "textmill_") {
			values[name] = n
		}
	}
	return values
}

// What became of two jobs is in the metrics to the last token.
func TestMetricsSayWhatBecameOfJobs(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	payload := `{"job":"j","shard":0,"dataset":"docs","params":{"max_length":4},"records":[{"id":"a","text":"one"},` +
		`{"id":"b","text":"one two three four five"},{"id":"c","text":7}]}`
	r.publish("textmill.jobs.embed."+model+".j", nil, payload)
	if e := r.await(jobs.EventCommitted); e.Errors != 1 || e.Truncated != 1 {
		t.Fatalf("%+v", e)
	}
	broken := `{"job":"k","shard":0,"records":`
	r.publish("textmill.jobs.embed."+model+".k", nil, broken)
	r.await(jobs.EventDead)
	if err := r.daemon.inFlight.Wait(t.Context()); err != nil { // until both are settled and counted
		t.Fatal(err)
	}
	values := r.scraped()
	m := `{model="` + model + `"}`
	for name, want := range map[string]float64{
		"textmill_ready": 1, "textmill_deliveries_in_flight": 0,
		`textmill_deliveries_total{verdict="committed"}`:                          1,
		`textmill_deliveries_total{verdict="dead"}`:                               1,
		`textmill_dead_letters_total{class="invalid_job"}`:                        1,
		`textmill_error_rows_total{class="invalid_record",model="` + model + `"}`: 1,
		"textmill_truncated_rows_total" + m:                                       1,
		"textmill_dropped_tokens_total" + m:                                       3,
		"textmill_tokens_total" + m:                                               3 + 4,
		"textmill_batches_total" + m:                                              values["textmill_run_seconds_count"+m],
		"textmill_wait_seconds_count" + m:                                         values["textmill_run_seconds_count"+m],
		"textmill_assemble_seconds_count" + m:                                     values["textmill_run_seconds_count"+m],
		"textmill_queue_seconds_count" + m:                                        2,
		"textmill_read_bytes_total" + m:                                           float64(len(payload) + len(broken)),
		`textmill_rows_total{dataset="docs",error="false"}`:                       2,
		`textmill_rows_total{dataset="docs",error="true"}`:                        1,
		`textmill_commits_total{dataset="docs",result="committed"}`:               1,
		"textmill_commit_seconds_count":                                           1,
		"textmill_gather_seconds_count":                                           1,
		fmt.Sprintf(`textmill_model_info{device="cpu",model=%q,model_sha256=%q,precision="fp32",task="embed"}`, model,
			r.daemon.consumers[0].spec.SHA256): 1,
	} {
		if values[name] != want {
			t.Errorf("%s is %v, want %v", name, values[name], want)
		}
	}
	if n := values["textmill_tokenize_seconds_count"+m]; n < 1 || n > 2 {
		t.Errorf("%v records were timed", n)
	}
	if n := values[`textmill_written_bytes_total{dataset="docs"}`]; n < 1000 {
		t.Errorf("%v bytes written", n)
	}
	r.daemon.keeper.LookAtLag(t.Context())
	after := r.scraped()
	for name, want := range map[string]float64{"textmill_lag_messages" + m: 0, "textmill_lag_seconds" + m: 0,
		"textmill_lag_records" + m: 0, "textmill_dead_letters_held": 1,
		`textmill_stream_limit_bytes{stream="TEXTMILL_JOBS"}`: float64(cfg.NATS.JobsMaxBytes)} {
		if got, there := after[name]; !there || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if after[`textmill_stream_bytes{stream="TEXTMILL_DEAD"}`] <= 0 {
		t.Error("the stream of dead letters has no size")
	}
}
