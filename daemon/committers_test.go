package daemon

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"textmill/export"
	"textmill/jobs"
)

// More datasets than may be open at a time take their turns: nothing is handed back, and what was closed is opened again.
func TestDatasetsTakeTurns(t *testing.T) {
	cfg := testConfig(t)
	cfg.Export.MaxOpen = 3
	cfg.Export.CommitInterval = time.Hour // only who waits for a committer makes the others commit
	r := start(t, cfg)
	const datasets = 20
	for round := range 2 {
		for n := range datasets {
			r.publish(embedSubject, nil, fmt.Sprintf(`{"job":"turns","shard":%d,"dataset":"d%d","records":[{"id":"%d","text":"a few words"}]}`, round*datasets+n, n, round))
		}
	}
	for range 2*datasets - cfg.Export.MaxOpen { // what the last ones hold is committed by the drain
		r.await(jobs.EventCommitted)
	}
	r.drain()
	for n := range datasets {
		in, err := export.Inspect(t.Context(), filepath.Join(cfg.Export.URI, fmt.Sprint("d", n)))
		if err != nil || in.Rows != 2 {
			t.Errorf("dataset d%d: %+v, %v; want 2 rows", n, in, err)
		}
	}
	if n := strings.Count(r.log.String(), "verdict=handed_back"); n > 0 {
		t.Errorf("%d deliveries were handed back", n)
	}
}
