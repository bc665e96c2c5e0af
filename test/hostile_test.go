package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"textmill/internal/foreign"
)

// evil is what an attacker would like a terminal to get: a title, a cleared screen, 8-bit control, a carriage return, reversed
// text, a bell, and another line.
const evil = "\x1b]0;owned\x07\x1b[2J\u009b31m\roverwritten\u202egnp\x7f\ntextmill: all is well"

// tame checks that nothing that a command printed steers a terminal, and that no line of it was made outside.
func tame(t *testing.T, r result, what string) {
	t.Helper()
	for name, out := range map[string]string{"stdout": r.stdout, "stderr": r.stderr} {
		for _, c := range out {
			if c != '\n' && c != '\t' && (unicode.IsControl(c) || c == 0x202e || c == unicode.ReplacementChar) {
				t.Errorf("%s: %s lets %q through:\n%q", what, name, c, out)
				break
			}
		}
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "textmill: all is well") {
				t.Errorf("%s: a line of %s comes from outside:\n%q", what, name, out)
			}
		}
	}
}

// publishPlain publishes to subjects of no stream of its own, or to those of events, as any client may.
const publishPlain = `
import asyncio, json, sys, nats
async def main(url, messages):
    nc = await nats.connect(url)
    for m in messages:
        await nc.publish(m["subject"], m["data"].encode("utf-8", "surrogateescape"))
    await nc.flush()
    await nc.close()
asyncio.run(main(sys.argv[1], json.load(open(sys.argv[2]))))
`

// TestBytesFromOutsideReachNoTerminal has every command print what others wrote: texts, ids, attributes, reasons, payloads,
// shards, tables and errors.
func TestBytesFromOutsideReachNoTerminal(t *testing.T) {
	d := startDaemon(t, newHome(t))
	c := d.client()
	line := fmt.Sprintf(`{"id":%[1]s,"text":%[1]s,"attributes":{"k":%[1]s}}`, quoted(evil)) + "\n"
	c.stdin = line + fmt.Sprintf(`{"id":%[1]s,"text":7}`, quoted(evil)) + "\n" + `{"` + strings.ReplaceAll(evil, "\n", "") + "\n"

	for _, args := range [][]string{
		{"embed", "--model", model}, {"tokenize", "--model", model}, {"tokenize", "--model", model, "--compare"},
		{"trace", "--model", model, evil}, {"trace", "--model", model, "--json", evil}, {"embed", "--model", model, evil},
		{"submit", "--model", model, "--dataset", "docs", "--job", "hostile", "-"},
		{"submit", "--model", model, "--dataset", "docs", "--dry-run", "-"},
		{"submit", "--model", model, evil}, {"submit", "--model", evil, "-"}, {"submit", "--model", model, "--dataset", evil, "-"},
		{"embed", "--model", evil, "x"}, {"embed", "--model", model, "--param", evil + "=1", "x"}, {"status", evil}, {"watch", evil},
		{"cancel", evil}, {"dead", "show", evil}, {"dead", "retry", evil}, {"table", "info", evil}, {"table", "files", evil},
		{"models", "inspect", evil}, {"models", "import", evil}, {"models", "verify", evil}, {evil}, {"--" + evil}, {"daemon", "-c", evil},
		{"daemon", "--check-config", "--set", "log.level=" + evil}, {"daemon", "--check-config", "--set", "models.m.path=/" + evil},
	} {
		tame(t, c.run(t, args...), "textmill "+strings.Join(args[:min(2, len(args))], " "))
	}

	// A message that nobody can understand, and events that somebody made up.
	d.publish(message{Subject: "textmill.jobs.embed." + model, Data: `{"job":"j","shard":` + quoted(evil) + `,"records":` + evil})
	file := filepath.Join(t.TempDir(), "events.json")
	event := `{"type":"%s","job":"made-up","shard":` + quoted(evil) + `,"shards":2,"rows":1,"errors":0,"table":` + quoted(evil) +
		`,"class":` + quoted(evil) + `,"reason":` + quoted(evil) + `,"model":` + quoted(evil) + `,"dataset":` + quoted(evil) +
		`,"version":1,"time":"2026-01-02T03:04:05Z"}`
	var events []message
	for _, kind := range []string{"submitted", "committed", "dead", "surprise" + `\u001b[2J\nx`, "cancelled"} {
		events = append(events, message{Subject: "textmill.events.made-up", Data: fmt.Sprintf(event, kind)})
	}
	data, err := json.Marshal(events)
	if err := errors.Join(err, os.WriteFile(file, data, 0o600)); err != nil {
		t.Fatal(err)
	}
	foreign.Python(t, publishPlain, d.nats, file)
	letters := d.dead(1)
	watched := c.run(t, "watch", "made-up")
	if !strings.Contains(watched.stdout, "owned") {
		t.Errorf("watch shows none of the events:\n%s%s", watched.stdout, watched.stderr)
	}
	tame(t, watched, "watch")
	shown := c.ok(t, "dead", "show", letters[0].ID)
	if !strings.Contains(shown.stdout, `\u001b]0;owned`) {
		t.Errorf("dead show hides the payload:\n%s", shown.stdout)
	}
	for _, args := range [][]string{
		{"dead", "list"}, {"dead", "list", "--json"}, {"dead", "show", "--json", letters[0].ID}, {"dead", "retry", letters[0].ID},
		{"status"}, {"status", "--json"}, {"status", "made-up"}, {"watch", "--json", "made-up"}, {"__complete", "watch", ""},
	} {
		tame(t, c.run(t, args...), "textmill "+strings.Join(args, " "))
	}
	// dead show repeats a payload of several lines, and no line of it is ours.
	if strings.Contains(shown.stdout, "\x1b") || strings.Contains(shown.stdout, "\r") {
		t.Errorf("dead show: %q", shown.stdout)
	}

	hostileTable(t, d)
}

