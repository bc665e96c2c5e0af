package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/internal/foreign"
)

// publish is nats.py, as somebody who has never seen our code would use it. Each argument is a message of its own.
const publish = `
import asyncio, json, sys, nats
async def main(url, messages):
    nc = await nats.connect(url)
    js = nc.jetstream()
    for m in messages:
        ack = await js.publish(m["subject"], m["data"].encode("utf-8", "surrogateescape"), headers=m.get("headers"))
        print(json.dumps({"stream": ack.stream, "seq": ack.seq, "duplicate": bool(ack.duplicate)}))
    await nc.close()
asyncio.run(main(sys.argv[1], json.load(open(sys.argv[2]))))
`

type message struct {
	Subject string            `json:"subject"`
	Data    string            `json:"data"`
	Headers map[string]string `json:"headers,omitempty"`
}

func (d *daemon) publish(messages ...message) {
	d.t.Helper()
	b, err := json.Marshal(messages)
	if err != nil {
		d.t.Fatal(err)
	}
	d.publishRaw(string(b))
}

// publishRaw is publish for messages as JSON, where a lone surrogate \udc80 to \udcff stands for a byte that is no UTF-8.
func (d *daemon) publishRaw(messages string) {
	d.t.Helper()
	file := filepath.Join(d.t.TempDir(), "messages.json")
	if err := os.WriteFile(file, []byte(messages), 0o600); err != nil {
		d.t.Fatal(err)
	}
	foreign.Python(d.t, publish, d.nats, file)
}

// settled waits until the table says so many commits.
func (d *daemon) settled(dataset string, rowsWanted int) map[string]row {
	d.t.Helper()
	var got map[string]row
	waitUntil(d.t, "the rows are committed", func() bool {
		if len(logEntries(d.table(dataset))) < 2 {
			return false
		}
		got = rows(d.t, d.table(dataset))
		return len(got) >= rowsWanted
	})
	return got
}

func TestForeignPublisher(t *testing.T) {
	d := startDaemon(t, newHome(t))
	subject := "textmill.jobs.embed." + model
	job := message{Subject: subject, Data: `{"job":"py","shard":0,"shards":1,"dataset":"foreign","records":[
		{"id":"j1","text":"from nats.py","attributes":{"lang":"en","n":3}},{"id":5,"text":"a numeric id"},{"text":"no id"}]}`}
	d.publish(job,
		message{Subject: subject, Data: "a plain text", Headers: map[string]string{
			"Content-Type": "text/plain", "Nats-Msg-Id": "plain-1", "Textmill-Dataset": "foreign",
		}},
		message{Subject: subject, Data: "text of no dataset", Headers: map[string]string{"Content-Type": "text/plain"}},
		message{Subject: subject, Data: `{"job":"bad","shard":0,"dataset":"../x","records":[{"text":"x"}]}`},
		job, // a publisher that repeats what it is unsure of
		message{Subject: subject, Data: "after it", Headers: map[string]string{
			"Content-Type": "text/plain", "Nats-Msg-Id": "plain-2", "Textmill-Dataset": "foreign",
		}},
	)
	got := d.settled("foreign", 5)
	for id, text := range map[string]string{"j1": "from nats.py", "5": "a numeric id", "0-2": "no id", "plain-1": "a plain text"} {
		if got[id].Text != text || got[id].Error != "" {
			t.Errorf("record %s: %+v", id, got[id])
		}
	}
	if len(got) != 5 || got["j1"].Attributes["n"] != "3" || got["plain-1"].Job != "text" {
		t.Errorf("rows: %+v", got)
	}
	if len(d.settled("default", 1)) != 1 {
		t.Error("the text without a dataset is not in the table default")
	}
	type letter struct{ ID, Class, Reason string }
	var dead []letter
	waitUntil(t, "the unsafe name is a dead letter", func() bool {
		dead = nil
		for line := range strings.Lines(d.client().ok(t, "dead", "list", "--json").stdout) {
			var l letter
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			dead = append(dead, l)
		}
		return len(dead) > 0
	})
	if len(dead) != 1 || dead[0].Class != "invalid_job" || !strings.Contains(dead[0].Reason, "../x") {
		t.Errorf("dead letters: %+v", dead)
	}
	if show := d.client().ok(t, "dead", "show", dead[0].ID).stdout; !strings.Contains(show, `"dataset":"../x"`) {
		t.Errorf("the payload is not shown: %s", show)
	}
	if _, err := os.Stat(filepath.Join(d.home, "x")); err == nil {
		t.Error("a dataset left the export root")
	}
}

