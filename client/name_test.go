package client

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"textmill/export"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/jobs/queue"
)

// requested is a random request of a few possible ones; many are equal in what they ask for, and some are not.
func requested(t *testing.T, r *rand.Rand) SubmitOptions {
	t.Helper()
	pick := func(all ...string) string { return all[r.IntN(len(all))] }
	texts := [][]string{{"a", "b"}, {"a", "b", "c"}, {"b", "a"}, {"a"}, {"b", "c"}}
	o, _, _ := options()
	for i := range 1 + r.IntN(2) {
		var b strings.Builder
		ext := pick("jsonl", "csv", "txt")
		if ext == "csv" {
			b.WriteString("text\n")
		}
		for _, text := range texts[r.IntN(len(texts))] {
			if ext == "jsonl" {
				text = pick(`{"text":"`+text+`"}`, `{ "text" : "`+text+`" }`, `{"text":"`+text+`","id":"x"}`)
			}
			fmt.Fprintln(&b, text)
		}
		path := filepath.Join(t.TempDir(), pick("one", "one", "one", "other")+fmt.Sprint(i)+"."+ext)
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		at := modified.Add(time.Duration(r.IntN(1000)) * time.Hour)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		o.Files = append(o.Files, path)
	}
	o.Stderr = io.Discard
	if !slices.ContainsFunc(o.Files, func(path string) bool { return filepath.Ext(path) == ".txt" }) {
		o.Input.TextTemplate = pick("", "", "{text}", `{text}\n`, "{text}{id?}")
		if r.IntN(3) == 0 {
			o.Input.AttributeColumns = []string{}
		}
	}
	if o.Input.TextTemplate == "" && o.Input.AttributeColumns == nil && r.IntN(3) == 0 {
		o.WholeFiles = true
		for _, path := range o.Files {
			o.Names = append(o.Names, filepath.Base(path))
		}
	}
	o.Dataset = pick("d", "d", "d", "e")
	o.Model = pick("m", "m", "m", "n")
	o.Local = []LocalModel{{Name: "m", Task: naming.TaskEmbed, SHA256: pick("sha", "sha", "other")}, {Name: "n", Task: pick(naming.TaskEmbed, naming.TaskGenerate)}}
	if r.IntN(4) == 0 {
		o.Params = map[string]string{"store_text": pick("true", "false")}
	}
	o.Limits.RecordsPerShard = r.IntN(3)
	return o
}

