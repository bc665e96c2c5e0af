package client

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

// done says of a submission what a user is told of it.
func done(t *testing.T, q *queue.Queue, o SubmitOptions) (Summary, error, string) {
	t.Helper()
	var out, errs strings.Builder
	o.Stdout, o.Stderr, o.JSON = &out, &errs, true
	s, err := Submit(t.Context(), q, o)
	var told Summary
	if e := json.Unmarshal([]byte(out.String()), &told); e != nil || told.Rows != s.Rows || told.Dead != s.Dead {
		t.Errorf("--json: %v, %s", e, out.String())
	}
	return s, err, errs.String()
}

func TestAJobsNameUsedForOtherRecordsIsNoSuccess(t *testing.T) {
	q := openQueue(t)
	newWorker(t, q, "nightly").start()
	o, _, _ := options("-")
	o.Job = "nightly"
	o.Stdin = strings.NewReader(lines(5, `{"text":"monday %d"}`))
	if s, err, _ := done(t, q, o); err != nil || s.Rows != 5 || s.Committed != 5 {
		t.Fatalf("%+v, %v", s, err)
	}
	o.Stdin = strings.NewReader(lines(5, `{"text":"tuesday %d"}`))
	s, err, errs := done(t, q, o)
	if !errors.Is(err, ErrDeadLetters) || s.Rows != 0 || s.Dead != 1 || len(s.DeadReasons) != 1 || s.DeadReasons[0] != (DeadReason{jobs.IdentityConflict, "as the test wants it", 1}) {
		t.Errorf("%+v, %v", s, err)
	}
	if !strings.Contains(errs, "0 rows: 0 committed now, 0 already there, 0 of them errors; 0 texts cut, 0 tokens dropped; 1 shards dead: 1 identity_conflict (as the test wants it)\n") {
		t.Errorf("stderr %q", errs)
	}
	if s, _, _ := tracked(t, q, "nightly"); s.State != queue.StateFailed || s.Rows != 5 || s.Dead != 1 {
		t.Errorf("status: %+v", s)
	}
	o.Stdin = strings.NewReader(lines(5, `{"text":"monday %d"}`)) // its own rows are there
	if s, err, _ := done(t, q, o); err != nil || s.Rows != 5 || s.Already != 5 || s.Committed != 0 {
		t.Errorf("the first records again: %+v, %v", s, err)
	}
}

// Once it is said who lives, the job is done: status, watch and the submission that died say what became of the letter.
func TestAResolvedConflictIsTold(t *testing.T) {
	for _, c := range []struct {
		name    string
		resolve DeadOptions
		how     string
	}{
		{"kept", DeadOptions{Keep: KeepCommitted}, "dropped, the committed rows are kept"},
		{"under another name", DeadOptions{AsNewJob: "nightly-2"}, "published as job nightly-2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := openQueue(t)
			newWorker(t, q, "nightly").start()
			o, _, _ := options("-")
			o.Job = "nightly"
			for _, day := range []string{"monday", "tuesday"} {
				o.Stdin = strings.NewReader(lines(5, `{"text":"`+day+` %d"}`))
				_, _, _ = done(t, q, o) // the second one is the conflict of TestAJobsNameUsedForOtherRecordsIsNoSuccess
			}
			var out, errs strings.Builder
			c.resolve.Stdout, c.resolve.Stderr = &out, &errs
			if err := DeadRetry(t.Context(), q, nil, c.resolve); err != nil {
				t.Fatal(err)
			}
			if s, _, _ := tracked(t, q, "nightly"); s.State != queue.StateDone || s.Rows != 5 || s.Dead != 0 || s.Resolved != 1 {
				t.Errorf("status: %+v", s)
			}
			err := Watch(t.Context(), q, WatchOptions{Job: "nightly", Stdout: &out, Stderr: &errs})
			if err != nil || !strings.Contains(out.String(), "resolved dead shard 0: "+c.how+"\n") ||
				!strings.Contains(errs.String(), "job nightly is done: 1 shards, 5 rows, 0 of them errors; 0 texts cut, 0 tokens dropped; 0 shards dead; 1 dead shards resolved\n") {
				t.Errorf("watch: %v, %q, %q", err, out.String(), errs.String())
			}
			o.Stdin = strings.NewReader(lines(5, `{"text":"tuesday %d"}`))
			s, err, said := done(t, q, o)
			if !errors.Is(err, ErrDeadLetters) || s.Rows != 0 || s.Dead != 0 || s.Resolved != 1 || waiting(t, q, "nightly") != 0 ||
				!strings.Contains(said, "0 shards dead; 1 dead shards resolved: 1 identity_conflict ("+c.how+")\n") {
				t.Errorf("submitted again: %+v, %v, %q", s, err, said)
			}
			o.Stdin = strings.NewReader(lines(5, `{"text":"monday %d"}`))
			if s, err, _ := done(t, q, o); err != nil || s.Already != 5 || s.Resolved != 0 {
				t.Errorf("the records that live: %+v, %v", s, err)
			}
		})
	}
}

