package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// told is what `submit --json` answers.
type told struct {
	Job         string
	Task        string
	Records     int
	Rows        int
	Committed   int
	Already     int `json:"already_there"`
	Errors      int
	Truncated   int
	Dropped     int `json:"n_dropped"`
	Dead        int
	DeadReasons []struct{ Class, Reason string } `json:"dead_reasons"`
	Pending     int
}

// submits runs `submit --json` with text on standard input, and wants an exit code.
func (d *daemon) submits(t *testing.T, code int, stdin string, args ...string) (told, string) {
	t.Helper()
	c := d.client()
	c.stdin = stdin
	c.env = append(c.env, "TEXTMILL_LIMITS_RECORDS_PER_SHARD=20")
	r := c.run(t, append([]string{"submit", "--json"}, args...)...)
	var s told
	if r.code != code || r.stdout != "" && json.Unmarshal([]byte(r.stdout), &s) != nil {
		t.Fatalf("submit %v: exit %d, want %d\n%s%s", args, r.code, code, r.stdout, r.stderr)
	}
	return s, r.stderr
}

// TestSubmitTellsTheTruth has one daemon do what publishers were told was well and was not.
func TestSubmitTellsTheTruth(t *testing.T) {
	d := startDaemon(t, newHome(t))
	embed := func(dataset string, more ...string) []string {
		return append([]string{"--model", model, "--dataset", dataset}, more...)
	}
	for name, run := range map[string]func(*testing.T){
		"a job's name for other records is a dead letter": func(t *testing.T) {
			args := embed("nightly", "--job", "nightly", "-")
			if s, _ := d.submits(t, 0, corpus(5, 1), args...); s.Rows != 5 || s.Committed != 5 {
				t.Errorf("%+v", s)
			}
			s, stderr := d.submits(t, 1, corpus(5, 2), args...)
			if s.Rows != 0 || s.Dead != 1 || s.DeadReasons[0].Class != "identity_conflict" || !strings.Contains(stderr, "0 rows: 0 committed now, 0 already there") {
				t.Errorf("%+v\n%s", s, stderr)
			}
			if s, _ := d.submits(t, 0, corpus(5, 1), args...); s.Rows != 5 || s.Committed != 0 || s.Already != 5 {
				t.Errorf("the first records again: %+v", s)
			}
			if n := len(rows(t, d.table("nightly"))); n != 5 {
				t.Errorf("%d rows", n)
			}
			if s := d.status(t, "nightly"); s.State != "failed" || s.Dead != 1 || s.Rows != 5 || s.Dataset != "nightly" || s.Model != model {
				t.Errorf("status: %+v", s)
			}
		},
		"a second model is more work": func(t *testing.T) {
			if s, _ := d.submits(t, 0, corpus(5, 1), embed("models", "--job", "models", "-")...); s.Rows != 5 {
				t.Errorf("%+v", s)
			}
			r := d.client()
			r.stdin = corpus(5, 1)
			answer := r.ok(t, "submit", "--model", "another", "--force", "--no-wait", "--dataset", "models", "--job", "models", "-")
			if !strings.Contains(answer.stderr, "1 shards are published, 0 rows were there already") {
				t.Errorf("another model's rows count: %s", answer.stderr)
			}
		},
		"vectors that the table cannot hold": func(t *testing.T) {
			if s, _ := d.submits(t, 0, corpus(3, 1), embed("bytes", "--param", "precision=int8", "-")...); s.Rows != 3 {
				t.Errorf("%+v", s)
			}
			if _, stderr := d.submits(t, 2, corpus(3, 2), embed("bytes", "-")...); !strings.Contains(stderr, "dataset bytes cannot take float32 vectors") {
				t.Errorf("refused with: %s", stderr)
			}
			far := append(embed("bytes", "-"), "--set", "export.uri="+t.TempDir()) // as one that cannot see the table
			if s, _ := d.submits(t, 1, corpus(3, 2), far...); s.Rows != 0 || s.Dead != 1 || s.DeadReasons[0].Class != "schema" {
				t.Errorf("%+v", s)
			}
		},
		"a wrong key": func(t *testing.T) {
			wrong := strings.ReplaceAll(corpus(300, 1), `"text"`, `"body"`)
			_, stderr := d.submits(t, 1, wrong, embed("keys", "--job", "keys", "-")...)
			if !strings.Contains(stderr, "none of the first 200 records can be used, so nothing is published") || !strings.Contains(stderr, "--text-column") {
				t.Errorf("%s", stderr)
			}
			if s, _ := d.submits(t, 1, wrong, embed("keys", "--dry-run", "-")...); s.Records != 300 {
				t.Errorf("--dry-run: %+v", s)
			}
			if r := d.client().run(t, "status", "keys"); r.code != 1 {
				t.Errorf("the refused job is known: %s", r.stdout)
			}
			if s, _ := d.submits(t, 0, wrong, embed("keys", "--job", "keys", "--text-column", "body", "-")...); s.Rows != 300 || s.Errors != 0 {
				t.Errorf("%+v", s)
			}
		},
		"a touched file is the same job": func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "corpus.jsonl")
			write(t, file, corpus(50, 1))
			first, _ := d.submits(t, 0, "", embed("touched", file)...)
			if err := os.Chtimes(file, time.Now(), time.Now().Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			again, _ := d.submits(t, 0, "", embed("touched", file)...)
			if first.Job != again.Job || again.Already != 50 || again.Committed != 0 {
				t.Errorf("%+v, then %+v", first, again)
			}
			if n := len(rows(t, d.table("touched"))); n != 50 {
				t.Errorf("%d rows", n)
			}
		},
		"a long text": func(t *testing.T) {
			s, stderr := d.submits(t, 0, corpus(1, 1000), embed("long", "-")...)
			if s.Rows != 1 || s.Truncated != 1 || s.Dropped < 700 || !strings.Contains(stderr, "1 texts cut, ") {
				t.Errorf("%+v\n%s", s, stderr)
			}
		},
		"an empty input": func(t *testing.T) {
			if _, stderr := d.submits(t, 2, "", embed("empty", "-")...); !strings.Contains(stderr, "no records") {
				t.Errorf("%s", stderr)
			}
		},
		"the task of a request and of a bundle": func(t *testing.T) {
			chat := `{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"` + writer + `","messages":[{"role":"user","content":"x"}]}}`
			if s, _ := d.submits(t, 0, chat, "--dry-run", "-"); s.Task != "generate" {
				t.Errorf("%+v", s)
			}
			if s, _ := d.submits(t, 0, corpus(1, 1), "--dry-run", "--model", writer, "-"); s.Task != "generate" {
				t.Errorf("%+v", s)
			}
			if _, stderr := d.submits(t, 2, corpus(1, 1), "--model", writer, "--task", "embed", "-"); !strings.Contains(stderr, "one for the task generate") {
				t.Errorf("%s", stderr)
			}
		},
	} {
		t.Run(name, run)
	}
}

