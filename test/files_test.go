package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSubmitFindsFiles names files in each way that there is, and looks what would be sent.
func TestSubmitFindsFiles(t *testing.T) {
	home, dir := newHome(t), t.TempDir()
	for name, text := range map[string]string{"in/a.jsonl": `{"id":"a","text":"x"}`, "in/deep/b.jsonl": `{"id":"b","text":"y"}`, "in/deep/.c.jsonl": "{", "list": "in/a.jsonl\n\nin/d*p/*\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dry := []string{"submit", "--dry-run", "--model", model, "--dataset", "docs"}
	var job string
	for _, args := range [][]string{{"in"}, {"in/a.jsonl", "in/deep/b.jsonl"}, {"in/*.jsonl", "in/*/*"}, {"--files-from", "list"}, {"--files-from", "-"}} {
		r := call{home: home, dir: dir, stdin: "in\n"}.ok(t, append(dry, args...)...)
		named := strings.Fields(r.stdout)[1]
		if !strings.Contains(r.stdout, "records  2") || job != "" && named != job {
			t.Errorf("%v: job %s, of the same files it was %s\n%s", args, named, job, r.stdout)
		}
		job = named
	}
	for want, args := range map[string][]string{"matches in/*.csv": {"in/*.csv"}, "list: line 2": {"--files-from", "list"}, "name a FILE": {}, "standard input is the list": {"--files-from", "-", "-"}, "--files-from": {"--files-from", "gone"}} {
		if want == "list: line 2" {
			if err := os.WriteFile(filepath.Join(dir, "list"), []byte("in\n-\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r := call{home: home, dir: dir, stdin: "in\n"}.run(t, append(dry, args...)...)
		if r.code == 0 || !strings.Contains(r.stderr, want) {
			t.Errorf("%v: exit %d\n%s", args, r.code, r.stderr)
		}
	}
}

// TestSubmitJoinsColumns names columns in each way that there is; what they hold is tested in package input.
func TestSubmitJoinsColumns(t *testing.T) {
	c := call{home: newHome(t), dir: t.TempDir(), stdin: `{"meta":{"title":"T","key":"k"},"body":"B","meta.lang":"en"}` + "\n"}
	run := func(args ...string) result {
		return c.run(t, append([]string{"submit", "--dry-run", "--model", model, "-"}, args...)...)
	}
	for _, args := range [][]string{{"--text-column", "meta.title", "--id-column", "meta.key"}, {"--text-template", `{meta.title}\n{body}`, "--attribute-columns", "meta.lang,meta.key"}, {"--text-column", "body", "--attribute-columns", ""}} {
		if r := run(args...); r.code != 0 || !strings.Contains(r.stdout, "invalid  0") {
			t.Errorf("%v: exit %d\n%s%s", args, r.code, r.stdout, r.stderr)
		}
	}
	for want, args := range map[string][]string{"byte 7: this } closes nothing": {"--text-template", "{body}}"}, "leave --text-column out": {"--text-template", "{body}", "--text-column", "body"}} {
		if r := run(args...); r.code != 2 || !strings.Contains(r.stderr, want) {
			t.Errorf("%v: exit %d\n%s", args, r.code, r.stderr)
		}
	}
	if r := run("--text-template", "{titel}"); r.code != 1 || !strings.Contains(r.stdout+r.stderr, "line 1: titel is missing; the template may say {titel?}") {
		t.Errorf("a key that no record has: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}