// TestAPublisherKilledInTheMiddleAndRunWithOtherParams is told what became of its own payloads, not of those before.
func TestAPublisherKilledInTheMiddleAndRunWithOtherParams(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options(writeFile(t, 2600)) // 6 shards
	o.Job, o.NoWait = "halved", true
	if _, err := Submit(t.Context(), q, o); err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, q, "halved")
	w.settle(t.Context(), 3)
	if _, err := q.PurgeJob(t.Context(), "halved", 0); err != nil { // the other three were never sent
		t.Fatal(err)
	}
	w.start()
	o.NoWait, o.Params = false, map[string]string{"normalize": "false"}
	s, err, _ := done(t, q, o)
	if !errors.Is(err, ErrDeadLetters) || s.Dead != 3 || s.Already != 0 || s.Rows != s.Committed || s.Rows+500*3 > 2600+400 {
		t.Errorf("%+v, %v", s, err)
	}
	if s.Rows == 0 || s.Rows >= 2600-1000 {
		t.Errorf("%d rows are said to be committed, of three of six shards", s.Rows)
	}
}

func TestADeadShardIsDeadUntilItsRetryIsCommitted(t *testing.T) {
	q := openQueue(t)
	w := newWorker(t, q, "mended")
	w.dead["0"] = true
	w.start()
	o, _, _ := options(writeFile(t, 600))
	o.Job = "mended"
	if s, err, _ := done(t, q, o); !errors.Is(err, ErrDeadLetters) || s.Dead != 1 || s.Rows != 100 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err, _ := done(t, q, o); !errors.Is(err, ErrDeadLetters) || s.Dead != 1 || s.Rows != 100 || s.Already != 100 {
		t.Errorf("again: %+v, %v", s, err)
	}
	var out, errs strings.Builder
	if err := DeadRetry(t.Context(), q, nil, DeadOptions{Job: "mended", Stdout: &out, Stderr: &errs}); err != nil {
		t.Fatal(err)
	}
	settled := func(s queue.JobStatus) bool { return s.Dead == 0 }
	waitFor(t, q, "mended", settled)
	if s, err, _ := done(t, q, o); err != nil || s.Dead != 0 || s.Rows != 600 || s.Already != 600 {
		t.Errorf("after the retry: %+v, %v", s, err)
	}
	if s, _, _ := tracked(t, q, "mended"); s.State != queue.StateDone || s.Rows != 600 {
		t.Errorf("status: %+v", s)
	}
}

func waitFor(t *testing.T, q *queue.Queue, job string, ok func(queue.JobStatus) bool) {
	t.Helper()
	tracker, err := q.Track(t.Context(), queue.TrackOptions{Job: job})
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	for {
		changed := tracker.Changed()
		if s, _ := tracker.Job(job); ok(s) {
			return
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatal("it does not happen")
		}
	}
}

