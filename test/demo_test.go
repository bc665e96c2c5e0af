package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"textmill/internal/foreign"
)

// someGo is a Go installation of a few packages, so that the demo takes seconds.
func someGo(t *testing.T, packages ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	from, to := strings.TrimSpace(string(out)), t.TempDir()
	for _, p := range packages {
		files, err := filepath.Glob(filepath.Join(from, "src", p, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no source of %s: %v", p, err)
		}
		dir := filepath.Join(to, "src", p)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(f)), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return to
}

// installDelta puts DuckDB's extension where `LOAD delta` and delta_scan look for it, as DuckDB itself would from the net.
const installDelta = `
import duckdb, duckdb_extension_delta, pathlib, shutil
version, platform = duckdb.sql("SELECT library_version FROM pragma_version()").fetchone()[0], duckdb.sql("PRAGMA platform").fetchone()[0]
to = pathlib.Path.home() / ".duckdb" / "extensions" / version / platform
to.mkdir(parents=True)
shutil.copy(next(pathlib.Path(duckdb_extension_delta.__file__).parent.rglob("*.duckdb_extension")), to)
`

// TestDemo runs it on a small corpus, judges its answers, and runs each line that it prints for other tools.
func TestDemo(t *testing.T) {
	home := newHome(t)
	env := append([]string{"GOROOT=" + someGo(t, "bufio", "sync", "strings", "os", "sort")}, quick...)
	r := call{home: home, env: env}.ok(t, "demo")
	parts := strings.Split(r.stdout, "\n\n")
	if len(parts) != 8 {
		t.Fatalf("want a report, three answers, what a model says of them, and three snippets:\n%s", r.stdout)
	}
	for i, want := range []string{"  bufio.", "sync.WaitGroup", "strings.EqualFold"} {
		if answer := parts[1+i]; strings.Count(answer, "\n") != 3 || !strings.Contains(answer, want) {
			t.Errorf("the nearest comments do not hold %s:\n%s", want, answer)
		}
	}
	said := strings.Split(parts[4], "\n")
	if len(said) != 5 || !strings.HasPrefix(said[0], writer) || !strings.Contains(said[4], " tokens, ") {
		t.Fatalf("want a title, three sentences and the rate:\n%s", parts[4])
	}
	for i, line := range said[1:4] {
		best := strings.Fields(strings.Split(parts[1+i], "\n")[1])[1]
		about, sentence, _ := strings.Cut(strings.TrimSpace(line), ": ")
		if about != best || len(strings.Fields(sentence)) < 5 {
			t.Errorf("a sentence about %s: %q", best, line)
		}
	}
	user := []string{"HOME=" + t.TempDir()}
	foreign.PythonWith(t, user, installDelta)
	for i, want := range []string{"bufio.", "n_dropped", " rows;"} {
		title, code, _ := strings.Cut(strings.TrimSpace(parts[5+i]), "\n")
		if !strings.HasPrefix(title, "# Query it from Python (pip install ") {
			t.Errorf("no snippet but %q", title)
		}
		if out := foreign.PythonWith(t, user, code); !strings.Contains(out, want) {
			t.Errorf("%s\n%s\nprinted\n%s", title, code, out)
		}
	}
	again := call{home: home, env: env}.ok(t, "demo")
	if firstLine(again.stdout) == "" || strings.Split(again.stdout, " ")[0] != strings.Split(r.stdout, " ")[0] {
		t.Errorf("a second demo has other rows: %s", firstLine(again.stdout))
	}
}

func TestDemoWithoutWriter(t *testing.T) {
	home := t.TempDir()
	r := call{home: home, env: []string{"GOROOT=" + someGo(t, "bufio")}}.run(t, "demo")
	if r.code != 1 || !strings.Contains(r.stderr, "textmill setup") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func TestDemoWithoutSource(t *testing.T) {
	r := call{home: newHome(t), env: []string{"GOROOT=/nowhere"}}.run(t, "demo")
	if r.code != 1 || !strings.Contains(r.stderr, "source of Go's standard library is not on this machine") {
		t.Errorf("exit %d: %s", r.code, r.stderr)
	}
}
