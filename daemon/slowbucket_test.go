package daemon

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"textmill/daemon/inflight"
	"textmill/export"
	"textmill/internal/s3"
	"textmill/jobs"
)

// While a bucket takes its time for a part of one dataset, the model's deliveries are fetched and worked on, also those of that
// dataset, and others' are committed.
func TestSlowUploadHoldsUpItsDatasetAlone(t *testing.T) {
	server := s3.ForTest(t)
	cfg := testConfig(t)
	cfg.Export.URI, cfg.Export.Scratch = "s3://"+s3.Name, filepath.Join(t.TempDir(), "scratch")
	r := start(t, cfg)
	send := func(dataset string, shard int) {
		r.publish(embedSubject, nil, fmt.Sprintf(`{"job":%q,"shard":%d,"dataset":%[1]q,"records":[{"id":"a","text":"a few words"}]}`, dataset, shard))
	}
	send("slow", 0)
	r.await(jobs.EventCommitted)
	waits, first := make(chan struct{}), true
	server.Break("slow", func(r *http.Request) s3.Action {
		if !first || r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, ".parquet") {
			return s3.Pass
		}
		first = false
		close(waits)
		return s3.Stall
	})
	t.Cleanup(func() { server.Resume("slow") })
	send("slow", 1)
	<-waits
	send("slow", 2)
	send("other", 0)
	if e := r.await(jobs.EventCommitted); e.Dataset != "other" {
		t.Errorf("committed is %s of dataset %s, whose part is still on its way", e.Shard, e.Dataset)
	}
	held := r.daemon.inFlight.All(func(d *inflight.Delivery) bool { return d.Dataset == "slow" && d.Shard == "2" })
	if len(held) != 1 {
		t.Error("what came next for the dataset was not fetched")
	}
	server.Resume("slow")
	r.await(jobs.EventCommitted)
	r.await(jobs.EventCommitted)
	r.drain()
	for dataset, want := range map[string]int64{"slow": 3, "other": 1} {
		if in, err := export.Inspect(t.Context(), cfg.Export.URI+"/"+dataset); err != nil || in.Rows != want {
			t.Errorf("dataset %s: %+v, %v; want %d rows", dataset, in, err, want)
		}
	}
}
