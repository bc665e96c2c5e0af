package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"textmill/ground/places"
	"textmill/internal/foreign"
	"textmill/internal/s3"
)

// bothModels is a home with a model of 384 dimensions and another of 32.
func bothModels(t *testing.T) string {
	t.Helper()
	home := newHome(t)
	shared, err := filepath.EvalSymlinks(places.Models(home))
	if err == nil {
		err = os.Remove(places.Models(home))
	}
	if err == nil {
		err = os.Mkdir(places.Models(home), 0o755)
	}
	if err == nil {
		err = os.Symlink(filepath.Join(shared, model), filepath.Join(places.Models(home), model))
	}
	if err != nil {
		t.Fatal(err)
	}
	call{home: home}.ok(t, "models", "import", tinyBERT, "--name", "tiny")
	return home
}

// TestSyncInABucketAndToAnotherDimension has a corpus in a bucket go through its second day, and then to a model whose
// vectors have another dimension: each is one commit.
func TestSyncInABucketAndToAnotherDimension(t *testing.T) {
	server := s3.ForTest(t)
	home, uri := bothModels(t), "s3://"+s3.Name+"/sync"
	env := append(server.Env(), "TEXTMILL_EXPORT_URI="+uri)
	d := startDaemon(t, home, append(env, "TEXTMILL_MODELS_TINY_BATCH_TOKENS=1024")...)
	sync := func(code int, texts map[string]string, args ...string) (s synced, stderr string) {
		t.Helper()
		c := d.client()
		c.stdin, c.env = jsonl(texts), append(c.env, env...)
		r := c.run(t, append([]string{"submit", "--json", "--sync", "--dataset", "docs", "-"}, args...)...)
		if r.code != code || code == 0 && json.Unmarshal([]byte(r.stdout), &s) != nil {
			t.Fatalf("submit --sync %v: exit %d, want %d\n%s%s", args, r.code, code, r.stdout, r.stderr)
		}
		return s, r.stderr
	}
	now := texts(30, "first")
	sync(0, now, "--model", model)
	first, now := now, changed(now, 1)
	s, _ := sync(0, now, "--model", model, "--delete-missing")
	if s.counts() != [5]int{26, 1, 3, 1, 0} {
		t.Errorf("the second day is %+v", s.Sync)
	}
	holds := func(version int, want map[string]string, model string, dim int) {
		t.Helper()
		const script = `
import sys, json, deltalake
t = deltalake.DeltaTable(sys.argv[1], version=int(sys.argv[2]))
rows = t.to_pyarrow_table(columns=["record_id", "text", "model", "dim", "embedding", "error"]).to_pylist()
print(json.dumps({"vectors": t.metadata().configuration["textmill.vectors"], "rows": [
    [r["record_id"], r["text"], r["model"], r["dim"], len(r["embedding"]), r["error"]] for r in rows]}))`
		var got struct {
			Vectors string
			Rows    [][6]any
		}
		out := foreign.Python(t, script, uri+"/docs", fmt.Sprint(version))
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		left := maps.Clone(want)
		for _, r := range got.Rows {
			id := r[0].(string)
			if r != [6]any{id, left[id], model, float64(dim), float64(dim), nil} {
				t.Errorf("version %d has the row %v", version, r)
			}
			delete(left, id)
		}
		if len(left) > 0 || len(got.Rows) != len(want) || got.Vectors != fmt.Sprint("float32/", dim) {
			t.Errorf("version %d holds %d rows of %s, without %v", version, len(got.Rows), got.Vectors, left)
		}
	}
	holds(s.Sync.Version-1, first, model, 384)
	holds(s.Sync.Version, now, model, 384)

	// What would stay as it is cannot stand beside vectors of another dimension.
	some := maps.Clone(now)
	delete(some, "r002")
	if _, stderr := sync(2, some, "--model", "tiny"); !strings.Contains(stderr, "--delete-missing") ||
		!strings.Contains(stderr, "of 384") || !strings.Contains(stderr, "of 32") {
		t.Errorf("a migration of a part: %s", stderr)
	}
	before := s.Sync.Version
	s, _ = sync(0, now, "--model", "tiny")
	if s.counts() != [5]int{0, 0, len(now), 0, 0} || s.Sync.Version != before+1 {
		t.Errorf("the migration is %+v, after version %d", s.Sync, before)
	}
	holds(before, now, model, 384)
	holds(before+1, now, "tiny", 32)

	// The model of before no longer fits, and harms nothing.
	c := d.client()
	c.stdin, c.env = jsonl(texts(3, "late")), append(c.env, env...)
	if r := c.run(t, "submit", "--model", model, "--dataset", "docs", "--job", "late", "-"); r.code == 0 || !strings.Contains(r.stderr, "schema") {
		t.Errorf("the old model's rows: exit %d, %s", r.code, r.stderr)
	}
	sync(0, now, "--model", "tiny")
	holds(before+1, now, "tiny", 32)
	left, err := filepath.Glob(filepath.Join(server.Objects(), "sync", ".sync-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("staging tables stay: %v, %v", left, err)
	}
}
