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
	"sync"
	"testing"
	"time"

	"textmill/jobs"
	"textmill/jobs/queue"
)

func TestSubmitWaitsForTheRowsAndRepeatsNothing(t *testing.T) {
	q := openQueue(t)
	o, out, errs := options(writeFile(t, 1200))
	prepared, err := prepare(o)
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
	want := Summary{Job: job, Task: "embed", Model: "m", Dataset: "d", Records: 1200, Shards: 3, Bytes: s.Bytes, Rows: 1200}
	if !reflect.DeepEqual(s, want) || s.Bytes < 1200*20 {
		t.Errorf("summary %+v", s)
	}
	if out.String() != job+"\n" {
		t.Errorf("stdout %q", out)
	}
	out.Reset()
	o.JSON = true
	if s, err = Submit(t.Context(), q, o); err != nil || s.Rows != 1200 {
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
	if out.String() != "drawn\n" || !strings.Contains(errs.String(), "600 rows are committed, 0 of them errors") {
		t.Errorf("stdout %q, stderr %q", out, errs)
	}
}

func TestProgressSaysRateAndTimeLeft(t *testing.T) {
	var p pace
	for i := range 4 {
		p.note(modified.Add(time.Duration(i)*time.Second), int64(i)*50)
	}
	c := counted{cut: 400, done: 150, errors: 2, dead: 1, whole: true}
	if got, want := c.text(false, &p, new(pace)), "150 of 400 records committed, 50/s, 5s left, 2 error rows, 1 dead shards"; got != want {
		t.Errorf("got %q", got)
	}
	c.whole = false
	if got, want := c.text(false, &p, &p), "150 of 400+ records committed, 50/s, 50 tokens/s, 2 error rows, 1 dead shards"; got != want {
		t.Errorf("got %q", got)
	}
}

func TestSubmitAfterACrashSendsOnlyWhatIsNotSettled(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options(writeFile(t, 2600)) // 6 shards
	o.NoWait = true
	s, err := Submit(t.Context(), q, o)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, q, s.Job)
	w.settle(t.Context(), 4)
	if _, err := q.PurgeJob(t.Context(), s.Job, 0); err != nil { // the other two were never sent
		t.Fatal(err)
	}
	src, err := prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	src.progress = newProgress(o)
	defer src.progress.close()
	tracker, err := q.Track(t.Context(), queue.TrackOptions{Job: s.Job, OnEvent: src.progress.event})
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	var sent []string
	err = src.cut(t.Context(), q.MaxPayload(), func(one shard) error {
		if !src.progress.add(one) {
			sent = append(sent, one.id())
		}
		return nil
	})
	if err != nil || len(sent) != 2 {
		t.Errorf("the second run would send %q: %v", sent, err)
	}
	for _, id := range sent {
		if w.seen[id] > 0 {
			t.Errorf("the second run would send shard %s, which is settled", id)
		}
	}
	if done := src.progress.now().done; done != int64(len(w.records)) {
		t.Errorf("%d records are done, the second run counts %d", len(w.records), done)
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
	if err != nil || !jobs.ValidJob(s.Job) || out.String() != s.Job+"\n" {
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
	o, _, _ := options()
	p := newProgress(o)
	defer p.close()
	p.add(shard{records: 3})
	p.published(Summary{Shards: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.wait(ctx); !errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "goes on") {
		t.Errorf("%v", err)
	}
}

func TestInterruptedSendingSaysHowToGoOn(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options(writeFile(t, 3))
	ctx, cancel := context.WithCancel(t.Context())
	tracker, err := q.Track(t.Context(), queue.TrackOptions{OnEvent: func(jobs.Event) { cancel() }})
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	o.Files, o.Job = append(o.Files, "-"), "halves"
	stdin, writer := io.Pipe()
	o.Stdin = stdin
	var ended sync.WaitGroup
	ended.Go(func() {
		<-ctx.Done()
		if _, err := io.WriteString(writer, lines(501, `{"text":"%d"}`)); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	})
	if _, err := Submit(ctx, q, o); !errors.Is(err, ErrInterrupted) || !strings.Contains(err.Error(), "--job halves again") {
		t.Errorf("%v", err)
	}
	if err := stdin.Close(); err != nil {
		t.Error(err)
	}
	ended.Wait()
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

func TestJobNamesStandForTheirContent(t *testing.T) {
	path := writeFile(t, 3)
	name := func(change func(*SubmitOptions)) string {
		t.Helper()
		o, _, _ := options(path)
		o.Stderr = io.Discard
		change(&o)
		s, err := prepare(o)
		if err != nil {
			t.Fatal(err)
		}
		return s.o.Job
	}
	same := name(func(*SubmitOptions) {})
	if again := name(func(*SubmitOptions) {}); again != same || !jobs.ValidJob(same) {
		t.Errorf("%q and %q", same, again)
	}
	names := map[string]string{same: "as it is"}
	for what, change := range map[string]func(*SubmitOptions){
		"dataset": func(o *SubmitOptions) { o.Dataset = "e" },
		"model":   func(o *SubmitOptions) { o.Model = "n" },
		"task":    func(o *SubmitOptions) { o.Task = jobs.TaskGenerate },
		"params":  func(o *SubmitOptions) { o.Params = map[string]string{"pooling": "cls"} },
		"columns": func(o *SubmitOptions) { o.Input.TextColumn = "body" },
		"files":   func(o *SubmitOptions) { o.Files = []string{path, writeFile(t, 1)} },
		"time": func(*SubmitOptions) {
			if err := os.Chtimes(path, modified, modified); err != nil {
				t.Fatal(err)
			}
		},
	} {
		n := name(change)
		if other, taken := names[n]; taken {
			t.Errorf("another %s gives the same job as %s", what, other)
		}
		names[n] = what
	}
}
