package batches

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/export"
	"textmill/input"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// A process that stops at any point, as one that is killed does or that sleeps, is followed by another; when it wakes up it
// changes nothing. Each request has one answer, and nothing is left behind.
func TestABatchGoesOnWhereAProcessStopped(t *testing.T) {
	b := newBench(t)
	for i, point := range []string{"batch-validated", "batch-published", "batch-collected", "batch-files"} {
		there, wake := make(chan struct{}, 8), make(chan struct{})
		sleeper := b.batches(time.Hour, func(name string) { // it beats so seldom that it is taken for dead
			if name == point {
				there <- struct{}{}
				<-wake
			}
		})
		stop := b.run(sleeper)
		texts := numbered(10)
		texts[3] = "dead" // with its shard of four
		one := b.create(sleeper, time.Hour, requests(texts...)...)
		b.work(one.ID)
		<-there
		other := b.batches(200*time.Millisecond, nil)
		end := b.run(other)
		done := b.await(other, one.ID, over)
		want := map[string]string{"r0": "no_answer", "r1": "no_answer", "r2": "no_answer", "r3": "no_answer", "r4": "", "r5": "", "r6": "", "r7": "", "r8": "", "r9": ""}
		if got := b.answers(other, &done); done.Status != Completed || !maps.Equal(got, want) || done.Counts != (Counts{10, 6, 4}) {
			t.Errorf("%s: %s, %+v, %v", point, done.Status, done.Counts, got)
		}
		close(wake)
		b.nothingElse(other, 3*(i+1))
		stop()
		again, err := other.Batch(t.Context(), one.ID)
		if err != nil || again.Status != Completed || again.Output.ID != done.Output.ID || again.Beat != done.Beat {
			t.Errorf("%s: once it has woken up: %+v, %v", point, again, err)
		}
		end()
	}
	rows := 0
	if err := export.Scan(t.Context(), b.store.TablePath("batches-m"), func(some []export.Row) error { rows += len(some); return nil }); err != nil || rows != 4*6 {
		t.Errorf("%d rows, want 6 of each batch, %v", rows, err)
	}
}

// nothingElse waits until there are so many files and no content beside theirs.
func (b *bench) nothingElse(s *Batches, want int) {
	b.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) { // until a process is done that tells nobody
		files, err := s.Files(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		left := 0
		_, err = b.q.SweepContents(b.t.Context(), time.Now().Add(time.Hour), func(id string) bool {
			if !slices.ContainsFunc(files, func(f File) bool { return f.Content.ID == id }) {
				left++
			}
			return true
		})
		if err != nil {
			b.t.Fatal(err)
		}
		if left == 0 && len(files) == want {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%d files, want %d; %d contents are left behind", len(files), want, left)
		}
	}
}

// A cancel ends a batch wherever it is, whoever is asked; what is done is answered.
func TestACancelledBatch(t *testing.T) {
	b := newBench(t)
	s, other := b.batches(time.Hour, nil), b.batches(time.Hour, nil)
	early := b.create(s, time.Hour, requests(numbered(4)...)...) // nobody has begun it
	if one, err := other.Cancel(t.Context(), early.ID); err != nil || one.Status != Cancelling {
		t.Fatalf("%+v, %v", one, err)
	}
	b.run(s)
	done := b.await(s, early.ID, over)
	if got := b.answers(s, &done); done.Status != Cancelled || len(got) != 0 || done.Since[InProgress] != 0 {
		t.Errorf("%+v, %v", done, got)
	}
	b.run(other)
	late := b.create(s, time.Hour, requests(numbered(10)...)...)
	late = b.await(s, late.ID, func(one *Batch) bool { return one.Published })
	d := b.first(late.ID)
	b.settle(d)
	b.await(s, late.ID, func(one *Batch) bool { return one.Counts.Completed == 4 })
	if _, err := other.Cancel(t.Context(), late.ID); err != nil {
		t.Fatal(err)
	}
	done = b.await(s, late.ID, over)
	got := b.answers(s, &done)
	if done.Status != Cancelled || len(got) != 10 || got["r3"] != "" || got["r4"] != "batch_cancelled" || done.Counts != (Counts{10, 4, 6}) {
		t.Errorf("%+v, %v", done, got)
	}
	if _, err := s.Cancel(t.Context(), late.ID); err != nil {
		t.Errorf("again: %v", err)
	}
	full := b.create(s, time.Hour, requests("a")...)
	b.work(full.ID)
	b.await(s, full.ID, over)
	if _, err := s.Cancel(t.Context(), full.ID); !errors.Is(err, ErrOver) {
		t.Errorf("one that is done: %v", err)
	}
	if _, err := s.Cancel(t.Context(), "batch_none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("one that is not: %v", err)
	}
}

