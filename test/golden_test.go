package test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/internal/foreign"
	"textmill/internal/golden"
)

// expected is a text with what sentence-transformers makes of it.
type expected struct {
	ID        string    `json:"id"`
	Text      string    `json:"text"`
	IDs       []int     `json:"input_ids"`
	Full      int       `json:"n_tokens_full"`
	Embedding []float64 `json:"embedding"`
}

func expectedTexts(t testing.TB) []expected {
	t.Helper()
	all := golden.Values[expected](t, filepath.Join("..", "models", "embed", "testdata", "golden.jsonl.gz"))
	if len(all) != 168 {
		t.Fatalf("%d golden texts, want 168", len(all))
	}
	return all
}

// vectors prints whole rows of one job.
const vectors = `
import json, sys
from deltalake import DeltaTable
import pyarrow.compute as pc
cols = ["record_id", "text", "error", "input_ids", "n_tokens", "truncated", "n_dropped", "norm", "dim", "embedding"]
t = DeltaTable(sys.argv[1]).to_pyarrow_table(columns=["job"] + cols)
for r in t.filter(pc.equal(t["job"], sys.argv[2])).select(cols).to_pylist():
    print(json.dumps(r))
`

type vectorRow struct {
	ID        string    `json:"record_id"`
	Text      string    `json:"text"`
	Error     *string   `json:"error"`
	IDs       []int     `json:"input_ids"`
	NTokens   int       `json:"n_tokens"`
	Truncated bool      `json:"truncated"`
	NDropped  int       `json:"n_dropped"`
	Norm      float64   `json:"norm"`
	Dim       int       `json:"dim"`
	Embedding []float64 `json:"embedding"`
}

// TestGoldenVectors takes the golden texts through queue and table: in one message, shuffled among other texts, each in
// a message of its own, and some of those so that nothing else can share a batch with them.
func TestGoldenVectors(t *testing.T) {
	d := startDaemon(t, newHome(t), "TEXTMILL_EXPORT_COMMIT_INTERVAL=10ms")
	all := expectedTexts(t)
	subject := "textmill.jobs.embed." + model
	job := func(name string, shard int, texts ...expected) message {
		type record struct {
			ID   string `json:"id"`
			Text string `json:"text"`
		}
		var records []record
		for _, g := range texts {
			records = append(records, record{g.ID, g.Text})
		}
		b, err := json.Marshal(map[string]any{"job": name, "shard": shard, "dataset": "golden", "records": records})
		if err != nil {
			t.Fatal(err)
		}
		return message{Subject: subject, Data: string(b)}
	}

	d.publish(job("together", 0, all...))
	d.await(logged("delivery settled"), 1)
	compare(t, d, "together", all)

	var mixed []expected
	for i := range 400 {
		mixed = append(mixed, expected{ID: fmt.Sprintf("other%d", i), Text: strings.Repeat("another text ", i*31%90)})
	}
	mixed = append(mixed, all...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	d.publish(job("shuffled", 0, mixed[:300]...), job("shuffled", 1, mixed[300:]...))
	d.await(logged("delivery settled"), 3)
	compare(t, d, "shuffled", all)

	var each []message
	var some []expected
	for i, g := range all {
		each = append(each, job("each", i, g))
		if i%7 == 1 || g.Text == "" || g.Full > 256 {
			some = append(some, g)
		}
	}
	d.publish(each...)
	d.await(logged("delivery settled"), 3+len(all))
	compare(t, d, "each", all)

	d.alone(t, some, func(i int, g expected) message { return job("alone", i, g) })
	compare(t, d, "alone", some)
}

// publishEach publishes a message, waits until the job says that it is committed, and goes on to the next.
const publishEach = `
import asyncio, json, sys, nats
async def main(url, messages):
    nc = await nats.connect(url)
    js = nc.jetstream()
    events = await js.subscribe("textmill.events.alone", ordered_consumer=True)
    for m in messages:
        await js.publish(m["subject"], m["data"].encode())
        while json.loads((await events.next_msg(timeout=60)).data)["type"] != "committed":
            pass
    await nc.close()
asyncio.run(main(sys.argv[1], json.load(open(sys.argv[2]))))
`

func (d *daemon) alone(t *testing.T, all []expected, job func(int, expected) message) {
	t.Helper()
	var messages []message
	for i, g := range all {
		messages = append(messages, job(i, g))
	}
	b, err := json.Marshal(messages)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "messages.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	foreign.Python(t, publishEach, d.nats, file)
}

// compare holds the rows of a job to the reference, and says how close they are.
func compare(t *testing.T, d *daemon, job string, all []expected) {
	t.Helper()
	got := map[string]vectorRow{}
	for _, r := range lines[vectorRow](t, foreign.Python(t, vectors, d.table("golden"), job)) {
		if _, twice := got[r.ID]; twice {
			t.Errorf("%s: record %s is there twice", job, r.ID)
		}
		got[r.ID] = r
	}
	worst := 1.0
	for _, g := range all {
		r := got[g.ID]
		if r.Error != nil || r.Text != g.Text || len(r.Embedding) != 384 || r.Dim != 384 || r.Norm <= 0 {
			t.Errorf("%s: record %s is %+v", job, g.ID, r)
			continue
		}
		dropped := max(g.Full-256, 0)
		if !slices.Equal(r.IDs, g.IDs) || r.NTokens != len(g.IDs) || r.NDropped != dropped || r.Truncated != (dropped > 0) {
			t.Errorf("%s: record %s has %d tokens, %d dropped, truncated %t; want %d, %d", job, g.ID, r.NTokens, r.NDropped, r.Truncated, len(g.IDs), dropped)
		}
		c := cosine(r.Embedding, g.Embedding)
		if worst = min(worst, c); !(c >= 0.99999) {
			t.Errorf("%s: record %s has cosine %.7f to the reference", job, g.ID, c)
		}
	}
	t.Logf("%s: the least cosine is %.8f", job, worst)
}
