package client

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"textmill/export"
	made "textmill/internal/committed"
	"textmill/jobs/queue"
	"textmill/models"
)

const (
	embeddingLine = `{"custom_id":"1","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":"x"}}`
	chatLine      = `{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"g","messages":[{"role":"user","content":"x"}]}}`
)

func TestTheTaskFollowsFromTheModel(t *testing.T) {
	q := openQueue(t)
	stop, err := q.Announce(func() []queue.Served {
		return []queue.Served{{Task: "generate", Model: "far", ModelSHA256: "f"}, {Task: "embed", Model: "both"}, {Task: "generate", Model: "both"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	for _, tc := range []struct {
		name, task, model, in string
		force                 bool
		want, refused         string
	}{
		{name: "a bundle of embed", model: "m", want: "embed"},
		{name: "a bundle of generate", model: "g", want: "generate"},
		{name: "what a daemon announces", model: "far", want: "generate"},
		{name: "a bundle that cannot be opened", model: "broken", want: "embed"},
		{name: "said, and the same", task: "generate", model: "g", want: "generate"},
		{name: "said, and another", task: "embed", model: "g", refused: "is one for the task generate"},
		{name: "said of a daemon's model, and another", task: "embed", model: "far", refused: "is one for the task generate"},
		{name: "said and forced", task: "embed", model: "g", force: true, want: "embed"},
		{name: "served for two", model: "both", refused: "choose with --task"},
		{name: "served for two and chosen", model: "both", task: "generate", want: "generate"},
		{name: "requests name model and task", in: embeddingLine, want: "embed"},
		{name: "chats too", in: chatLine, want: "generate"},
		{name: "requests for what the model is not for", model: "m", in: chatLine, refused: "the first request is for the task generate, and the model m is one for embed"},
		{name: "nobody knows it", model: "none", refused: "known are both, broken, far, g, m"},
		{name: "nobody knows it, and its requests say", model: "none", in: chatLine, force: true, want: "generate"},
		{name: "params of the other task", model: "g", in: `{"text":"x"}`, refused: "unknown param"},
	} {
		o, _, _ := options("-")
		o.Job, o.NoWait = "j", true
		o.Local = []LocalModel{{Name: "m", Task: "embed"}, {Name: "g", Task: "generate"}, {Name: "broken"}}
		o.Task, o.Model, o.Force = tc.task, tc.model, tc.force
		if tc.in == "" {
			tc.in = `{"text":"x"}`
		}
		if strings.Contains(tc.refused, "param") {
			o.Params = map[string]string{"pooling": "mean"}
		}
		o.Stdin = strings.NewReader(tc.in)
		s, err := Submit(t.Context(), q, o)
		if tc.refused != "" {
			if !errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), tc.refused) {
				t.Errorf("%s: %+v, %v", tc.name, s, err)
			}
		} else if err != nil || s.Task != tc.want {
			t.Errorf("%s: %+v, %v", tc.name, s, err)
		}
	}
}

func TestWhatCannotFitIsRefusedBeforeItIsPublished(t *testing.T) {
	q := openQueue(t)
	tables := t.TempDir()
	for dataset, vectors := range map[string]export.Vectors{"floats": {Precision: "float32", Dim: 384}, "bytes": {Precision: "int8", Dim: 384}} {
		fillTable(t, tables, dataset, "j", vectors)
	}
	spec := &models.Spec{Name: "m", Task: "embed", Dim: 384, Hidden: 384, MaxLength: 256, Pooling: "mean"}
	for _, tc := range []struct {
		dataset string
		params  map[string]string
		refused string
	}{
		{"new", map[string]string{"precision": "int8"}, ""},
		{"floats", nil, ""},
		{"floats", map[string]string{"precision": "int8"}, "has list<float>, the rows have list<byte>"},
		{"bytes", nil, "has list<byte>, the rows have list<float>"},
		{"bytes", map[string]string{"precision": "binary"}, "the job makes binary"},
		{"bytes", map[string]string{"precision": "int8"}, ""},
		{"floats", map[string]string{"dimensions": "128"}, "of 128 dimensions"},
		{"floats", map[string]string{"pooling": "none"}, "for each token"},
		{"new", map[string]string{"dimensions": "385"}, "dimensions: 385 is more than the 384 of model m"},
		{"new", map[string]string{"dimension": "3"}, "did you mean dimensions?"},
		{"new", map[string]string{"max_length": "257"}, "max_length"},
		{"new", map[string]string{"prompt_name": "query"}, "has no prompt"},
	} {
		o, _, _ := options("-")
		o.Job, o.NoWait, o.Tables, o.Dataset, o.Params = "j", true, tables, tc.dataset, tc.params
		o.Local = []LocalModel{{Name: "m", Task: "embed", Check: NewLocalModel("m", spec).Check}}
		o.Stdin = strings.NewReader(`{"text":"x"}`)
		before := waiting(t, q, "j")
		_, err := Submit(t.Context(), q, o)
		if tc.refused == "" && err != nil || tc.refused != "" && (!errors.Is(err, ErrUsage) || !strings.Contains(err.Error(), tc.refused)) {
			t.Errorf("%s with %v: %v", tc.dataset, tc.params, err)
		}
		if n := waiting(t, q, "j") - before; (tc.refused != "") != (n == 0) {
			t.Errorf("%s with %v: %d messages are published", tc.dataset, tc.params, n)
		}
	}
}

// fillTable makes a table that holds one row with such vectors.
func fillTable(t *testing.T, tables, dataset, job string, v export.Vectors) {
	t.Helper()
	row := export.Row{Job: job, Shard: "0", RecordID: "a"}
	if v.Kind() == export.EmbeddingInt8 {
		row.Embedding8 = make([]int8, v.Dim)
	} else {
		row.Embedding = make([]float32, v.Dim)
	}
	made.Delivery(t, export.Options{URI: tables}, dataset, v, export.JobKey("embed", "m", job, "0", []byte("x")),
		[]export.Row{row})
}

// TestAPipeAmongTheFilesIsRefused: it has no content to name the job by, and is no regular file.
func TestAPipeAmongTheFilesIsRefused(t *testing.T) {
	q := openQueue(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	o, _, _ := options(pipe)
	o.NoWait, o.Input.Format = true, "jsonl"
	if s, err := Submit(t.Context(), q, o); err == nil || s.Records != 0 || !strings.Contains(err.Error(), pipe) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestTablesAreLookedAtOnlyWhereTheyAreTheDaemons(t *testing.T) {
	for url, want := range map[string]bool{"": true, "nats://127.0.0.1:4222": true, "nats://localhost": true, "nats://[::1]:4222": true,
		"nats://queue.example:4222": false, "nats://10.0.0.1": false, "::": false} {
		if onThisMachine(url) != want {
			t.Errorf("%q", url)
		}
	}
}
