package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"textmill/internal/foreign"
)

// readAnswers is how a client of OpenAI's batches reads embeddings.
const readAnswers = `
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
assert all(l["error"] is None and l["response"]["status_code"] == 200 for l in lines)
assert len({l["id"] for l in lines}) == len(lines)
data = [d for l in lines for d in l["response"]["body"]["data"]]
assert all(d["object"] == "embedding" and d["index"] == 0 for d in data)
print(*sorted(l["custom_id"] for l in lines), *{len(d["embedding"]) for d in data})
`

// TestTableCommands makes a table without a queue, looks at it, damages it, and checks that verify sees the damage.
func TestTableCommands(t *testing.T) {
	home := newHome(t)
	dir := filepath.Join(t.TempDir(), "notes")
	c := call{home: home, env: quick, stdin: `{"id":"a","text":"one"}` + "\n" + `{"id":"b","text":"two"}` + "\n"}
	c.ok(t, "embed", "--model", model, "--out", dir)
	c.ok(t, "embed", "--model", model, "--out", dir)

	var info struct {
		Version, Rows int
		Files         int
		Schema        struct{ Fields []struct{ Name string } }
	}
	if err := json.Unmarshal([]byte(call{}.ok(t, "table", "info", "--json", dir).stdout), &info); err != nil {
		t.Fatal(err)
	}
	if info.Version != 2 || info.Rows != 4 || info.Files != 2 || len(info.Schema.Fields) != 29 {
		t.Errorf("table info: %+v", info)
	}
	if text := (call{}).ok(t, "table", "info", dir).stdout; !strings.Contains(text, "embedding list<float>") {
		t.Errorf("table info does not show the columns:\n%s", text)
	}
	files := strings.Fields(call{}.ok(t, "table", "files", dir).stdout)
	if len(files) != 2 || filepath.Dir(files[0]) != dir {
		t.Fatalf("table files: %v", files)
	}
	call{}.ok(t, "table", "verify", dir)

	answers := filepath.Join(t.TempDir(), "answers.jsonl")
	call{}.ok(t, "table", "export", "--format", "openai-batch", "-o", answers, dir)
	if got := foreign.Python(t, readAnswers, answers); strings.TrimSpace(got) != "a a b b 384" {
		t.Errorf("the exported answers are %s", got)
	}
	if r := (call{}).run(t, "table", "export", "--format", "csv", dir); r.code != 2 {
		t.Errorf("an unknown format: exit %d\n%s", r.code, r.stderr)
	}
	if err := os.Truncate(files[1], 1000); err != nil {
		t.Fatal(err)
	}
	r := call{}.run(t, "table", "verify", "--json", dir)
	var verified struct {
		OK       bool
		Problems []string
	}
	if err := json.Unmarshal([]byte(r.stdout), &verified); err != nil {
		t.Fatal(err)
	}
	if r.code != 1 || verified.OK || !strings.Contains(strings.Join(verified.Problems, "\n"), filepath.Base(files[1])) {
		t.Errorf("a cut file: exit %d, %+v", r.code, verified)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if r := (call{}).run(t, "table", "verify", dir); r.code != 1 || !strings.Contains(r.stdout, filepath.Base(files[0])) {
		t.Errorf("a missing file: exit %d\n%s", r.code, r.stdout)
	}
}

// TestFollowSurvivesKill kills textmill with SIGKILL out of the command that it runs: that version's command runs again, and
// all versions have run in the end, in their order.
func TestFollowSurvivesKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "notes")
	c := call{home: newHome(t), env: quick, stdin: `{"id":"a","text":"one"}` + "\n"}
	c.ok(t, "embed", "--model", model, "--out", dir)
	c.ok(t, "embed", "--model", model, "--out", dir)
	did := filepath.Join(t.TempDir(), "did")
	follow := []string{"table", "follow", "--once", "--exec", `echo "$TEXTMILL_COMMIT_VERSION" >> ` + did +
		`; if [ $TEXTMILL_COMMIT_VERSION = 1 ] && [ $(wc -l < ` + did + `) = 2 ]; then kill -9 $PPID; fi`, dir}
	if r := c.run(t, follow...); r.code == 0 {
		t.Fatal("it was not killed")
	}
	c.ok(t, follow...)
	got, err := os.ReadFile(did)
	if err != nil || string(got) != "0\n1\n1\n2\n" {
		t.Errorf("the command ran for %q, %v", got, err)
	}
}