func TestAnOlderDaemonLeavesItOpenWhatItCommitted(t *testing.T) {
	q := openQueue(t)
	w := newWorker(t, q, "older")
	w.old = true
	w.start()
	o, _, _ := options(writeFile(t, 600))
	o.Job = "older"
	s, err, errs := done(t, q, o)
	if !errors.Is(err, ErrUnanswered) || !strings.Contains(err.Error(), "textmill table info") || s.Untold != 2 || s.Rows != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if !strings.Contains(errs, "2 shards settled by an older daemon") {
		t.Errorf("stderr %q", errs)
	}
}

// TestMessagesThatVanishEndTheWait: nobody tells of them, and nothing is left to wait for.
func TestMessagesThatVanishEndTheWait(t *testing.T) {
	q := openQueue(t)
	w := newWorker(t, q, "hushed")
	w.silent = true
	w.start()
	o, _, _ := options(writeFile(t, 3))
	o.Job = "hushed"
	if s, err, errs := done(t, q, o); !errors.Is(err, ErrUnanswered) || s.Pending != 1 || !strings.Contains(errs, "1 shards without a verdict") {
		t.Errorf("%+v, %v, %q", s, err, errs)
	}
}

func TestSubmitSaysThatNobodyServesTheModel(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options(writeFile(t, 3))
	o.Job = "lonely"
	said := make(chan string, 100)
	o.Stderr = lineWriter(said)
	ended := make(chan error, 1)
	go func() {
		_, err := Submit(t.Context(), q, o)
		ended <- err
	}()
	for line := range said {
		if strings.Contains(line, "no daemon serves embed with m: 1 shards wait") {
			break
		}
	}
	newWorker(t, q, "lonely").start()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

type lineWriter chan<- string

func (w lineWriter) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}

func TestCutsAndErrorsAreTold(t *testing.T) {
	q := openQueue(t)
	newWorker(t, q, "cut").start()
	o, _, _ := options("-")
	o.Job, o.Stdin = "cut", strings.NewReader(`{"text":"`+strings.Repeat("x", cutAt+17)+`"}`+"\n{}\n"+lines(8, `{"text":"%d"}`))
	s, err, errs := done(t, q, o)
	if err != nil || s.Rows != 10 || s.Errors != 1 || s.Truncated != 1 || s.Dropped != 17 || !strings.Contains(errs, "10 rows: 10 committed now, 0 already there, 1 of them errors; 1 texts cut, 17 tokens dropped; 0 shards dead\n") {
		t.Errorf("%+v, %v, stderr %q", s, err, errs)
	}
	for bound, fails := range map[string]bool{"0": true, "1": false, "9%": true, "10%": false, "100%": false} {
		o.MaxErrors, o.Stdin = bound, strings.NewReader(`{"text":"`+strings.Repeat("x", cutAt+17)+`"}`+"\n{}\n"+lines(8, `{"text":"%d"}`))
		s, err, _ := done(t, q, o)
		if errors.Is(err, ErrErrorRows) != fails || s.Rows != 10 || s.Errors != 1 || s.Truncated != 1 {
			t.Errorf("--max-errors %s: %+v, %v", bound, s, err)
		}
		o.DryRun, o.Stdin = true, strings.NewReader("{}\n"+lines(9, `{"text":"%d"}`))
		if _, err := Submit(t.Context(), nil, o); errors.Is(err, ErrErrorRows) != fails {
			t.Errorf("--max-errors %s --dry-run: %v", bound, err)
		}
		o.DryRun = false
	}
	for _, wrong := range []string{"x", "-1", "1.5", "101%", "%", "NaN%"} {
		o.MaxErrors = wrong
		if _, err := Submit(t.Context(), q, o); !errors.Is(err, ErrUsage) {
			t.Errorf("--max-errors %s: %v", wrong, err)
		}
	}
}

