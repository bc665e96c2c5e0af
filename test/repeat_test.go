package test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
)

// publishes runs `submit --json` with records on standard input.
func (d *daemon) publishes(t *testing.T, texts map[string]string, args ...string) (answer struct {
	Rows    int
	LeftOut int `json:"left_out"`
	Missing int
}) {
	t.Helper()
	c := d.client()
	c.stdin = jsonl(texts)
	c.env = append(c.env, "TEXTMILL_LIMITS_RECORDS_PER_SHARD=20")
	r := c.ok(t, append([]string{"submit", "--json", "--model", model}, append(args, "-")...)...)
	if err := json.Unmarshal([]byte(r.stdout), &answer); err != nil {
		t.Fatalf("%s%s", r.stdout, r.stderr)
	}
	return answer
}

// endingIn is the records whose ids end so.
func endingIn(texts map[string]string, digits string) map[string]string {
	some := map[string]string{}
	for id, text := range texts {
		if strings.ContainsAny(id[len(id)-1:], digits) {
			some[id] = text
		}
	}
	return some
}

// TestOnRepeat replaces and skips records by the flag and by the daemon's configuration.
func TestOnRepeat(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, newHome(t), "TEXTMILL_EXPORT_ON_REPEAT=once=skip,anew=replace")
	now := texts(60, "first")
	for _, dataset := range []string{"docs", "once", "anew"} {
		if s := d.publishes(t, now, "--dataset", dataset); s.Rows != 60 || s.LeftOut != 0 {
			t.Errorf("%s: %+v", dataset, s)
		}
	}
	second := endingIn(texts(80, "second"), "37")
	kept, replaced := maps.Clone(second), maps.Clone(now)
	maps.Copy(kept, now)
	maps.Copy(replaced, second)
	if s := d.publishes(t, second, "--dataset", "docs", "--on-repeat", "replace"); s.Rows != 16 || s.LeftOut != 0 {
		t.Errorf("replaced: %+v", s)
	}
	d.isTable(t, "docs", replaced)
	if s := d.publishes(t, second, "--dataset", "once"); s.Rows != 4 || s.LeftOut != 12 || s.Missing != 0 {
		t.Errorf("skipped: %+v", s)
	}
	d.isTable(t, "once", kept)
	d.publishes(t, second, "--dataset", "anew")
	d.isTable(t, "anew", replaced)
	d.publishes(t, endingIn(second, "3"), "--dataset", "anew", "--on-repeat", "skip", "--job", "again")
	d.isTable(t, "anew", replaced)
	c := d.client()
	c.stdin = "{\"id\":\"a\",\"text\":\"x\"}\n{\"text\":\"no id\"}\n"
	for _, args := range [][]string{{"--on-repeat", "replace"}, {"--on-repeat", "skip"}, {"--on-repeat", "never"}} {
		r := c.run(t, append([]string{"submit", "--model", model, "--dataset", "docs", "--job", "none", "-"}, args...)...)
		if r.code != 2 || !strings.Contains(r.stderr, "no id") && !strings.Contains(r.stderr, "append, replace, skip") {
			t.Errorf("%v: exit %d, %s", args, r.code, r.stderr)
		}
	}
	d.isTable(t, "docs", replaced)
}

// TestRepeatsWhoeverDies has two daemons replace records, one of which dies at each point on the way: of two messages
// with a record the one that was published last stands, whichever was delivered last.
func TestRepeatsWhoeverDies(t *testing.T) {
	t.Parallel()
	begin := dyingDaemons(t, "TEXTMILL_NATS_ACK_WAIT=1s", "TEXTMILL_EXPORT_ON_REPEAT=docs=replace")
	d := begin()
	now := texts(60, "first")
	d.publishes(t, now, "--dataset", "docs")
	for day, point := range []string{"repeats-found", "repeats-written", "before-ack"} {
		d.kill()
		older, newer := endingIn(texts(70, fmt.Sprint("older ", day)), "0123456"), endingIn(texts(70, fmt.Sprint("newer ", day)), "3456789")
		d.publishes(t, older, "--dataset", "docs", "--no-wait", "--job", fmt.Sprint("older-", day))
		d.publishes(t, newer, "--dataset", "docs", "--no-wait", "--job", fmt.Sprint("newer-", day))
		maps.Copy(now, older)
		maps.Copy(now, newer)
		doomed := begin("CRASH_POINT=" + point + ":1")
		doomed.wait()
		if !strings.Contains(doomed.text(), "crashpoint "+point) {
			t.Fatalf("it did not die at %s", point)
		}
		other := begin()
		d = begin()
		for _, job := range []string{"older", "newer"} {
			d.client().ok(t, "watch", fmt.Sprint(job, "-", day))
		}
		other.kill()
		d.isTable(t, "docs", now)
	}
}
