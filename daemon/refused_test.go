package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"textmill/export"
	"textmill/internal/foreign"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// Work for a table that this version cannot write waits until it can: it is no dead letter, and everybody is told. A column that
// may be null is no obstacle.
func TestWorkForARefusedTableWaits(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	shard := func(n int) {
		r.publish(embedSubject, nil, fmt.Sprintf(`{"job":"w","shard":%d,"dataset":"docs","records":[{"id":"%d","text":"some words"}]}`, n, n))
	}
	shard(0)
	r.await(jobs.EventCommitted)
	path := filepath.Join(cfg.Export.URI, "docs")
	foreign.Python(t, `
import sys, deltalake
from deltalake.schema import Field, PrimitiveType
deltalake.DeltaTable(sys.argv[1]).alter.add_columns([Field("review", PrimitiveType("string"))])`, path)
	shard(1)
	r.await(jobs.EventCommitted)

	evolve := func(change func(schema string) string) {
		t.Helper()
		in, err := export.Inspect(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := json.Marshal(map[string]any{"metaData": map[string]any{"id": in.ID, "format": map[string]any{"provider": "parquet", "options": map[string]any{}},
			"schemaString": change(in.Schema), "partitionColumns": []string{}, "configuration": map[string]any{}}})
		if err == nil {
			err = os.WriteFile(filepath.Join(path, "_delta_log", fmt.Sprintf("%020d.json", in.Version+1)), append(entry, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const mayBe, mustNot = `"name":"review","nullable":true`, `"name":"review","nullable":false`
	evolve(func(schema string) string {
		ordered := strings.Replace(schema, `{"name":"review","type":"string","nullable":true`, `{"name":"review","nullable":true,"type":"string"`, 1)
		if !strings.Contains(ordered, mayBe) {
			t.Fatalf("the schema is %s", schema)
		}
		return strings.Replace(ordered, mayBe, mustNot, 1)
	})
	shard(2)
	r.awaitLogged("a table cannot be written to by this version; work for it waits in the queue", "")
	if said := r.get("/status"); !strings.Contains(said, `"docs":"table is not one`) {
		t.Errorf("/status says %s", said)
	}
	if said := r.get("/readyz"); !strings.HasPrefix(said, "ready\n") || !strings.Contains(said, "review must not be null") {
		t.Errorf("/readyz says %s", said)
	}
	if said := r.get("/metrics"); !strings.Contains(said, `textmill_refused_tables{dataset="docs"} 1`) {
		t.Error("/metrics does not tell")
	}
	// Other tables are served meanwhile.
	r.publish(embedSubject, nil, `{"job":"other","shard":0,"dataset":"other","records":[{"id":"o","text":"some words"}]}`)
	if e := r.await(jobs.EventCommitted); e.Job != "other" {
		t.Errorf("committed: %+v", e)
	}
	evolve(func(schema string) string { return strings.Replace(schema, mustNot, mayBe, 1) })
	if e := r.await(jobs.EventCommitted); e.Job != "w" || e.Shard != "2" {
		t.Errorf("committed: %+v", e)
	}
	if rows := readTable(t, cfg, "docs"); len(rows) != 3 || rows[2]["review"] != nil {
		t.Errorf("rows are %v", rows)
	}
	if said := r.get("/metrics"); strings.Contains(said, `textmill_refused_tables{`) {
		t.Error("/metrics still tells of a refused table")
	}
	err := r.queue.ListDead(t.Context(), func(e queue.DeadEntry) bool {
		t.Errorf("a dead letter: %+v", e)
		return true
	})
	if err != nil {
		t.Error(err)
	}
}

func TestRefusedDelayGrows(t *testing.T) {
	for delivered, want := range map[int]time.Duration{0: handBackDelay, 1: handBackDelay, 2: 2 * handBackDelay, 4: 8 * handBackDelay, 5: time.Minute, 1000: time.Minute} {
		if got := refusedDelay(delivered); got != want {
			t.Errorf("after %d deliveries it waits %v, want %v", delivered, got, want)
		}
	}
}