// first fetches the first message of a batch's job, which is published.
func (b *bench) first(id string) *queue.Delivery {
	b.t.Helper()
	c, err := b.q.Consumer(b.t.Context(), jobs.Subject{Task: "embed", Model: "m", Job: id}.String(), "sha")
	if err != nil {
		b.t.Fatal(err)
	}
	got, err := c.Fetch(b.t.Context(), 1, 8<<20)
	if err != nil || len(got) != 1 {
		b.t.Fatalf("%d messages, %v", len(got), err)
	}
	return got[0]
}

// When its time is over a batch ends with what is done; so does one whose job somebody cancels as a job.
func TestABatchWhoseTimeIsOver(t *testing.T) {
	b := newBench(t)
	s := b.batches(time.Hour, nil)
	b.run(s)
	one := b.create(s, 2*time.Second, requests(numbered(6)...)...)
	b.await(s, one.ID, func(one *Batch) bool { return one.Published })
	b.settle(b.first(one.ID))
	done := b.await(s, one.ID, over)
	got := b.answers(s, &done)
	if done.Status != Expired || len(got) != 6 || got["r0"] != "" || got["r5"] != "batch_expired" || done.Since[Expired] == 0 {
		t.Errorf("%+v, %v", done, got)
	}
	left, err := b.q.Subjects(t.Context(), "embed", "m")
	if err != nil || len(left) != 0 {
		t.Errorf("%v are left in the queue, %v", left, err)
	}
}

// What is no batch is told by its lines, in OpenAI's words, and nothing of it is carried out.
func TestFilesThatAreNoBatches(t *testing.T) {
	b := newBench(t)
	s := b.batches(time.Hour, nil)
	b.run(s)
	good := requests("a")[0]
	line := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	other := strings.Replace(good, `"r0"`, `"r1"`, 1)
	for _, c := range []struct {
		lines []string
		want  string // line code param
	}{
		{nil, "[{empty_file 0 input_file_id}]"},
		{[]string{"", "  "}, "[{empty_file 0 input_file_id}]"},
		{[]string{good, "{", "[]", good + good}, "[{invalid_json_line 2 } {invalid_json_line 3 } {invalid_json_line 4 }]"},
		{[]string{good, "", other, good, other}, "[{duplicate_custom_id 4 custom_id} {duplicate_custom_id 5 custom_id}]"},
		{[]string{line(`"custom_id":"r0",`, ""), line(`"r0"`, "7"), line(`"r0"`, `""`), line(`"POST"`, `"GET"`), line(`"url":"/v1/embeddings",`, "")},
			"[{missing_required_parameter 1 custom_id} {invalid_custom_id 2 custom_id} {invalid_custom_id 3 custom_id} {invalid_method 4 method} {missing_required_parameter 5 url}]"},
		{[]string{line("/v1/embeddings", "/v1/chat/completions")}, "[{invalid_url 1 url}]"},
		{[]string{line(`{"model":"m","input":"a"}`, `"a"`), line(`"model":"m",`, ""), line(`"m"`, "7")},
			"[{invalid_request_body 1 body} {missing_required_parameter 2 body.model} {invalid_request_body 3 body.model}]"},
		{[]string{good, line(`"m"`, `"n"`)}, "[{mismatched_model 2 body.model} {duplicate_custom_id 2 custom_id}]"},
		{[]string{line(`"m"`, `"none"`)}, "[{model_not_found 1 body.model}]"},
		{[]string{line(`"m"`, `"a b"`)}, "[{model_not_found 1 body.model}]"},
		{[]string{line(`"m"`, `"g"`)}, "[{model_not_supported 1 body.model}]"},
		{[]string{good, strings.Replace(other, `"a"`, `"a","dimensions":3`, 1)}, "[{mismatched_dimensions 2 body.dimensions}]"},
		{[]string{line(`"a"`, `"`+strings.Repeat("long ", 1000)+`"`), other}, "[{line_too_long 1 }]"},
		{slices.Repeat([]string{"x"}, 200), ""},
	} {
		one := b.create(s, time.Hour, c.lines...)
		done := b.await(s, one.ID, over)
		type named struct {
			Code string
			Line int64
			Of   string
		}
		var got []named
		for _, p := range done.Problems {
			got = append(got, named{p.Code, p.Line, p.Param})
			if p.Message == "" {
				t.Errorf("%+v says nothing", p)
			}
		}
		if said := fmt.Sprint(got); done.Status != Failed || done.Since[Failed] == 0 || said != c.want && c.want != "" || len(got) > mostProblems {
			t.Errorf("%.100q: %s %v, want %v", c.lines, done.Status, said, c.want)
		}
	}
	if left, err := b.q.Subjects(t.Context(), "embed", "m"); err != nil || len(left) != 0 {
		t.Errorf("published: %v, %v", left, err)
	}
	gone := b.create(s, time.Hour, good)
	if err := s.o.Queue.DropContent(t.Context(), gone.Input); err != nil {
		t.Fatal(err)
	}
	if input.BatchTask("/v1/none") != "" || input.BatchTask("/v1/embeddings") != "embed" {
		t.Error("tasks of endpoints")
	}
}

