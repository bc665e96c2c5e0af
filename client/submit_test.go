package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"

	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/jobs/queue"
)

func TestSubmitWaitsForTheRowsAndRepeatsNothing(t *testing.T) {
	q := openQueue(t)
	o, out, errs := options(writeFile(t, 1200))
	prepared, err := prepare(t.Context(), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	job := prepared.o.Job
	w := newWorker(t, q, job)
	w.start()
	s, err := Submit(t.Context(), q, o)
	if err != nil {
		t.Fatal(err, errs)
	}
	want := Summary{Job: job, Task: "embed", Model: "m", Dataset: "d", Records: 1200, Shards: 3, Bytes: s.Bytes, Rows: 1200, Committed: 1200}
	if !reflect.DeepEqual(s, want) || s.Bytes < 1200*20 {
		t.Errorf("summary %+v", s)
	}
	if out.String() != job+"\n" {
		t.Errorf("stdout %q", out)
	}
	out.Reset()
	o.JSON = true
	if s, err = Submit(t.Context(), q, o); err != nil || s.Rows != 1200 || s.Committed != 0 || s.Already != 1200 {
		t.Errorf("second run: %+v, %v", s, err)
	}
	var answer map[string]any
	if err := json.Unmarshal([]byte(out.String()), &answer); err != nil || answer["job"] != job {
		t.Errorf("--json: %q, %v", out, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !maps.Equal(w.seen, map[string]int{"0": 1, "1": 1, "2": 1}) || len(w.records) != 1200 {
		t.Errorf("shards came %v with %d records", w.seen, len(w.records))
	}
}

func TestSubmitDrawsABarOnATerminal(t *testing.T) {
	q := openQueue(t)
	o, out, errs := options(writeFile(t, 600))
	o.Job, o.Terminal = "drawn", true
	newWorker(t, q, "drawn").start()
	if _, err := Submit(t.Context(), q, o); err != nil {
		t.Fatal(err)
	}
	if out.String() != "drawn\n" || !strings.Contains(errs.String(), "600 rows: 600 committed now, 0 already there, 0 of them errors; 0 texts cut, 0 tokens dropped; 0 shards dead\n") {
		t.Errorf("stdout %q, stderr %q", out, errs)
	}
}

func TestProgressSaysRateAndTimeLeft(t *testing.T) {
	left := 5.0
	c := counted{sums: sums{cut: 400, done: 150, doneBefore: 50, errors: 2}, expected: 400, whole: true, rate: 50, held: 3, eta: &left}
	c.shards[dead] = 1
	if got, want := c.text(false), "150 of 400 records settled (50 before), 3 shards in work, 50/s, 5s left, 2 error rows, 1 dead shards"; got != want {
		t.Errorf("got %q", got)
	}
	c.whole, c.eta, c.made, c.doneBefore = false, nil, 70, 0
	if got, want := c.text(false), "150 of 400+ records settled, 3 shards in work, 50/s, 70 tokens/s, 2 error rows, 1 dead shards"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestSubmitAfterACrashSendsOnlyWhatIsNotSettled(t *testing.T) {
	q := openQueue(t)
	o, _, errs := options(writeFile(t, 2600)) // 6 shards
	o.NoWait = true
	s, err := Submit(t.Context(), q, o)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, q, s.Job)
	w.settle(t.Context(), 4)
	there := int64(len(w.records))
	if _, err := q.PurgeJob(t.Context(), s.Job, 0); err != nil { // the other two were never sent
		t.Fatal(err)
	}
	purged := waiting(t, q, s.Job)
	again, err := Submit(t.Context(), q, o)
	if err != nil || again.Job != s.Job || again.Already != there || !strings.Contains(errs.String(), "2 shards are published") {
		t.Errorf("the second run: %+v, %v, stderr %q", again, err, errs)
	}
	if n := waiting(t, q, s.Job); purged != 0 || n != 0 { // the server drops what it had two minutes ago
		t.Errorf("%d and %d messages wait", purged, n)
	}
}

func TestSubmitWithAJobNameLetsTheDaemonCompare(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options("-")
	o.Job, o.NoWait = "mine", true
	submit := func(text string) {
		t.Helper()
		o.Stdin = strings.NewReader(text)
		if _, err := Submit(t.Context(), q, o); err != nil {
			t.Fatal(err)
		}
	}
	submit(`{"text":"one"}`)
	newWorker(t, q, "mine").settle(t.Context(), 1)
	submit(`{"text":"other"}`)
	if n := waiting(t, q, "mine"); n != 1 {
		t.Errorf("%d messages wait; the other content must reach the daemon, which sees the conflict", n)
	}
}

func TestStandardInputWithoutAJobSaysThatItCannotBeResumed(t *testing.T) {
	q := openQueue(t)
	o, out, errs := options("-")
	o.Stdin, o.NoWait = strings.NewReader(`{"text":"x"}`), true
	s, err := Submit(t.Context(), q, o)
	if err != nil || naming.CheckJob(s.Job) != nil || out.String() != s.Job+"\n" {
		t.Errorf("job %q, stdout %q, %v", s.Job, out, err)
	}
	if !strings.Contains(errs.String(), "cannot be resumed") {
		t.Errorf("stderr %q", errs)
	}
}

func TestErrorRowsAndDeadShards(t *testing.T) {
	q := openQueue(t)
	path := writeFile(t, 1001)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("{\"text\":\nnot JSON\n")
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	o, _, errs := options(path)
	o.Job = "mixed"
	w := newWorker(t, q, "mixed")
	w.dead["1"] = true
	w.start()
	s, err := Submit(t.Context(), q, o)
	if !errors.Is(err, ErrDeadLetters) || s.Dead != 1 || s.Rows != 503 || s.Errors != 2 || s.Invalid != 2 {
		t.Errorf("summary %+v, %v", s, err)
	}
	for _, want := range []string{"error row: " + path + ": invalid_record: line 1002", "line 1003"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("stderr does not say %q:\n%s", want, errs)
		}
	}
}

func TestInterruptedWaitLetsTheJobGoOn(t *testing.T) {
	q := openQueue(t)
	o, out, errs := options(writeFile(t, 3))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("by the test")
	tracker, err := q.Track(t.Context(), queue.TrackOptions{OnEvent: func(jobs.Event) { cancel(why) }}) // all is published then
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	o.JSON = true
	s, err := Submit(ctx, q, o)
	if !errors.Is(err, ErrInterrupted) || !errors.Is(err, why) || s.Pending != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if !strings.Contains(errs.String(), "0 rows: 0 committed now") || !strings.Contains(errs.String(), "1 shards without a verdict") || !strings.Contains(out.String(), `"pending":1`) {
		t.Errorf("stdout %q, stderr %q", out, errs)
	}
}

func TestInterruptedSendingSaysHowToGoOn(t *testing.T) {
	q := openQueue(t)
	o, _, errs := options(writeFile(t, 600))
	ctx, cancel := context.WithCancel(t.Context())
	tracker, err := q.Track(t.Context(), queue.TrackOptions{OnEvent: func(jobs.Event) { cancel() }}) // that the first shard was submitted
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	o.Files, o.Job = append(o.Files, "-"), "halves"
	stdin, writer := io.Pipe() // nothing comes, and it does not end
	defer writer.Close()
	o.Stdin = stdin
	s, err := Submit(ctx, q, o)
	if !errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "after 1 shards were published") || !strings.Contains(err.Error(), "--job halves again") {
		t.Errorf("%v", err)
	}
	if s.Shards != 1 || s.Pending != 1 || !strings.Contains(errs.String(), "1 shards without a verdict") {
		t.Errorf("%+v, stderr %q", s, errs)
	}
}

func TestInterruptedBeforeAnythingIsPublished(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options("-")
	stdin, writer := io.Pipe()
	defer writer.Close()
	o.Stdin = stdin
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Submit(ctx, q, o); !errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "before anything was published") {
		t.Errorf("%v", err)
	}
}