// hostileTable writes into a table's log what its owner never would.
func hostileTable(t *testing.T, d *daemon) {
	t.Helper()
	dir, c := d.table("docs"), d.client()
	for _, args := range [][]string{{"info", "docs"}, {"list"}, {"verify", "docs"}, {"export", "--format", "openai-batch", "docs"}} {
		tame(t, c.ok(t, append([]string{"table"}, args...)...), "table "+args[0])
	}
	part := strings.TrimSuffix(c.ok(t, "table", "files", "docs").stdout, "\n")
	part, _, _ = strings.Cut(part, "\n")
	bytes, err := os.ReadFile(part)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join("sub", "forged\nsecond\x1b[2J.parquet")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "sub"), 0o700), os.WriteFile(filepath.Join(dir, name), bytes, 0o600)); err != nil {
		t.Fatal(err)
	}
	entry := func(n int, path string) {
		t.Helper()
		add := fmt.Sprintf(`{"add":{"path":%s,"partitionValues":{},"size":%d,"modificationTime":1,"dataChange":true}}`+"\n", quoted(path), len(bytes))
		if err := os.WriteFile(filepath.Join(dir, "_delta_log", fmt.Sprintf("%020d.json", n)), []byte(add), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var info struct{ Version int }
	if err := json.Unmarshal([]byte(c.ok(t, "table", "info", "--json", "docs").stdout), &info); err != nil {
		t.Fatal(err)
	}
	files := strings.Count(c.ok(t, "table", "files", "docs").stdout, "\n")
	entry(info.Version+1, "sub/forged%0Asecond%1B%5B2J.parquet")
	listed := c.ok(t, "table", "files", "docs")
	if tame(t, listed, "table files"); strings.Count(listed.stdout, "\n") != files+1 || !strings.Contains(listed.stdout, `forged\u000asecond`) {
		t.Errorf("a path was printed as two: %q", listed.stdout)
	}
	bare := strings.Split(strings.TrimSuffix(c.ok(t, "table", "files", "-0", "docs").stdout, "\x00"), "\x00")
	found := false
	for _, path := range bare {
		_, err := os.Stat(path)
		if found = found || path == filepath.Join(dir, name); err != nil {
			t.Errorf("-0 gives a path that is not there: %v", err)
		}
	}
	if len(bare) != files+1 || !found {
		t.Errorf("-0 gives %q", bare)
	}
	tame(t, c.run(t, "table", "verify", "docs"), "table verify")

	secret := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.WriteFile(secret, bytes, 0o600), os.Symlink(secret, filepath.Join(dir, "link.parquet")),
		os.Symlink(filepath.Dir(secret), filepath.Join(dir, "out"))); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"link.parquet", "out/secret", "../docs/" + filepath.Base(part)} {
		entry(info.Version+2, path)
		for _, sub := range []string{"files", "info", "verify"} {
			r := c.run(t, "table", sub, "docs")
			if tame(t, r, "table "+sub); r.code != 1 || !strings.Contains(r.stderr, "no file in the table") || strings.Contains(r.stdout, "link.parquet") {
				t.Errorf("table %s of %s: exit %d\n%s%s", sub, path, r.code, r.stdout, r.stderr)
			}
		}
	}
}