// status is `status --json` of one job.
func (d *daemon) status(t *testing.T, job string) status {
	t.Helper()
	return lines[status](t, d.client().ok(t, "status", job, "--json").stdout)[0]
}

// TestPublisherKilledAndRunWithOtherParams kills `submit` amid its input and runs it again with other params: what is in
// the table under its shards' names is not what it asked for.
func TestPublisherKilledAndRunWithOtherParams(t *testing.T) {
	d := startDaemon(t, newHome(t))
	all := corpus(400, 3)
	args := []string{"submit", "--json", "--model", model, "--dataset", "halves", "--job", "halves", "-"}
	c, first := d.halfway(t, all, args...)
	d.await(logged("delivery settled"), 9)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // killed
	c.stdin = all
	r := c.run(t, append(args, "--param", "normalize=false")...)
	var s told
	if err := json.Unmarshal([]byte(r.stdout), &s); err != nil {
		t.Fatal(err, r.stderr)
	}
	inTable := len(rows(t, d.table("halves")))
	if r.code != 1 || s.Dead < 9 || s.Rows != s.Committed || s.Rows != 400-20*s.Dead || inTable != 400 {
		t.Errorf("exit %d, %+v, %d rows in the table\n%s", r.code, s, inTable, r.stderr)
	}
	if got := d.status(t, "halves"); got.State != "failed" || got.Dead != s.Dead || got.Rows != inTable {
		t.Errorf("status: %+v", got)
	}
}

// TestSignalsEndASubmit: what was published goes on, and is counted.
func TestSignalsEndASubmit(t *testing.T) {
	d := startDaemon(t, newHome(t))
	for signal, code := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		c := d.client()
		c.env = append(c.env, "TEXTMILL_LIMITS_RECORDS_PER_SHARD=20")
		job := signal.String()
		cmd := c.command(t, t.Context(), "submit", "--json", "--model", model, "--dataset", "ended", "--job", job, "-")
		cmd.Stdin = nil
		var stdout, stderr strings.Builder
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write([]byte(corpus(50, 3))); err != nil { // and no end
			t.Fatal(err)
		}
		waitUntil(t, "two shards are committed", func() bool { return d.client().run(t, "status", job).code == 0 && d.status(t, job).Rows == 40 })
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // its code is looked at
		var s told
		if err := json.Unmarshal([]byte(stdout.String()), &s); err != nil || cmd.ProcessState.ExitCode() != code || s.Rows != 40 {
			t.Errorf("%v: exit %d, %+v, %v", signal, cmd.ProcessState.ExitCode(), s, err)
		}
		if !strings.Contains(stderr.String(), "after 2 shards were published") || !strings.Contains(stderr.String(), "40 rows: 40 committed now") {
			t.Errorf("%v: %s", signal, stderr.String())
		}
	}
}