// TestJobNamesStandForTheirContent: equal names ⇔ equal payloads in the same shards, for the same dataset, task, model,
// weights and params.
func TestJobNamesStandForTheirContent(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 2))
	byName, byContent := map[string]string{}, map[string]string{}
	for range 600 {
		o := requested(t, r)
		s, err := prepare(t.Context(), nil, o)
		if err != nil {
			t.Fatal(err)
		}
		if naming.CheckJob(s.o.Job) != nil {
			t.Fatalf("%q", s.o.Job)
		}
		params, err := jobs.ParamsJSON(s.o.Task, o.Params)
		if err != nil {
			t.Fatal(err)
		}
		content := fmt.Sprintln(o.Dataset, s.o.Task, o.Model, s.sha256, string(params))
		err = s.cut(t.Context(), unknownMaxPayload, func(_ *cutter, one shard) error {
			content += string(bytes.ReplaceAll(one.payload, []byte(s.o.Job), nil)) + "\n"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if other, known := byName[s.o.Job]; known && other != content {
			t.Fatalf("%s names\n%s\nand\n%s", s.o.Job, other, content)
		}
		if other, known := byContent[content]; known && other != s.o.Job {
			t.Fatalf("%s and %s name\n%s", other, s.o.Job, content)
		}
		byName[s.o.Job], byContent[content] = content, s.o.Job
	}
	if len(byName) < 100 || len(byName) > 550 {
		t.Errorf("%d names of 600 requests: too few, or too many, to compare", len(byName))
	}
}

func TestTouchedAndMovedFilesAreTheSameJob(t *testing.T) {
	q := openQueue(t)
	path := writeFile(t, 600)
	o, _, _ := options(path)
	o.NoWait = true
	first, err := Submit(t.Context(), q, o)
	if err != nil {
		t.Fatal(err)
	}
	newWorker(t, q, first.Job).settle(t.Context(), 2)
	moved := filepath.Join(t.TempDir(), "moved.jsonl")
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(moved, modified, modified); err != nil {
		t.Fatal(err)
	}
	o.Files, o.NoWait = []string{moved}, false
	again, err := Submit(t.Context(), q, o)
	if err != nil || again.Job != first.Job || again.Already != 600 || again.Committed != 0 {
		t.Errorf("%+v, %v; the job was %s", again, err, first.Job)
	}
}

// TestJobsThatAnEarlierVersionNamedGoOn lets the old rule name a job and an old daemon tell of it.
func TestJobsThatAnEarlierVersionNamedGoOn(t *testing.T) {
	q := openQueue(t)
	o, _, errs := options(writeFile(t, 600))
	o.Task = naming.TaskEmbed
	old, err := oldName(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	begun := o
	begun.Job, begun.NoWait = old, true
	if _, err := Submit(t.Context(), q, begun); err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, q, old)
	w.old = true
	w.settle(t.Context(), 2)
	w.old = false
	o.Task = "" // follows from the model
	s, err := prepare(t.Context(), q, o)
	if err != nil || s.o.Job != old || !strings.Contains(errs.String(), "begun under the name "+old) {
		t.Errorf("goes on as %s, %v, stderr %q", s.o.Job, err, errs)
	}
	unknown := o
	unknown.Input.TextTemplate = "{id}: {text}"
	if s, err := prepare(t.Context(), q, unknown); err != nil || s.o.Job == old {
		t.Errorf("with a template, which that version did not know: %s, %v", s.o.Job, err)
	}
	// The server drops the repeats for two minutes; what a daemon tells of them later is told here at once.
	resumed := make(chan Summary)
	go func() {
		s, err := Submit(t.Context(), q, o)
		if err != nil {
			t.Error(err)
		}
		resumed <- s
	}()
	for _, e := range repeats(t, o, old) {
		if err := q.PublishEvent(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if s := <-resumed; s.Job != old || s.Rows != 600 || s.Committed != 0 {
		t.Errorf("%+v", s)
	}
	if err := os.Chtimes(o.Files[0], modified, modified); err != nil {
		t.Fatal(err)
	}
	if s, err := prepare(t.Context(), q, o); err != nil || s.o.Job == old {
		t.Errorf("a touched file: %s, %v", s.o.Job, err)
	}
}

// The events of an old job may be gone; its rows tell as well.
func TestATableKnowsTheJobsThatAnEarlierVersionNamed(t *testing.T) {
	q := openQueue(t)
	o, _, errs := options(writeFile(t, 3))
	o.Task, o.Tables = naming.TaskEmbed, t.TempDir()
	old, err := oldName(o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := prepare(t.Context(), q, o); err != nil || s.o.Job == old {
		t.Errorf("without a table: %s, %v", s.o.Job, err)
	}
	fillTable(t, o.Tables, o.Dataset, "another", export.Vectors{Precision: "float32", Dim: 4})
	if s, err := prepare(t.Context(), q, o); err != nil || s.o.Job == old {
		t.Errorf("with another job's rows: %s, %v", s.o.Job, err)
	}
	fillTable(t, o.Tables, o.Dataset, old, export.Vectors{Precision: "float32", Dim: 4})
	if s, err := prepare(t.Context(), q, o); err != nil || s.o.Job != old || !strings.Contains(errs.String(), "begun under the name "+old) {
		t.Errorf("with its rows: %s, %v, %q", s.o.Job, err, errs)
	}
}

// repeats are a newer daemon's events of shards that were committed before.
func repeats(t *testing.T, o SubmitOptions, job string) (all []jobs.Event) {
	t.Helper()
	o.Job = job
	s, err := prepare(t.Context(), nil, o)
	if err != nil {
		t.Fatal(err)
	}
	err = s.cut(t.Context(), 1<<20, func(_ *cutter, one shard) error {
		sum := one.sum()
		all = append(all, jobs.Event{Type: jobs.EventCommitted, Job: job, Shard: one.id(), Rows: int64(one.records), Uncounted: true,
			PayloadSHA256: fmt.Sprintf("%x", sum), Task: s.o.Task, Model: s.o.Model, Dataset: s.o.Dataset, Table: "/t", Time: time.Now()})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestAnInputThatChangesWhileItIsReadIsNotPublishedAsAnother(t *testing.T) {
	q := openQueue(t)
	o, _, _ := options(writeFile(t, 600))
	s, err := prepare(t.Context(), q, o)
	if err != nil {
		t.Fatal(err)
	}
	change(t, o.Files[0], func(data []byte) []byte { return bytes.Replace(data, []byte("r0"), []byte("q0"), 1) })
	if err := s.run(t.Context(), q); err == nil || !strings.Contains(err.Error(), "changes while it is read") || waiting(t, q, s.o.Job) != 0 {
		t.Errorf("%v, %d messages", err, waiting(t, q, s.o.Job))
	}
	if _, known, err := tracked(t, q, s.o.Job); known || err != nil {
		t.Errorf("a submission that came to nothing left events: %v", err)
	}
	if s, err = prepare(t.Context(), q, o); err != nil {
		t.Fatal(err)
	}
	change(t, o.Files[0], func(data []byte) []byte { return data[:bytes.Index(data, []byte("r500"))-len(`{"id":"`)] })
	if err := s.run(t.Context(), q); err == nil || !strings.Contains(err.Error(), "changes while it is read") {
		t.Errorf("cut short: %v", err)
	}
}

func tracked(t *testing.T, q *queue.Queue, job string) (queue.JobStatus, bool, error) {
	t.Helper()
	tracker, err := q.Track(t.Context(), queue.TrackOptions{Job: job})
	if err != nil {
		return queue.JobStatus{}, false, err
	}
	defer tracker.Close()
	s, known := tracker.Job(job)
	return s, known, nil
}

func change(t *testing.T, path string, f func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, f(data), 0o600); err != nil {
		t.Fatal(err)
	}
}