func TestSubmitRefuses(t *testing.T) {
	q := openQueue(t)
	good := writeFile(t, 1)
	for _, tc := range []struct {
		name   string
		change func(*SubmitOptions)
		want   string
	}{
		{"no files", func(o *SubmitOptions) { o.Files = nil }, "no input"},
		{"a missing file", func(o *SubmitOptions) { o.Files = []string{"/nowhere/x.jsonl"} }, "no such file"},
		{"a directory", func(o *SubmitOptions) { o.Files = []string{t.TempDir()} }, "directory"},
		{"a file twice", func(o *SubmitOptions) { o.Files = []string{good, good} }, "twice"},
		{"an unsafe dataset", func(o *SubmitOptions) { o.Dataset = "../x" }, "dataset"},
		{"an unsafe job", func(o *SubmitOptions) { o.Job = "a.b" }, "job"},
		{"an unsafe model", func(o *SubmitOptions) { o.Model = "a b" }, "model"},
		{"an unknown task", func(o *SubmitOptions) { o.Task = "translate" }, "task"},
		{"an unknown param", func(o *SubmitOptions) { o.Params = map[string]string{"dimension": "3"} }, "dimensions"},
		{"an unknown model", func(o *SubmitOptions) { o.Model = "other" }, "known are m"},
		{"no model", func(o *SubmitOptions) { o.Model = "" }, "--model"},
		{"an empty input", func(o *SubmitOptions) { o.Files, o.Stdin = []string{"-"}, strings.NewReader("") }, "no records"},
	} {
		o, _, _ := options(good)
		tc.change(&o)
		if _, err := Submit(t.Context(), q, o); !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if n := waiting(t, q, ""); n != 0 {
		t.Errorf("%d messages were published", n)
	}
}

func TestModelsThatDaemonsServeAreKnown(t *testing.T) {
	q := openQueue(t)
	stop, err := q.Announce(func() []queue.Served { return []queue.Served{{Task: "embed", Model: "far", ModelSHA256: "x"}} })
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	for model, force := range map[string]bool{"far": false, "nobodys": true} {
		o, _, errs := options(writeFile(t, 1))
		o.Model, o.Force, o.NoWait = model, force, true
		if _, err := Submit(t.Context(), q, o); err != nil {
			t.Errorf("%s: %v\n%s", model, err, errs)
		}
	}
}

func TestModelOfAnOpenAIBatch(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options("-")
	o.Model, o.NoWait = "", true
	o.Stdin = strings.NewReader(`{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"owner/m","input":"x"}}`)
	if s, err := Submit(t.Context(), q, o); err != nil || s.Model != "m" || s.Records != 1 || s.Invalid != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestDryRunCountsAndPublishesNothing(t *testing.T) {
	o, out, _ := options(writeFile(t, 700), "-")
	o.DryRun, o.JSON = true, true
	o.Stdin = strings.NewReader("{\"text\":\"x\"}\n{}\n")
	s, err := Submit(t.Context(), nil, o)
	if err != nil || s.Records != 702 || s.Shards != 2 || s.Invalid != 1 || len(s.Problems) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if !strings.Contains(s.Problems[0], "standard input") || !strings.Contains(s.Problems[0], "line 2") {
		t.Errorf("problems %q", s.Problems)
	}
	var answer Summary
	if err := json.Unmarshal([]byte(out.String()), &answer); err != nil || !reflect.DeepEqual(answer, s) {
		t.Errorf("stdout %q, %v", out, err)
	}
	out.Reset()
	o.JSON, o.Stdin = false, strings.NewReader("{}\n")
	if _, err := Submit(t.Context(), nil, o); err != nil || !strings.Contains(out.String(), "records  701\n") {
		t.Errorf("stdout %q, %v", out, err)
	}
}

func TestColumnsThatAreLeftOutAreNamed(t *testing.T) {
	o, _, errs := options("../input/testdata/rows.parquet")
	o.DryRun = true
	if s, err := Submit(t.Context(), nil, o); err != nil || s.Records != 6 || s.Invalid != 2 || !strings.Contains(errs.String(), "left out: tags") {
		t.Errorf("%+v, %v, stderr %q", s, err, errs)
	}
}

// TestProgressSaysNoMoreShardsInWorkThanAreLeft though the queue was asked some time before the last verdicts.
func TestProgressSaysNoMoreShardsInWorkThanAreLeft(t *testing.T) {
	p := newProgress(SubmitOptions{Stderr: io.Discard})
	defer p.close()
	p.holds(6)
	for pending, want := range []uint64{0, 1, 2} {
		if p.sums.shards[0] = pending; p.now().held != want {
			t.Errorf("%d shards in work of %d without a verdict", p.now().held, pending)
		}
	}
}

// TestSubmitSaysWhereErrorRowsAreSeen that only daemons find, such as a second record of an id.
func TestSubmitSaysWhereErrorRowsAreSeen(t *testing.T) {
	for _, c := range []struct {
		name string
		s    Summary
		want string
	}{
		{"none", Summary{}, ""},
		{"named", Summary{Invalid: 1, Errors: 1, Problems: []string{"f: bad"}}, "error row: f: bad\n"},
		{"found by the daemon", Summary{Dataset: "docs", Invalid: 1, Errors: 3, Problems: []string{"f: bad"}},
			"error row: f: bad\nerror rows: 2 more; the column error of dataset docs says of each what it is\n"},
		{"known, published only", Summary{Dataset: "docs", Invalid: 3, Problems: []string{"f: bad"}},
			"error row: f: bad\nerror rows: 2 more; the column error of dataset docs says of each what it is\n"},
	} {
		var said strings.Builder
		if err := c.s.write(SubmitOptions{Stdout: io.Discard, Stderr: &said}); err != nil || said.String() != c.want {
			t.Errorf("%s: %q, %v", c.name, said.String(), err)
		}
	}
}