func TestAllErrorRowsAreNoSuccess(t *testing.T) {
	q := openQueue(t)
	newWorker(t, q, "bad").start()
	o, _, _ := options("-")
	o.Job, o.Force, o.MaxErrors = "bad", true, "100%"
	o.Stdin = strings.NewReader(lines(7, `{"body":"%d"}`))
	if s, err, _ := done(t, q, o); !errors.Is(err, ErrErrorRows) || s.Rows != 7 || s.Errors != 7 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestErrorRowsArePermittedExactly(t *testing.T) {
	for _, c := range []struct {
		allowed      string
		rows, errors int64 // the most that will do
	}{
		{"0", 5, 0}, {"3", 5, 3}, {"5", 5, 4}, {"0%", 5, 0}, {"10%", 20, 2}, {"9.9%", 20, 1}, {"0.57%", 10_000, 57}, {"1.1%", 1_000, 11}, {"0.07%", 10_000, 7},
		{"29%", 100, 29}, {"1e-3%", 100_000, 1}, {"100%", 7, 6}, {"", 7, 6},
	} {
		m, err := parseMaxErrors(c.allowed)
		if err != nil {
			t.Fatal(err)
		}
		if m.check(c.rows, c.errors) != nil || !errors.Is(m.check(c.rows, c.errors+1), ErrErrorRows) {
			t.Errorf("%s of %d: %d errors give %v, one more %v", c.allowed, c.rows, c.errors, m.check(c.rows, c.errors), m.check(c.rows, c.errors+1))
		}
	}
}

// TestRecordsThatAllFailStopTheJob: nothing is published, and it is said how to go on.
func TestRecordsThatAllFailStopTheJob(t *testing.T) {
	q := openQueue(t)
	for name, tc := range map[string]struct{ in, want string }{
		"a wrong key":                      {lines(20_000, `{"body":"%d"}`), "--text-column"},
		"no JSON":                          {strings.Repeat("{half\n", 300), "--format"},
		"a few":                            {lines(3, `{"id":"%d"}`), "none of the first 3 records can be used, so nothing is published; the first is standard input: invalid_record: line 1: "},
		"first good beyond what is judged": {lines(200, `{"id":"%d"}`) + `{"text":"x"}`, "none of the first 200 records"},
		"another encoding":                 {strings.Repeat("{\"text\":\"caf\xe9\"}\n", 5), "UTF-8"},
		"a model that is not the job's":    {lines(3, `{"custom_id":"%d","method":"POST","url":"/v1/embeddings","body":{"model":"n","input":"x"}}`), "choose the model"},
	} {
		o, _, _ := options("-")
		o.Job, o.Stdin = "none", strings.NewReader(tc.in)
		s, err := Submit(t.Context(), q, o)
		if !errors.Is(err, ErrErrorRows) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "nothing is published") || s.Shards != 0 {
			t.Errorf("%s: %v", name, err)
		}
		o.DryRun, o.Stdin = true, strings.NewReader(tc.in)
		s, err = Submit(t.Context(), nil, o)
		if !errors.Is(err, ErrErrorRows) || s.Records == 0 || s.Invalid == 0 {
			t.Errorf("%s, --dry-run: %+v, %v", name, s, err)
		}
	}
	if n := waiting(t, q, "none"); n != 0 {
		t.Errorf("%d messages were published", n)
	}
	if known, err := q.Knows(t.Context(), "none"); known || err != nil {
		t.Errorf("jobs that were refused are known: %v", err)
	}
}

func TestNothingIsAnnouncedBeforeTheFirstShardIsThere(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options("-")
	o.Job, o.Stdin = "failed", brokenReader{}
	if _, err := Submit(t.Context(), q, o); err == nil {
		t.Error("it reads what cannot be read")
	}
	if known, err := q.Knows(t.Context(), "failed"); known || err != nil {
		t.Errorf("it left events: %v", err)
	}
	submitted(t, q, "whole", 600)
	s, _, err := tracked(t, q, "whole")
	if err != nil || s.Shards != 2 || s.Task != "embed" || s.Model != "m" || s.Dataset != "d" {
		t.Errorf("%+v, %v", s, err)
	}
}

