package input

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"textmill/jobs"
)

// readFuzzed reads all of data; whatever the bytes, records are whole or errors, and within bounds.
func readFuzzed(t *testing.T, data []byte, o Options) {
	o.MaxRecordBytes = 1 << 10
	o.MaxExpandedBytes = 1 << 20
	r, err := NewReader(bytes.NewReader(data), o)
	if err != nil {
		return
	}
	var last int64
	for {
		var it Item
		if err := r.Next(&it); err != nil {
			break
		}
		checkItem(t, it, &last)
	}
	if err := r.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func checkItem(t *testing.T, it Item, last *int64) {
	rec := it.Record
	if it.Line < *last {
		t.Fatalf("line %d after line %d", it.Line, *last)
	}
	*last = it.Line
	if !utf8.ValidString(rec.ID) || !utf8.ValidString(rec.Text) {
		t.Fatalf("line %d: the record is not UTF-8: %q %q", it.Line, rec.ID, rec.Text)
	}
	for k, v := range rec.Attributes {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			t.Fatalf("line %d: the attribute is not UTF-8: %q %q", it.Line, k, v)
		}
	}
	if again := jobs.ParseRecord(rec.AppendJSON(nil)); rec.Err == nil && (again.Err != nil || string(again.Params) != string(rec.Params) || again.Text != rec.Text) {
		t.Fatalf("line %d: %s is read back as %+v", it.Line, rec.AppendJSON(nil), again)
	}
	if e := rec.Err; e != nil {
		switch e.Class {
		case jobs.InvalidRecord, jobs.BadUTF8, jobs.TooLong, jobs.InvalidParam:
		default:
			t.Logf("line %d: class %q came with the record", it.Line, e.Class)
		}
		if !utf8.ValidString(e.Message) {
			t.Fatalf("line %d: the error is not UTF-8: %q", it.Line, e.Message)
		}
	}
}

func FuzzJSONL(f *testing.F) {
	f.Add([]byte("{\"id\":\"a\",\"text\":\"x\",\"k\":{\"a\":[1]}}\n\n{\"id\":7,\"text\":\"\\ud83d\\ude00\"}\r\n{\"text\":"), "", "")
	f.Add([]byte("\xef\xbb\xbf{\"body\":\"x\",\"text\":\"\xff\",\"key\":\"\\ud800\"}\n"), "body", "key")
	f.Fuzz(func(t *testing.T, data []byte, text, id string) {
		readFuzzed(t, data, Options{Format: JSONL, TextColumn: text, IDColumn: id})
	})
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("id,text\n1,\"a \"\"b\"\"\r\nc\"\r\n\n2,x\n"), ',')
	f.Add([]byte("text\tid\n\"open\t1\n"), '\t')
	f.Fuzz(func(t *testing.T, data []byte, comma rune) {
		format := CSV
		if comma == '\t' {
			format = TSV
		}
		readFuzzed(t, data, Options{Format: format})
	})
}