// foreignReaders prints what each reader sees of a table: ids with vectors, in the order of ids.
const foreignReaders = `
import json, sys, pathlib
import duckdb, polars, pyarrow.parquet, pyarrow, deltalake, duckdb_extension_delta
table, files = sys.argv[1], json.loads(sys.argv[2])
delta = next(pathlib.Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension"))
con = duckdb.connect()
con.execute("SET enable_progress_bar=false") # it would go where the answer goes
con.execute(f"LOAD '{delta}'")
query = "SELECT record_id, embedding FROM {} ORDER BY record_id"
seen = {
    "deltalake": [(r["record_id"], r["embedding"]) for r in deltalake.DeltaTable(table).to_pyarrow_table().sort_by("record_id").to_pylist()],
    "polars": polars.read_delta(table).sort("record_id").select("record_id", "embedding").rows(),
    "pyarrow": [(r["record_id"], r["embedding"]) for r in pyarrow.concat_tables([pyarrow.parquet.read_table(f) for f in files]).sort_by("record_id").to_pylist()],
    "duckdb files": con.execute(query.format(f"read_parquet({files})")).fetchall(),
    "duckdb delta": con.execute(query.format(f"delta_scan('{table}')")).fetchall(),
}
first = [(i, list(v) if v is not None else None) for i, v in seen["deltalake"]]
for name, rows in seen.items():
    assert [(i, list(v) if v is not None else None) for i, v in rows] == first, name
print(len(first))
`

// maintain is what delta-rs does to a table in the course of a year.
const maintain = `
import sys
from deltalake import DeltaTable
t = DeltaTable(sys.argv[1])
t.create_checkpoint()
print(t.optimize.compact()["numFilesRemoved"])
t = DeltaTable(sys.argv[1])
t.create_checkpoint()
`

// TestForeignReadersAgree lets four readers compare a table, and delta-rs maintain it.
func TestForeignReadersAgree(t *testing.T) {
	d := startDaemon(t, newHome(t))
	subject := "textmill.jobs.embed." + model
	shard := func(n string) message {
		return message{Subject: subject, Data: `{"job":"r","shard":` + n + `,"dataset":"readers","records":[
			{"id":"a` + n + `","text":"text ` + n + `"},{"id":"b` + n + `","text":"another ` + n + `"},{"id":"c` + n + `"}]}`}
	}
	for i, n := range []string{"0", "1", "2"} { // in commits of their own
		d.publish(shard(n))
		d.settled("readers", 3*(i+1))
	}
	table := d.table("readers")
	files := strings.Fields(call{}.ok(t, "table", "files", table).stdout)
	for _, f := range files {
		if !filepath.IsAbs(f) {
			t.Errorf("%s is not absolute", f)
		}
	}
	list, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	if n := foreign.Python(t, foreignReaders, table, string(list)); n != "9\n" {
		t.Errorf("the readers agree on %q rows, want 9", n)
	}
	if removed := foreign.Python(t, maintain, table); removed != "6\n" { // three of error rows
		t.Errorf("OPTIMIZE replaced %q files, want 6", removed)
	}
	if now := strings.Fields(call{}.ok(t, "table", "files", table).stdout); len(now) != 1 || slices.Contains(files, now[0]) {
		t.Errorf("after OPTIMIZE the live files are %v", now)
	}
	d.publish(shard("1"), shard("3")) // one that the log must still know, and one that is new
	if got := d.settled("readers", 12); len(got) != 12 {
		t.Errorf("%d rows after a repeated message, want 12", len(got))
	}
	if r := (call{}).run(t, "table", "verify", table); r.code != 0 {
		t.Errorf("table verify: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