type brokenReader struct{}

func (brokenReader) Read(p []byte) (int, error) {
	return copy(p, `{"text":"x"}`+"\n"), errors.New("the disk is on fire")
}

func TestNothingToWaitForInATableThatIsGone(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options(writeFile(t, 3))
	o.Job, o.Tables = "gone", t.TempDir()
	table := filepath.Join(o.Tables, "d")
	w := newWorker(t, q, "gone")
	w.path = table
	w.start()
	if err := os.MkdirAll(filepath.Join(table, "_delta_log"), 0o700); err != nil {
		t.Fatal(err)
	}
	bare := o
	bare.Tables = "" // the table is no real one
	if s, err, _ := done(t, q, bare); err != nil || s.Rows != 3 {
		t.Fatal(s, err)
	}
	if err := os.RemoveAll(table); err != nil {
		t.Fatal(err)
	}
	if s, err, _ := done(t, q, o); !errors.Is(err, errTableGone) || s.Rows != 3 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestNoWaitSaysWhatIsKnown(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options(writeFile(t, 600))
	o.Job, o.NoWait = "later", true
	s, err, errs := done(t, q, o)
	if err != nil || s.Rows != 0 || s.Pending != 2 || !strings.Contains(errs, "600 records in 2 shards") || !strings.Contains(errs, "2 shards are published, 0 rows were there already; see: textmill watch later\n") {
		t.Errorf("%+v, %v, stderr %q", s, err, errs)
	}
	w := newWorker(t, q, "later")
	w.dead["1"] = true
	w.settle(t.Context(), 2)
	if s, err, errs := done(t, q, o); !errors.Is(err, ErrDeadLetters) || s.Already != 500 || s.Dead != 1 || !strings.Contains(errs, "0 shards are published, 500 rows were there already; 1 shards dead") {
		t.Errorf("%+v, %v, stderr %q", s, err, errs)
	}
	o.Job, o.Files, o.MaxErrors = "few", []string{"-"}, "0"
	o.Stdin = strings.NewReader("{}\n" + lines(9, `{"text":"%d"}`))
	if s, err, _ := done(t, q, o); !errors.Is(err, ErrErrorRows) || s.Shards != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestCancelledShardsAreNotCommitted(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options(writeFile(t, 600))
	o.Job = "stopped"
	tracker, err := q.Track(t.Context(), queue.TrackOptions{Job: "stopped", OnEvent: func(e jobs.Event) {
		if e.Type == jobs.EventSubmitted {
			if err := q.PublishEvent(t.Context(), jobs.Event{Type: jobs.EventCancelled, Job: "stopped", Time: time.Now()}); err != nil {
				t.Error(err)
			}
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	if s, err, _ := done(t, q, o); !errors.Is(err, ErrCancelled) || s.Cancelled != 2 || s.Pending != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A record that makes many rows must not stand for a neighbour that has none.
func TestDeadRecordsDoNotHideBehindTheirNeighboursRows(t *testing.T) {
	for name, c := range map[string]struct {
		fate queue.Fate
		want int64
	}{
		"three rows of one record, none of the other": {queue.Fate{Rows: 3, DeadRecords: 1}, 1},
		"an older daemon does not say so":             {queue.Fate{Rows: 1}, 1},
		"each is a row":                               {queue.Fate{Rows: 2}, 0},
	} {
		p := &progress{}
		p.count(&ownShard{records: 2}, c.fate, false)
		if p.sums.missing != c.want {
			t.Errorf("%s: %d missing, want %d", name, p.sums.missing, c.want)
		}
	}
}
