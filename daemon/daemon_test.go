package daemon

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/config"
	"textmill/ground/places"
	"textmill/internal/foreign"
	"textmill/jobs"
	"textmill/jobs/queue"
)

const embedSubject = "textmill.jobs.embed." + model

func TestJobBecomesRows(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	r.publish(embedSubject, nil, `{"job":"docs-1","shard":0,"shards":1,"dataset":"docs","records":[
		{"id":"a","text":"read a file line by line","attributes":{"lang":"en","n":3}},
		{"id":7,"text":"zweite"},
		{"text":"third"},
		{"id":"a","text":"again"},
		{"id":"bad","text":5}]}`)
	e := r.await(jobs.EventCommitted)
	if e.Job != "docs-1" || e.Shard != "0" || e.Rows != 5 || e.Errors != 2 {
		t.Errorf("committed event is %+v", e)
	}
	r.await(jobs.EventDone)
	rows := readTable(t, cfg, "docs")
	var seen []string
	for _, row := range rows {
		failure, _ := row["error"].(string)
		class, _, _ := strings.Cut(failure, ":")
		vector, _ := row["embedding"].([]any)
		seen = append(seen, fmt.Sprintf("%v %v %d %s", row["record_id"], row["n_tokens"], len(vector), class))
		if row["model_sha256"] != r.daemon.consumers[0].spec.SHA256 || row["model"] != model {
			t.Errorf("row is stamped with model %v %v", row["model"], row["model_sha256"])
		}
	}
	want := "0-2 3 384 ,7 5 384 ,a 8 384 ,a <nil> 0 duplicate_id,bad <nil> 0 invalid_record"
	if got := strings.Join(seen, ","); got != want {
		t.Errorf("rows are\n%s, want\n%s", got, want)
	}
	const footer = `
import sys, deltalake, pyarrow.parquet
files = deltalake.DeltaTable(sys.argv[1]).file_uris()
print(pyarrow.parquet.read_metadata(files[0]).metadata[b"textmill.model_sha256.all-MiniLM-L6-v2"].decode())
`
	stamp := strings.TrimSpace(foreign.Python(t, footer, filepath.Join(cfg.Export.URI, "docs")))
	if stamp != r.daemon.consumers[0].spec.SHA256 {
		t.Errorf("the part's footer says model_sha256 %s", stamp)
	}
}

func TestTablesAreMadeWithTheConfiguredModes(t *testing.T) {
	cfg := testConfig(t)
	cfg.Export.DirMode, cfg.Export.FileMode = 0o710, 0o600
	r := start(t, cfg)
	r.publish(embedSubject, nil, `{"job":"m","shard":0,"dataset":"docs","records":[{"id":"a","text":"x"}]}`)
	r.await(jobs.EventCommitted)
	for name, want := range map[string]os.FileMode{"": 0o710, "docs": 0o710, "docs/_delta_log": 0o710, "docs/_delta_log/00000000000000000001.json": 0o600} {
		if info, err := os.Stat(filepath.Join(cfg.Export.URI, name)); err != nil || info.Mode().Perm() != want {
			t.Errorf("tables/%s: %v, %v; want %v", name, info, err, want)
		}
	}
}

func TestPlainTextIsARecord(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	r.publish(embedSubject, jobs.Header{"Content-Type": {"text/plain"}, "Textmill-Dataset": {"notes"}}, "hello there")
	r.await(jobs.EventCommitted)
	rows := readTable(t, cfg, "notes")
	if len(rows) != 1 || rows[0]["text"] != "hello there" || rows[0]["record_id"] != "1" || rows[0]["job"] != "text" {
		t.Errorf("rows are %v", rows)
	}
}