// A file that is deleted, or has expired, is there for nobody; a batch that reads it goes on, and what nobody refers to is
// swept once it is old.
func TestFilesThatGo(t *testing.T) {
	b := newBench(t)
	s := b.batches(time.Hour, nil)
	one := b.create(s, time.Hour, requests("a", "b")...)
	if err := s.DeleteFile(t.Context(), one.InputFile); err != nil {
		t.Fatal(err)
	}
	if _, err := s.File(t.Context(), one.InputFile); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if err := s.DeleteFile(t.Context(), one.InputFile); !errors.Is(err, ErrNotFound) {
		t.Errorf("again: %v", err)
	}
	b.run(s)
	b.work(one.ID)
	done := b.await(s, one.ID, over)
	if got := b.answers(s, &done); done.Status != Completed || len(got) != 2 {
		t.Errorf("%+v, %v", done, got)
	}
	left, err := s.Upload(t.Context(), strings.NewReader("nobody's"))
	if err != nil {
		t.Fatal(err)
	}
	old, err := s.AddFile(t.Context(), File{Name: "old", Purpose: PurposeBatch, Expires: time.Now().Unix() - 1, Content: left})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.File(t.Context(), old.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("one that has expired: %v", err)
	}
	contents := func(at time.Time) int {
		n := 0
		if err := s.Sweep(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		if _, err := b.q.SweepContents(t.Context(), time.Now().Add(time.Hour), func(string) bool { n++; return true }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := contents(time.Now()); n != 2 { // the input's, which is young, and the output's
		t.Errorf("%d contents are left", n)
	}
	if n := contents(time.Now().Add(leftAfter + time.Hour)); n != 1 {
		t.Errorf("%d contents are left of what nobody refers to", n)
	}
	if _, err := b.q.Record(t.Context(), jobs.KindFile, one.InputFile); !errors.Is(err, queue.ErrNotFound) {
		t.Errorf("the record of a deleted file: %v", err)
	}
	if _, err := s.Batch(t.Context(), one.ID); err != nil {
		t.Error(err)
	}
	if err := s.Sweep(t.Context(), time.Now().Add(BatchesKept+time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Batch(t.Context(), one.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a batch of long ago: %v", err)
	}
}
