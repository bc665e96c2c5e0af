package test

import (
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// dying is the binary built so that it dies at named points.
var dying = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(binary), "dying")
	out, err := exec.Command("go", "build", "-tags", "crashpoints", "-o", path, "textmill/cmd/textmill").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build textmill with crash points: %w\n%s", err, out)
	}
	return path, nil
})

// dyingDaemons starts daemons of that binary, one after the other, over the same queue and tables.
func dyingDaemons(t *testing.T, env ...string) (begin func(more ...string) *daemon) {
	t.Helper()
	path, err := dying()
	if err != nil {
		t.Fatal(err)
	}
	home := newHome(t)
	nats, _ := startNATS(t, "-js", "-sd", t.TempDir())
	return func(more ...string) *daemon {
		c := call{binary: path, home: home, env: daemonEnv(slices.Concat([]string{"TEXTMILL_NATS_URL=" + nats}, env, more)...)}
		return startCommand(t, home, c.command(t, t.Context(), "daemon"))
	}
}

// changed is a corpus on its second day: a text is another, one is new, one is gone.
func changed(texts map[string]string, day int) map[string]string {
	texts = maps.Clone(texts)
	for id := range texts {
		if strings.HasSuffix(id, "3") {
			texts[id] += fmt.Sprintf(" on day %d", day)
		}
	}
	texts[fmt.Sprintf("day%d", day)] = "a new text"
	delete(texts, fmt.Sprintf("r%03d", day))
	return texts
}

// TestSyncKilledAnywhere has the publisher of a sync die at each of its points: readers have the corpus of before or the
// one of after, and the same sync again makes it the one of after.
func TestSyncKilledAnywhere(t *testing.T) {
	t.Parallel()
	path, err := dying()
	if err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, newHome(t))
	before := texts(60, "first")
	d.syncs(t, 0, before, "--dataset", "docs")
	for day, point := range []string{"sync-compared", "sync-staged", "sync-gathered", "rewrite-file", "rewrite-placed", "link", "link+", "rewrite-published", "sync-swapped"} {
		after := changed(before, day)
		times := "1"
		if strings.HasPrefix(point, "link") {
			times = "2" // the first tries whether the file system has hard links, the second is the log's entry
		}
		c := d.client()
		c.binary, c.stdin = path, jsonl(after)
		c.env = append(c.env, "TEXTMILL_LIMITS_RECORDS_PER_SHARD=20", "CRASH_POINT="+point+":"+times)
		args := []string{"submit", "--sync", "--delete-missing", "--model", model, "--dataset", "docs", "-"}
		if r := c.run(t, args...); r.code == 0 || !strings.Contains(r.stderr, "crashpoint "+point) {
			t.Fatalf("it did not die at %s: exit %d, %s", point, r.code, r.stderr)
		}
		swapped := point == "link+" || point == "rewrite-published" || point == "sync-swapped"
		if swapped {
			d.isTable(t, "docs", after)
		} else {
			d.isTable(t, "docs", before)
		}
		s, _ := d.syncs(t, 0, after, "--dataset", "docs", "--delete-missing")
		if done := s.Sync.New == 0 && s.Sync.Changed == 0; done != swapped {
			t.Errorf("after a death at %s the sync says %+v", point, s.Sync)
		}
		d.isTable(t, "docs", after)
		before = after
	}
	// A sync with nothing left to do removes no staging table; the next one that has does.
	d.syncs(t, 0, changed(before, 50), "--dataset", "docs", "--delete-missing")
	if left := d.stagings(t); len(left) > 0 {
		t.Errorf("staging tables stay: %v", left)
	}
}

// TestSyncWhileTheDaemonDies has the daemon die around a commit of a sync's rows.
func TestSyncWhileTheDaemonDies(t *testing.T) {
	t.Parallel()
	begin := dyingDaemons(t)
	now := texts(200, "first")
	for day, point := range []string{"before-commit", "after-commit", "before-ack"} {
		d := begin("CRASH_POINT=" + point + ":1")
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			d.wait()
			d = begin()
		}()
		now = changed(now, day)
		d.syncs(t, 0, now, "--dataset", "docs", "--delete-missing")
		<-ended
		d.isTable(t, "docs", now)
		d.kill()
	}
}

// TestTwoSyncsAndAppends has others change the dataset while a sync is under way.
func TestTwoSyncsAndAppends(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, newHome(t))
	before := texts(40, "first")
	d.syncs(t, 0, before, "--dataset", "docs")
	one, other := changed(before, 1), changed(before, 2)
	// Two at once: one is swapped in, the other fails by name and can be repeated.
	var codes [2]int
	var said [2]string
	var both sync.WaitGroup
	for i, texts := range []map[string]string{one, other} {
		both.Go(func() {
			c := d.client()
			c.stdin = jsonl(texts)
			r := c.run(t, "submit", "--sync", "--delete-missing", "--model", model, "--dataset", "docs", "-")
			codes[i], said[i] = r.code, r.stderr
		})
	}
	both.Wait()
	for i, code := range codes {
		if code != 0 && (code != 1 || !strings.Contains(said[i], "the dataset was changed meanwhile")) {
			t.Errorf("sync %d: exit %d, %s", i, code, said[i])
		}
	}
	if codes[0] != 0 && codes[1] != 0 {
		t.Errorf("neither was swapped in: %s %s", said[0], said[1])
	}
	d.syncs(t, 0, other, "--dataset", "docs", "--delete-missing")
	d.isTable(t, "docs", other)
	// Rows that others append stay, and those of a record of the input are replaced.
	c := d.client()
	c.stdin = `{"id":"theirs","text":"their own"}` + "\n" + `{"id":"r005","text":"theirs too"}` + "\n"
	c.ok(t, "submit", "--model", model, "--dataset", "docs", "--job", "theirs", "-")
	if s, _ := d.syncs(t, 0, other, "--dataset", "docs"); s.counts() != [5]int{len(other) - 1, 0, 1, 0, 0} || s.Sync.Missing != 1 {
		t.Errorf("after an append the sync says %+v", s.Sync)
	}
	other["theirs"] = "their own"
	d.isTable(t, "docs", other)
	if left := d.stagings(t); len(left) > 0 {
		t.Errorf("staging tables stay: %v", left)
	}
}

// TestSyncToAnotherModelSwitchesInOneCommit has a dataset get vectors of another kind.
func TestSyncToAnotherModelSwitchesInOneCommit(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, newHome(t))
	now := texts(50, "first")
	d.syncs(t, 0, now, "--dataset", "docs")
	some := maps.Clone(now)
	delete(some, "r001")
	if _, stderr := d.syncs(t, 2, some, "--dataset", "docs", "--param", "precision=int8"); !strings.Contains(stderr, "--delete-missing") {
		t.Errorf("with a record that would stay: %s", stderr)
	}
	s, _ := d.syncs(t, 0, now, "--dataset", "docs", "--param", "precision=int8")
	if s.counts() != [5]int{0, 0, 50, 0, 0} {
		t.Errorf("%+v", s.Sync)
	}
	d.isTable(t, "docs", now)
	if info := d.client().ok(t, "table", "info", "docs").stdout; !strings.Contains(info, "int8 vectors of 384") {
		t.Errorf("the table is %s", info)
	}
}