func TestBadMessagesAreDeadLetters(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	for name, payload := range map[string]string{
		"not JSON":       `{"job":`,
		"no records":     `{"job":"j","shard":0}`,
		"wrong type":     `{"job":"j","shard":0,"records":{"id":"a"}}`,
		"unsafe dataset": `{"job":"j","shard":0,"dataset":"../x","records":[{"text":"a"}]}`,
		"forbidden file": `{"job":"j","shard":9,"input":{"uri":"file:///etc/passwd","format":"text","offset":0,"length":10,"size":10,"mtime":"2026-01-02T03:04:05Z"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			r.publish(embedSubject, nil, payload)
			r.await(jobs.EventDead)
		})
	}
	r.publish(embedSubject, nil, `{"job":"ok","shard":0,"records":[{"id":"a","text":"fine"}]}`)
	r.await(jobs.EventCommitted)
}

func TestBadParamsAreErrorRows(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	r.publish(embedSubject, nil, `{"job":"p","shard":0,"dataset":"p","params":{"dimension":5},"records":[{"id":"a","text":"x"},{"id":"b","text":"y"}]}`)
	if e := r.await(jobs.EventCommitted); e.Rows != 2 || e.Errors != 2 {
		t.Errorf("event is %+v", e)
	}
	for _, row := range readTable(t, cfg, "p") {
		if failure, _ := row["error"].(string); !strings.HasPrefix(failure, "invalid_param: ") || !strings.Contains(failure, "dimensions") {
			t.Errorf("error is %v", row["error"])
		}
	}
}

func TestRepeatedShardIsSkippedAndChangedOneIsADeadLetter(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	payload := `{"job":"twice","shard":3,"dataset":"twice","records":[{"id":"a","text":"x"}]}`
	r.publish(embedSubject, nil, payload)
	r.await(jobs.EventCommitted)
	r.publish(embedSubject, nil, payload)
	r.publish(embedSubject, nil, strings.Replace(payload, `"x"`, `"y"`, 1))
	r.await(jobs.EventDead)
	if rows := readTable(t, cfg, "twice"); len(rows) != 1 || rows[0]["text"] != "x" {
		t.Errorf("rows are %v", rows)
	}
}

func TestEventsTellPayloadsApart(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	first := `{"job":"told","shard":0,"shards":2,"dataset":"told","params":{"max_length":4},"records":[{"id":"a","text":"one two three four five six"},{"id":"b","text":"one"}]}`
	other := strings.Replace(first, "six", "seven", 1)
	wrong := `{"job":"told","shard":1,"shards":2,"dataset":"told","records":7}`
	of := func(kind, payload string) jobs.Event {
		return jobs.Event{Type: kind, Job: "told", Shard: "0", Shards: 2, PayloadSHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(payload))),
			Task: "embed", Model: model, Dataset: "told"}
	}
	check := func(want jobs.Event) {
		t.Helper()
		got := r.await(want.Type)
		want.Table, want.Version, want.Time, want.Published = got.Table, got.Version, got.Time, got.Published
		if got.Reason != "" {
			want.Reason = got.Reason
		}
		if got != want {
			t.Errorf("event is\n%+v, want\n%+v", got, want)
		}
	}
	r.publish(embedSubject, nil, first)
	committed := of(jobs.EventCommitted, first)
	committed.Rows, committed.Truncated, committed.Dropped = 2, 1, 4
	check(committed)
	r.publish(embedSubject, nil, other)
	dead := of(jobs.EventDead, other)
	dead.Class, dead.Reason = jobs.IdentityConflict, "why"
	check(dead)
	r.publish(embedSubject+".told", nil, wrong)
	dead = of(jobs.EventDead, wrong)
	dead.Shards, dead.Shard, dead.Class, dead.Reason = 0, "1", jobs.InvalidJob, "why"
	check(dead)
	// A crash forgets that the event was published, or the duplicate window is over.
	r.drain()
	forgetEvents(t, cfg)
	r = start(t, cfg)
	r.publish(embedSubject, nil, first)
	committed.Truncated, committed.Dropped, committed.Uncounted = 0, 0, true
	check(committed)
}

func TestEachModelGetsItsRows(t *testing.T) {
	cfg := testConfig(t)
	second := filepath.Join(t.TempDir(), "second")
	if err := os.Symlink(places.Model(cfg.Home, model), second); err != nil {
		t.Fatal(err)
	}
	cfg.Models["second"] = config.Model{BatchTokens: 1024, Path: second}
	r := start(t, cfg)
	const payload = `{"job":"both","shard":0,"dataset":"both","records":[{"id":"a","text":"x"},{"id":"b","text":"y"}]}`
	subjects := []string{"textmill.jobs.embed." + model + ".both", "textmill.jobs.embed.second.both"}
	told := map[string]int64{}
	for range 2 { // the second time they are duplicates, each of its own model's rows
		for _, subject := range subjects {
			r.publish(subject, nil, payload)
		}
		for range subjects {
			e := r.await(jobs.EventCommitted)
			told[e.Model] += e.Rows
		}
		r.drain()
		forgetEvents(t, cfg)
		r = start(t, cfg)
	}
	if told[model] != 4 || told["second"] != 4 {
		t.Errorf("events tell of %v rows", told)
	}
	counts := map[any]int{}
	for _, row := range readTable(t, cfg, "both") {
		counts[row["model"]]++
	}
	if len(counts) != 2 || counts[model] != 2 || counts["second"] != 2 {
		t.Errorf("delta-rs counts %v", counts)
	}
}

func TestOtherVectorsThanTheTablesAreDeadLetters(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	job := func(name, dataset, params string) {
		r.publish(embedSubject+"."+name, nil, fmt.Sprintf(`{"job":%q,"shard":0,"dataset":%q,"params":%s,"records":[{"id":%q,"text":"some words"}]}`, name, dataset, params, name))
	}
	job("first", "one", `{}`)
	r.await(jobs.EventCommitted)
	const batches = `textmill_batches_total{model="` + model + `"}`
	computed := r.metric(batches)
	for name, c := range map[string]struct{ params, says string }{
		"shorter":  {`{"dimensions":128}`, "float32 vectors of 128 dimensions"},
		"tokens":   {`{"pooling":"none"}`, "float32 vectors of 384 dimensions for each token"},
		"bytes":    {`{"precision":"int8"}`, "list<byte>"},
		"unsigned": {`{"precision":"ubinary"}`, "list<short>"},
	} {
		job(name, "one", c.params)
		e := r.await(jobs.EventDead)
		if e.Class != jobs.Schema || !strings.Contains(e.Reason, c.says) || e.Job != name {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if after := r.metric(batches); after != computed {
		t.Errorf("%s batches after %s: some ran for what the table cannot hold", after, computed)
	}
	for _, dataset := range []string{"two", "one"} {
		job("again-"+dataset, dataset, map[string]string{"one": `{"max_length":8}`, "two": `{"pooling":"none"}`}[dataset])
		if e := r.await(jobs.EventCommitted); e.Rows != 1 || e.Errors != 0 {
			t.Errorf("%+v", e)
		}
	}
	// What makes no vectors is welcome anywhere.
	job("failing", "two", `{"max_length":1000000}`)
	if e := r.await(jobs.EventCommitted); e.Errors != 1 {
		t.Errorf("%+v", e)
	}
	for dataset, want := range map[string]int{"one": 2, "two": 2} {
		if rows := readTable(t, cfg, dataset); len(rows) != want {
			t.Errorf("%s has %d rows, want %d", dataset, len(rows), want)
		}
	}
}

// A client of before retries any letter: what the table has comes back as a letter, and nothing is there twice.
func TestARetriedConflictIsALetterAgain(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	const first = `{"job":"night","shard":0,"shards":1,"dataset":"night","records":[{"id":"a","text":"x"}]}`
	r.publish(embedSubject+".night", nil, first)
	r.await(jobs.EventCommitted)
	for _, word := range []string{"y", "z"} { // each payload has a letter of its own
		r.publish(embedSubject+".night", nil, strings.Replace(first, `"x"`, `"`+word+`"`, 1))
		r.await(jobs.EventDead)
	}
	ids := r.letters(2)
	if _, err := r.queue.RetryDead(t.Context(), ids[0]); err != nil {
		t.Fatal(err)
	}
	if e := r.await(jobs.EventDead); e.Class != jobs.IdentityConflict || e.Shard != "0/r1" {
		t.Errorf("%+v", e)
	}
	r.letters(2)
	if _, err := r.queue.RepublishDead(t.Context(), ids[1], "night-2"); err != nil {
		t.Fatal(err)
	}
	for _, e := range r.awaitAll(jobs.EventResolved, jobs.EventCommitted) {
		e.Time, e.Version, e.Table = time.Time{}, 0, ""
		resolved := jobs.Event{Type: jobs.EventResolved, Job: "night", Shard: "0", Dataset: "night", Class: jobs.IdentityConflict, Reason: "published as job night-2",
			Task: e.Task, Model: e.Model, PayloadSHA256: e.PayloadSHA256}
		if e.Type == jobs.EventResolved && e != resolved || e.Type == jobs.EventCommitted && (e.Job != "night-2" || e.Rows != 1) {
			t.Errorf("%+v", e)
		}
	}
	for _, id := range r.letters(1) { // the retry's
		if _, err := r.queue.DropDead(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if e := r.await(jobs.EventResolved); e.Job != "night" || e.Shard != "0/r1" {
		t.Errorf("%+v", e)
	}
	tracker, err := r.queue.Track(t.Context(), queue.TrackOptions{Job: "night"})
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	if s, _ := tracker.Job("night"); s.State != queue.StateDone || s.Dead != 0 || s.Resolved != 2 || s.Rows != 1 {
		t.Errorf("the job is %+v", s)
	}
	var got []string
	for _, row := range readTable(t, cfg, "night") {
		got = append(got, fmt.Sprint(row["job"], row["text"]))
	}
	if slices.Sort(got); !slices.Equal(got, []string{"night-2z", "nightx"}) {
		t.Errorf("rows are %v", got)
	}
}

func TestDrainFinishesWhatWasFetched(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	const shards, each = 20, 50
	for s := range shards {
		var records []string
		for i := range each {
			records = append(records, fmt.Sprintf(`{"id":"%d-%d","text":"the record %d of shard %d has some words"}`, s, i, i, s))
		}
		r.publish(embedSubject, nil, fmt.Sprintf(`{"job":"drain","shard":%d,"shards":%d,"dataset":"drain","records":[%s]}`, s, shards, strings.Join(records, ",")))
	}
	r.await(jobs.EventCommitted)
	r.drain()
	rows := readTable(t, cfg, "drain")
	if len(rows)%each != 0 || len(rows) == 0 {
		t.Errorf("%d rows after the drain, want whole shards of %d", len(rows), each)
	}
	again := start(t, cfg)
	again.await(jobs.EventDone)
	seen := map[any]int{}
	for _, row := range readTable(t, cfg, "drain") {
		seen[row["record_id"]]++
	}
	if len(seen) != shards*each {
		t.Errorf("%d records in the table, want %d", len(seen), shards*each)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("record %v is there %d times", id, n)
		}
	}
}

func TestCancelledJobNeverAppears(t *testing.T) {
	cfg := testConfig(t)
	r := start(t, cfg)
	r.publish(embedSubject, nil, `{"job":"other","shard":0,"dataset":"c","records":[{"id":"o","text":"x"}]}`)
	r.await(jobs.EventCommitted)
	if err := r.queue.PublishEvent(t.Context(), jobs.Event{Type: jobs.EventCancelled, Job: "gone"}); err != nil {
		t.Fatal(err)
	}
	for e := r.await(jobs.EventCancelled); e.Table == ""; e = r.await(jobs.EventCancelled) {
	}
	r.publish(embedSubject, nil, `{"job":"gone","shard":0,"dataset":"c","records":[{"id":"g","text":"y"}]}`)
	r.publish(embedSubject, nil, `{"job":"later","shard":0,"dataset":"c","records":[{"id":"l","text":"z"}]}`)
	r.await(jobs.EventCommitted)
	r.drain()
	for _, row := range readTable(t, cfg, "c") {
		if row["job"] == "gone" {
			t.Error("a row of the cancelled job is in the table")
		}
	}
}
