package test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPublishersShareAJob has three processes publish one corpus side by side, kills one amid it, and runs that again.
func TestPublishersShareAJob(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, newHome(t))
	all := corpus(200, 3) // ten shards
	file := filepath.Join(t.TempDir(), "corpus.jsonl")
	write(t, file, all)
	args := []string{"--model", model, "--dataset", "shared"}
	planned, _ := d.submits(t, 0, "", append(args, "--dry-run", file)...)
	start := func(args ...string) (*exec.Cmd, *strings.Builder) {
		c := d.client()
		c.env = append(c.env, "TEXTMILL_LIMITS_RECORDS_PER_SHARD=20")
		cmd := c.command(t, t.Context(), append([]string{"submit", "--json", "--model", model, "--dataset", "shared"}, args...)...)
		cmd.Stdin = nil
		out := &strings.Builder{}
		cmd.Stdout = out
		return cmd, out
	}
	killed, _ := start("--part", "2/3", "--job", planned.Job, "-")
	in, err := killed.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write([]byte(all[:strings.Index(all, `{"id":110,`)])); err != nil { // its shards 1 and 4 of 1, 4 and 7, and no end
		t.Fatal(err)
	}
	first, firstOut := start("--part", "1/3", file)
	third, thirdOut := start("--part", "3/3", file)
	for _, cmd := range []*exec.Cmd{first, third} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for cmd, want := range map[*exec.Cmd]struct {
		out  *strings.Builder
		part string
		rows int
	}{first: {firstOut, "1/3", 80}, third: {thirdOut, "3/3", 60}} {
		var s struct {
			told
			Part string
		}
		if err := cmd.Wait(); err != nil || json.Unmarshal([]byte(want.out.String()), &s) != nil || s.Job != planned.Job || s.Part != want.part || s.Rows != want.rows || s.Committed != want.rows {
			t.Errorf("part %s: %v\n%s", want.part, err, want.out)
		}
	}
	waitUntil(t, "all but one shard are committed", func() bool { return d.status(t, planned.Job).Rows == 180 })
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // killed
	if s := d.status(t, planned.Job); s.State != "running" || s.Shards != 10 || s.ShardsDone != 9 {
		t.Errorf("without a part of the second: %+v", s)
	}
	again, _ := d.submits(t, 0, "", append(args, "--part", "2/3", file)...)
	if again.Job != planned.Job || again.Rows != 60 || again.Committed != 20 || again.Already != 40 {
		t.Errorf("the second again: %+v", again)
	}
	if s := d.status(t, planned.Job); s.State != "done" || s.Shards != 10 || s.ShardsDone != 10 || s.Rows != 200 {
		t.Errorf("in the end: %+v", s)
	}
	if one, _ := d.submits(t, 0, "", append(args, file)...); one.Job != planned.Job || one.Already != 200 || one.Committed != 0 {
		t.Errorf("one publisher of it all: %+v", one)
	}
	if n := len(rows(t, d.table("shared"))); n != 200 {
		t.Errorf("%d rows", n)
	}
	if s, stderr := d.submits(t, 0, "", append(args, "--part", "11/11", file)...); s.Records != 0 || !strings.Contains(stderr, "part 11/11 holds none of the job's 10 shards") {
		t.Errorf("a part too many: %+v\n%s", s, stderr)
	}
	for want, more := range map[string][]string{"write K/N": {"--part", "4/3", file}, "leave --part out": {"--part", "1/3", "--sync", file}, "give each the same --job": {"--part", "1/3", "-"}} {
		if _, stderr := d.submits(t, 2, all, append(args, more...)...); !strings.Contains(stderr, want) {
			t.Errorf("%v: %s", more, stderr)
		}
	}
}
