package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"textmill/internal/foreign"
)

// synced is what `submit --sync --json` answers.
type synced struct {
	Job  string
	Rows int
	Sync struct{ Unchanged, New, Changed, Deleted, Retried, Missing, Version int }
}

func (s synced) counts() [5]int {
	return [5]int{s.Sync.Unchanged, s.Sync.New, s.Sync.Changed, s.Sync.Deleted, s.Sync.Retried}
}

// syncs runs `submit --sync` with records on standard input, and wants an exit code.
func (d *daemon) syncs(t *testing.T, code int, texts map[string]string, args ...string) (synced, string) {
	t.Helper()
	c := d.client()
	c.stdin = jsonl(texts)
	c.env = append(c.env, "TEXTMILL_LIMITS_RECORDS_PER_SHARD=20")
	r := c.run(t, append([]string{"submit", "--json", "--sync", "--model", model}, append(args, "-")...)...)
	var s synced
	if r.code != code || code == 0 && json.Unmarshal([]byte(r.stdout), &s) != nil {
		t.Fatalf("submit --sync %v: exit %d, want %d\n%s%s", args, r.code, code, r.stdout, r.stderr)
	}
	return s, r.stderr
}

// jsonl is records in no order of their ids.
func jsonl(texts map[string]string) string {
	var b strings.Builder
	for id, text := range texts {
		line, err := json.Marshal(map[string]any{"id": id, "text": text, "lang": "en"})
		if err != nil {
			panic(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

// isTable checks by delta-rs that a table has exactly these records, each once, with a vector and the hash of its content.
func (d *daemon) isTable(t *testing.T, dataset string, texts map[string]string) {
	t.Helper()
	const script = `
import sys, json, deltalake
t = deltalake.DeltaTable(sys.argv[1]).to_pyarrow_table(columns=["record_id", "text", "content_sha256", "dim", "error"])
print(json.dumps([[r["record_id"], r["text"], len(r["content_sha256"] or ""), r["dim"] or 0, r["error"] or ""] for r in t.to_pylist()]))`
	var got [][5]any
	if err := json.Unmarshal([]byte(foreign.Python(t, script, d.table(dataset))), &got); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range got {
		id := r[0].(string)
		if seen[id] || r[1] != texts[id] || r[2] != 64.0 || r[3] != 384.0 || r[4] != "" {
			t.Errorf("%s has the row %v, want %q once", dataset, r, texts[id])
		}
		seen[id] = true
	}
	if len(seen) != len(texts) {
		t.Errorf("%s has %d records, want %d", dataset, len(seen), len(texts))
	}
	call{}.ok(t, "table", "verify", d.table(dataset))
}

func texts(n int, kind string) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[fmt.Sprintf("r%03d", i)] = fmt.Sprintf("%s text number %d", kind, i)
	}
	return all
}

// stagings are the staging tables that lie beside a daemon's.
func (d *daemon) stagings(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(filepath.Dir(d.table("x")), ".sync-*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestSyncMakesADatasetItsInput goes through the life of a corpus.
func TestSyncMakesADatasetItsInput(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, newHome(t))
	sync := func(want [5]int, texts map[string]string, args ...string) synced {
		t.Helper()
		s, stderr := d.syncs(t, 0, texts, append([]string{"--dataset", "docs"}, args...)...)
		if s.counts() != want {
			t.Errorf("the sync says %+v, want %v\n%s", s.Sync, want, stderr)
		}
		if left := d.stagings(t); len(left) > 0 {
			t.Errorf("staging tables stay: %v", left)
		}
		return s
	}
	now := texts(100, "first")
	if _, stderr := d.syncs(t, 0, now, "--dataset", "docs", "--dry-run"); !strings.Contains(stderr, "compared 100 records for dataset docs, which is new, in ") {
		t.Errorf("of a dataset that is not there yet: %s", stderr)
	}
	sync([5]int{0, 100, 0, 0, 0}, now)
	d.isTable(t, "docs", now)
	if s := sync([5]int{100, 0, 0, 0, 0}, now); s.Job != "" {
		t.Errorf("where nothing changed there is a job %s", s.Job)
	}
	first := maps.Clone(now)
	now["r003"], now["r050"], now["new"] = "another text", "one more", "a new one"
	delete(now, "r099")
	dry := sync([5]int{97, 1, 2, 1, 0}, now, "--dry-run", "--delete-missing")
	if list := d.client().ok(t, "table", "list").stdout; !strings.Contains(list, "docs") || strings.Contains(list, ".sync") {
		t.Errorf("table list says %s", list)
	}
	d.isTable(t, "docs", first)
	if s := sync([5]int{97, 1, 2, 0, 0}, now); s.Sync.Missing != 1 || s.Sync.Version <= dry.Sync.Version {
		t.Errorf("without --delete-missing: %+v after %+v", s.Sync, dry.Sync)
	}
	sync([5]int{100, 0, 0, 1, 0}, now, "--delete-missing")
	d.isTable(t, "docs", now)
	// A → B → A: what was settled once is settled no more.
	sync([5]int{97, 1, 2, 1, 0}, first, "--delete-missing")
	d.isTable(t, "docs", first)
	sync([5]int{97, 1, 2, 1, 0}, now, "--delete-missing")
	d.isTable(t, "docs", now)

	if _, stderr := d.syncs(t, 2, nil, "--dataset", "docs", "--delete-missing"); !strings.Contains(stderr, "--delete-all") {
		t.Errorf("an empty input: %s", stderr)
	}
	d.isTable(t, "docs", now)
	sync([5]int{0, 0, 0, 100, 0}, nil, "--delete-missing", "--delete-all")
	d.isTable(t, "docs", nil)
	// Deleted and submitted again, more than once.
	sync([5]int{0, 100, 0, 0, 0}, now)
	d.isTable(t, "docs", now)
}

// TestSyncMakesTheTableAsConfigured has a sync make its dataset's table: the configuration of whoever syncs says how.
func TestSyncMakesTheTableAsConfigured(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, newHome(t))
	now := texts(10, "first")
	file := filepath.Join(d.home, "parted.yaml")
	if err := os.WriteFile(file, []byte("export:\n  partition_by: [\"parted=task,model\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	d.syncs(t, 0, now, "--dataset", "parted", "--config", file)
	const by = `
import sys, deltalake
t = deltalake.DeltaTable(sys.argv[1])
print(t.metadata().partition_columns, sorted({v for p in t.partitions() for v in p.values()}))`
	if got := foreign.Python(t, by, d.table("parted")); got != "['task', 'model'] ['"+model+"', 'embed']\n" {
		t.Errorf("the table is partitioned by %s", got)
	}
	d.isTable(t, "parted", now)
	c := d.client()
	c.stdin = jsonl(now)
	if r := c.run(t, "submit", "--sync", "--model", model, "--dataset", "other", "--set", "export.partition_by=other=shard", "-"); r.code == 0 ||
		!strings.Contains(r.stderr, "export.partition_by: other=shard") {
		t.Errorf("by a column that no table is partitioned by: exit %d, %s", r.code, r.stderr)
	}
}

// TestSyncAfterARestore has another tool put an older version back: what the sync after that one brought comes again.
func TestSyncAfterARestore(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, newHome(t))
	a, b := texts(30, "a"), texts(30, "b")
	d.syncs(t, 0, a, "--dataset", "docs")
	d.syncs(t, 0, b, "--dataset", "docs")
	for range 2 {
		foreign.Python(t, "import sys, deltalake\ndeltalake.DeltaTable(sys.argv[1]).restore(1)", d.table("docs"))
		d.isTable(t, "docs", a)
		if s, _ := d.syncs(t, 0, b, "--dataset", "docs"); s.counts() != [5]int{0, 0, 30, 0, 0} {
			t.Errorf("after a restore the sync says %+v", s.Sync)
		}
		d.isTable(t, "docs", b)
	}
}

// TestSyncRefusesWhatIsNoIdentity names records without ids, and ids that are given twice.
func TestSyncRefusesWhatIsNoIdentity(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, newHome(t))
	dir := t.TempDir()
	for input, want := range map[string]string{
		`{"text":"x"}`: "line 1: the record has no id",
		`{"id":"a","text":"x"}` + "\n" + `{"id":"b","text":"x"}` + "\n" + `{"id":"a","text":"y"}`: `the id "a" is given twice`,
	} {
		c := d.client()
		c.stdin = input
		if r := c.run(t, "submit", "--sync", "--model", model, "--dataset", "ids", "-"); r.code != 2 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit %d, %s", input, r.code, r.stderr)
		}
	}
	path := filepath.Join(dir, "lines.txt")
	if err := os.WriteFile(path, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := d.client().run(t, "submit", "--sync", "--model", model, "--dataset", "ids", path); r.code != 2 || !strings.Contains(r.stderr, "has no id") {
		t.Errorf("lines of text: exit %d, %s", r.code, r.stderr)
	}
	if r := d.client().run(t, "submit", "--sync", "--no-wait", "--model", model, "--dataset", "ids", path); r.code != 2 || !strings.Contains(r.stderr, "--no-wait") {
		t.Errorf("--no-wait: exit %d, %s", r.code, r.stderr)
	}
	if left := slices.Concat(d.stagings(t)); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestRetryErrorsReplacesErrorRows has rows that failed for a reason that is gone computed again, and names what a row does
// not hold.
func TestRetryErrorsReplacesErrorRows(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, newHome(t))
	c := d.client()
	c.stdin = `{"id":"a","text":"one"}` + "\n" + `{"id":"b","text":"two","lang":"en"}` + "\n" + `{"id":"none"}` + "\n"
	c.ok(t, "submit", "--model", model, "--dataset", "docs", "--param", "normalize=false", "--job", "first", "-")
	const fail = `
import sys, deltalake
deltalake.DeltaTable(sys.argv[1]).update(updates={"error": "'timeout: the run took too long'"}, predicate="record_id in ('a', 'b')")`
	foreign.Python(t, fail, d.table("docs"))
	if got := rows(t, d.table("docs")); got["a"].Error == "" || got["b"].Error == "" {
		t.Fatalf("before the retry the table holds %+v", got)
	}
	left := d.client().run(t, "table", "retry-errors", "docs")
	if left.code != 1 || !strings.Contains(left.stderr, "record b (timeout") || !strings.Contains(left.stderr, "other params") ||
		!strings.Contains(left.stderr, "record none (invalid_record") || !strings.Contains(left.stderr, "not in the row") {
		t.Errorf("with other params: exit %d\n%s%s", left.code, left.stdout, left.stderr)
	}
	for _, want := range []string{"2 errors tried again", "no error row that can be tried again"} {
		r := d.client().run(t, "table", "retry-errors", "docs", "--param", "normalize=false")
		if r.code != 1 || !strings.Contains(r.stdout+r.stderr, want) || !strings.Contains(r.stderr, "record none (") {
			t.Errorf("exit %d, want %q\n%s%s", r.code, want, r.stdout, r.stderr)
		}
	}
	got := rows(t, d.table("docs"))
	if len(got) != 3 || got["a"].Error != "" || got["b"].Error != "" || got["none"].Error == "" || got["b"].Attributes["lang"] != "en" {
		t.Errorf("the table holds %+v", got)
	}
	call{}.ok(t, "table", "verify", d.table("docs"))
}
