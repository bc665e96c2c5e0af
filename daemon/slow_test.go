package daemon

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"textmill/daemon/commit"
	"textmill/export"
	"textmill/export/disk"
	"textmill/jobs"
	"textmill/work/rows"
)

// counter counts the records of one dataset's jobs that reach a model.
type counter struct {
	engine
	job string
	n   atomic.Int64
}

func (c *counter) Work(s *jobs.Shard, o rows.Origin) rows.Work {
	w := c.engine.Work(s, o)
	if o.Job != c.job {
		return w
	}
	return countedWork{w, c}
}

type countedWork struct {
	rows.Work
	c *counter
}

func (w countedWork) Do(ctx context.Context, r jobs.Record, done func([]export.Row)) error {
	w.c.n.Add(1)
	return w.Work.Do(ctx, r, done)
}

// One dataset's commit that takes long holds up no other's: their rows are computed and committed beside it. Of its own no more are
// computed than may wait, and none is lost.
func TestASlowCommitHoldsUpNoOtherDataset(t *testing.T) {
	cfg := testConfig(t)
	cfg.Limits.WindowTokens = 1024
	var armed atomic.Bool
	var once sync.Once
	reached, release := make(chan struct{}), make(chan struct{})
	around := func(op *disk.Op, do func() error) error {
		if op.Kind == disk.OpLink && armed.Load() && strings.Contains(op.Dir, string(filepath.Separator)+"slow") {
			once.Do(func() { close(reached) })
			<-release
		}
		return do()
	}
	const backlog, deliveries, records = 64 << 10, 40, 20 // a row takes more than 2 KiB; the window and the model hold some more
	seen := counter{job: "slow"}
	r := startChanged(t, cfg, func(d *Daemon) {
		store, err := export.OpenStore(export.Options{URI: cfg.Export.URI, Version: "test", Logger: d.log, Intercept: around})
		if err != nil {
			t.Fatal(err)
		}
		d.onClose("tables of the test", store.Close)
		d.committers = commit.New(commit.Options{Store: store, MaxOpen: 8, Interval: cfg.Export.CommitInterval, PartBytes: 1 << 20,
			Backlog: backlog, EndsJob: d.events.EndsJob, Metrics: d.metrics, Log: d.log})
		for _, c := range d.consumers {
			c.committers, seen.engine = d.committers, c.engine
			c.engine = &seen
		}
	})
	publish := func(job string, shard int) {
		var list []string
		for i := range records {
			list = append(list, fmt.Sprintf(`{"id":"%d-%d","text":%q}`, shard, i, strings.Repeat("word ", 10+i)))
		}
		r.publish(embedSubject+"."+job, nil, fmt.Sprintf(`{"job":%q,"shard":%d,"dataset":%[1]q,"records":[%[3]s]}`, job, shard, strings.Join(list, ",")))
	}
	publish("slow", 0)
	r.await(jobs.EventCommitted)
	armed.Store(true)
	publish("slow", 1)
	<-reached
	for n := range deliveries - 2 {
		publish("slow", 2+n)
	}
	for n := range deliveries {
		publish("fast", n)
		if e := r.await(jobs.EventCommitted); e.Dataset != "fast" || e.Rows != records {
			t.Errorf("%+v", e)
		}
	}
	if n, most := seen.n.Load(), int64(2*records+backlog/(2<<10)+8*records); n > most {
		t.Errorf("%d records of the dataset that waits were given to the model, want at most %d", n, most)
	}
	close(release)
	for range deliveries - 1 {
		if e := r.await(jobs.EventCommitted); e.Dataset != "slow" || e.Rows != records {
			t.Errorf("%+v", e)
		}
	}
	r.drain()
	for _, dataset := range []string{"slow", "fast"} {
		ids := map[any]bool{}
		all := readTable(t, cfg, dataset)
		for _, row := range all {
			ids[row["record_id"]] = true
		}
		if len(all) != deliveries*records || len(ids) != len(all) {
			t.Errorf("%s has %d rows of %d records, want %d", dataset, len(all), len(ids), deliveries*records)
		}
	}
}