func FuzzOpenAIBatch(f *testing.F) {
	f.Add([]byte(`{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":["x","y"],"dimensions":4}}`))
	f.Add([]byte(`{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"input":[[1,2],null]}}`))
	f.Add([]byte(`{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}],"max_tokens":3,"logit_bias":{"1":2}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		readFuzzed(t, data, Options{Format: OpenAIBatch})
		readFuzzed(t, data, Options{})
	})
}

// FuzzStream covers the guess of format and compression.
func FuzzStream(f *testing.F) {
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03K\xe4\x02\x00\x07\xa1\xea\xdd\x02\x00\x00\x00"))
	f.Add([]byte("\x28\xb5\x2f\xfd\x04\x00\x11\x00\x00a\n"))
	f.Add([]byte("PAR1"))
	f.Fuzz(func(t *testing.T, data []byte) { readFuzzed(t, data, Options{}) })
}

// FuzzRoots asks for files in every way that a job can: none outside of the root is opened, whatever "IN" and "OUT", which
// stand for the root and for the folder of a secret, are combined to.
func FuzzRoots(f *testing.F) {
	for _, uri := range []string{"file://IN/a.jsonl", "file://IN/../out/s.jsonl", "file://IN/%2e%2e/out/s.jsonl", "file://IN/link", "file://IN/up/s.jsonl", "file://OUT/s.jsonl",
		"file://localhost/IN/sub/../a.jsonl", "file:///dev/zero", "file://IN/pipe", "file://IN/\x00", "file://IN/a.jsonl/"} {
		f.Add(uri, "jsonl", int64(0), int64(0))
	}
	f.Add("file://IN/a.jsonl", "csv", int64(14), int64(13))
	f.Add("file://IN/a.jsonl", "parquet", int64(-1), int64(1<<62))
	top := f.TempDir()
	in, out := filepath.Join(top, "in"), filepath.Join(top, "out")
	const content, secret = "{\"text\":\"x\"}\n{\"text\":\"y\"}\n", "secret"
	for dir, name := range map[string]string{in: "a.jsonl", filepath.Join(in, "sub"): "b.jsonl", out: "s.jsonl"} {
		text := content
		if dir == out {
			text = `{"text":"` + secret + "\"}\n" + strings.Repeat(" ", len(content)-len(secret)-12)
		}
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600), os.Chtimes(filepath.Join(dir, name), modified, modified)); err != nil {
			f.Fatal(err)
		}
	}
	err := errors.Join(os.Symlink(filepath.Join(out, "s.jsonl"), filepath.Join(in, "link")), os.Symlink("../out", filepath.Join(in, "up")), syscall.Mkfifo(filepath.Join(in, "pipe"), 0o600))
	roots, openErr := OpenRoots([]string{in}, nil)
	if err := errors.Join(err, openErr); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = roots.Close() })
	f.Fuzz(func(t *testing.T, uri, format string, offset, length int64) {
		uri = strings.NewReplacer("IN", in, "OUT", out).Replace(uri)
		ref := &jobs.Input{URI: uri, Format: format, Offset: offset, Length: length, Size: int64(len(content)), MTime: modified}
		r, err := roots.OpenInput(ref, Options{MaxRecordBytes: 1 << 10})
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		for {
			var it Item
			if err := r.Next(&it); err != nil {
				break
			}
			if strings.Contains(it.Record.Text, secret) {
				t.Errorf("%q read what lies outside", uri)
			}
		}
		if err := r.Close(); err != nil {
			t.Errorf("%q: close: %v", uri, err)
		}
	})
}

// What is no problem of a file is a request that has a custom_id and a model, and as many records as reading it gives.
func FuzzBatchFile(f *testing.F) {
	f.Add([]byte(`{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"model":"m","input":["x","y"],"dimensions":4}}` + "\n{\n\n" + `{"custom_id":"","url":null}`))
	f.Add([]byte("\xef\xbb\xbf" + `{"custom_id":"a","method":"POST","url":"/embeddings","body":{"model":"m"}}` + "\r\n" + strings.Repeat("x", 2000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		const most = 1 << 10
		b := NewBatchReader(bytes.NewReader(data), EmbeddingsPath, most)
		problems, records, last := 0, 0, int64(0)
		for {
			l, err := b.Next()
			if err != nil {
				break
			}
			if l.Line <= last {
				t.Fatalf("line %d after line %d", l.Line, last)
			}
			last, records = l.Line, records+l.Records
			if p := l.Problem; p != nil {
				problems++
				if p.Code == "" || p.Message == "" || !utf8.ValidString(p.Message) {
					t.Fatalf("line %d: %+v", l.Line, p)
				}
			} else if l.CustomID == "" || l.Model == "" || l.Records < 1 || !utf8.ValidString(l.CustomID) || !utf8.ValidString(l.Model) {
				t.Fatalf("%+v is a request", l)
			}
		}
		r, err := NewReader(bytes.NewReader(data), Options{Format: OpenAIBatch, MaxRecordBytes: most})
		if err != nil || problems > 0 {
			return
		}
		for read := 0; ; read++ {
			var it Item
			if r.Next(&it) != nil {
				if read != records {
					t.Fatalf("%d records are read, %d were told", read, records)
				}
				return
			}
		}
	})
}
