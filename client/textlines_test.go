package client

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"textmill/ground/naming"
	"textmill/input"
	"textmill/jobs"
)

// TestTextLinesSayWhereTheyStand: lines of different files have different ids, also where the files are submitted apart or
// are called the same in different directories; those of standard input are as before.
func TestTextLinesSayWhereTheyStand(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"a.txt": "one\n\nthree\n", "sub/a.txt": "one\nbad \xff\n", "b.jsonl": `{"text":"x"}` + "\n"} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(format string, files ...string) (all []string) {
		t.Helper()
		s := &sources{files: files, stdin: strings.NewReader("one\n"), o: input.Options{Format: format}, warn: func(string) {}}
		var it input.Item
		err := s.next(&it)
		for ; err == nil; err = s.next(&it) {
			a := it.Record.Attributes
			all = append(all, it.Record.ID+" "+a["file"]+" "+a["line"])
			it = input.Item{}
		}
		if err != io.EOF { //nolint:errorlint // it is never wrapped
			t.Fatal(err)
		}
		return all
	}
	for _, tc := range []struct {
		format string
		files  []string
		want   string
	}{
		{"", []string{"./a.txt", "sub/a.txt"}, "a.txt:1 a.txt 1|a.txt:3 a.txt 3|sub/a.txt:1 sub/a.txt 1|sub/a.txt:2 sub/a.txt 2"},
		{"", []string{"sub/a.txt"}, "sub/a.txt:1 sub/a.txt 1|sub/a.txt:2 sub/a.txt 2"},
		{"", []string{"b.jsonl"}, "  "},
		{"text", []string{"-"}, "  "},
	} {
		if got := strings.Join(read(tc.format, tc.files...), "|"); got != tc.want {
			t.Errorf("%v: %q, want %q", tc.files, got, tc.want)
		}
	}
}

// TestOldTextJobsGoOnAsTheyWere: a job that an earlier version named holds lines without ids, and other ones under its shards'
// names would be conflicts.
func TestOldTextJobsGoOnAsTheyWere(t *testing.T) {
	q := openQueue(t)
	file := filepath.Join(t.TempDir(), "lines.txt")
	if err := os.WriteFile(file, []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, _, _ := options(file)
	o.Task = naming.TaskEmbed
	first := func() (job, id string) {
		t.Helper()
		s, err := prepare(t.Context(), q, o)
		if err != nil {
			t.Fatal(err)
		}
		var it input.Item
		if err := s.src.next(&it); err != nil {
			t.Fatal(err)
		}
		if err := s.src.close(); err != nil {
			t.Fatal(err)
		}
		return s.o.Job, it.Record.ID
	}
	if _, id := first(); id != filepath.ToSlash(file)+":1" {
		t.Errorf("a new job's first line is %q", id)
	}
	old, err := oldName(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.PublishEvent(t.Context(), jobs.Event{Type: jobs.EventSubmitted, Job: old, Shards: 1, Time: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if job, id := first(); job != old || id != "" {
		t.Errorf("the job %s goes on with the id %q for its first line", job, id)
	}
}

func TestQuietSubmissionsSayTheEnd(t *testing.T) {
	q := openQueue(t)
	o, _, errs := options(writeFile(t, 30))
	o.Quiet, o.NoWait = true, true
	if _, err := Submit(t.Context(), q, o); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(errs.String(), "\n"); lines != 1 || !strings.Contains(errs.String(), "30 records") {
		t.Errorf("stderr: %s", errs)
	}
}
