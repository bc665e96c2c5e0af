package daemon

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"textmill/config"
	"textmill/jobs"
	"textmill/models/checkpoint"
)

// tinyWriter is a generation model that makes thousands of tokens a second, in texts of up to 1,024, with so many slots.
func tinyWriter(t *testing.T, slots int) map[string]config.Model {
	t.Helper()
	source := filepath.Join(t.TempDir(), "tiny")
	if err := os.CopyFS(source, os.DirFS("../models/checkpoint/testdata/tiny/llama")); err != nil {
		t.Fatal(err)
	}
	tokenizer, err := os.ReadFile("../work/generation/testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, "tokenizer.json"), tokenizer, 0o644); err != nil {
		t.Fatal(err)
	}
	architecture := filepath.Join(source, "config.json")
	data, err := os.ReadFile(architecture)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Replace(string(data), `"max_position_embeddings": 64`, `"max_position_embeddings": 1024`, 1)
	if long == string(data) {
		t.Fatalf("%s names no context of 64", data)
	}
	if err := os.WriteFile(architecture, []byte(long), 0o644); err != nil {
		t.Fatal(err)
	}
	talks := `{"chat_template": "{% for m in messages %}{{ m.role }}: {{ m.content }}\\n{% endfor %}"}`
	if err := os.WriteFile(filepath.Join(source, "tokenizer_config.json"), []byte(talks), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := checkpoint.Import(t.Context(), checkpoint.Options{Source: source, Dir: t.TempDir(), Name: "tiny"})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]config.Model{"tiny": {Path: got.Dir, Slots: slots}}
}

// Four messages that ask for 128 texts each, as long as may be, keep no job of four tokens waiting until one of them is done,
// whether their jobs have subjects of their own or share one; and they can be cancelled.
func TestBigTextsHoldUpNobody(t *testing.T) {
	for name, own := range map[string]bool{"own subjects": true, "a shared subject": false} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			cfg.Models = tinyWriter(t, 2)
			r := start(t, cfg)
			publish := func(job, params string) {
				subject := "textmill.jobs.generate.tiny"
				if own {
					subject += "." + job
				}
				r.publish(subject, nil, fmt.Sprintf(`{"job":%q,"shard":0,"shards":1,"dataset":"texts","params":%s,"records":[{"id":%q,"text":"a"}]}`, job, params, job))
			}
			for i := range 4 {
				publish(fmt.Sprint("big-", i), `{"n":128,"max_new_tokens":1000000000,"ignore_eos":true,"temperature":1}`)
			}
			publish("small", `{"max_new_tokens":4,"ignore_eos":true}`)
			if e := r.await(jobs.EventCommitted); e.Job != "small" || e.Rows != 1 || e.Errors != 0 || e.Tokens != 4 {
				t.Errorf("first committed is %+v", e)
			}
			for i := range 4 {
				if err := r.queue.PublishEvent(t.Context(), jobs.Event{Type: jobs.EventCancelled, Job: fmt.Sprint("big-", i)}); err != nil {
					t.Fatal(err)
				}
			}
			dropped := map[string]bool{}
			for len(dropped) < 4 {
				dropped[r.await(jobs.EventDropped).Job] = true
			}
			r.drain()
			if rows := readTable(t, cfg, "texts"); len(rows) != 1 || rows[0]["job"] != "small" {
				t.Errorf("%d rows, want the small job's", len(rows))
			}
		})
	}
}

// A daemon that is stopped amid texts hands back what it feeds and what waits to be fed, and the next one makes each text once.
func TestDrainHandsBackWhatWaitsToBeFed(t *testing.T) {
	cfg := testConfig(t)
	cfg.Models, cfg.DrainTimeout = tinyWriter(t, 4), time.Second
	r := start(t, cfg)
	publish := func(job string, shard, n, tokens int) {
		r.publish("textmill.jobs.generate.tiny."+job, nil, fmt.Sprintf(`{"job":%q,"shard":%d,"dataset":"texts","params":{"n":%d,"max_new_tokens":%d,"ignore_eos":true,"temperature":1},`+
			`"records":[{"id":%q,"text":"a"}]}`, job, shard, n, tokens, fmt.Sprint(job, shard)))
	}
	for shard := range 3 {
		publish("big-0", shard, 16, 1000)
		publish("big-1", shard, 16, 1000)
	}
	publish("small", 0, 1, 4)
	r.await(jobs.EventCommitted)
	r.drain()
	if !strings.Contains(r.log.String(), "verdict=handed_back") {
		t.Error("it handed nothing back")
	}
	r = start(t, cfg)
	for done := map[string]bool{}; len(done) < 7; {
		e := r.await(jobs.EventCommitted)
		done[e.Job+e.Shard] = true
	}
	r.drain()
	seen := map[string]int{}
	for _, row := range readTable(t, cfg, "texts") {
		seen[fmt.Sprint(row["record_id"], "-", row["chunk"])]++
	}
	if len(seen) != 6*16+1 {
		t.Errorf("%d texts, want %d", len(seen), 6*16+1)
	}
	for text, n := range seen {
		if n != 1 {
			t.Errorf("text %s is there %d times", text, n)
		}
	}
}
