package jobs

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"textmill/ground/naming"
)

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile("../docs/reference/schema/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func accepts(t *testing.T, s *jsonschema.Schema, raw string) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return s.Validate(v)
}

// The schemas that foreign clients are given say what the decoder takes, and what events look like.
func TestSchemasDescribeTheProtocol(t *testing.T) {
	job, event := schema(t, "job.schema.json"), schema(t, "event.schema.json")
	record, err := jsonschema.NewCompiler().Compile("../docs/reference/schema/job.schema.json#/$defs/record")
	if err != nil {
		t.Fatal(err)
	}
	const input = `{"uri":"file:///a","format":"jsonl","size":9,"mtime":"2026-01-02T03:04:05Z"`
	for _, raw := range []string{
		`{"records":[{"text":"a"}]}`, `{"records":[{"text":"a"}]}`, `{"job":"a","shard":0,"shards":2,"dataset":"d","records":[{"text":"a"}],"params":{}}`,
		`{"shard":"x y","records":[{"text":"a"}]}`, `{"job":null,"shard":null,"shards":null,"dataset":null,"params":null,"input":null,"records":[{"text":"a"}]}`,
		`{"input":` + input + `}}`, `{"records":null,"input":` + input + `,"offset":1,"length":8}}`,
		`{"input":{"uri":"file:///a","format":"parquet","row_groups":[0,2],"size":9,"mtime":"2026-01-02T03:04:05Z"}}`,
		`{}`, `{"records":[]}`, `{"records":null}`, `{"records":{}}`, `{"records":[{"text":"a"}],"input":` + input + `}}`, `{"job":"a.b","records":[{"text":"a"}]}`, `{"job":1,"records":[{"text":"a"}]}`,
		`{"shard":-1,"records":[{"text":"a"}]}`, `{"shard":1.5,"records":[{"text":"a"}]}`, `{"shard":"a/b","records":[{"text":"a"}]}`, `{"shard":"","records":[{"text":"a"}]}`, `{"shards":0,"records":[{"text":"a"}]}`,
		`{"dataset":"","records":[{"text":"a"}]}`, `{"dataset":"a b","records":[{"text":"a"}]}`, `{"params":[],"records":[{"text":"a"}]}`, `{"recods":[]}`, `{"records":[{"text":"a"}],"more":1}`,
		`{"input":{"uri":"http://a","format":"jsonl","size":9,"mtime":"2026-01-02T03:04:05Z"}}`, `{"input":` + input + `,"row_groups":[0]}}`,
		`{"input":{"uri":"file:///a","format":"xml","size":9,"mtime":"2026-01-02T03:04:05Z"}}`, `{"input":` + input + `,"length":0}}`,
		`{"input":{"uri":"file:///a","format":"jsonl","mtime":"2026-01-02T03:04:05Z"}}`, `{"input":` + input + `,"more":1}}`, `[]`, `"a"`, `5`,
	} {
		_, wrong := Decode(Message{Subject: "textmill.jobs.embed.m", Data: []byte(raw), Sequence: 1}, Limits{})
		if err := accepts(t, job, raw); (err == nil) != (wrong == nil) {
			t.Errorf("%s: the schema says %v, the decoder %v", raw, err, wrong)
		}
	}
	for _, raw := range []string{
		`{"text":"a"}`, `{"id":"x","text":""}`, `{"id":5,"text":"a","lang":"en"}`, `{"id":null,"text":"a","messages":null,"attributes":{"a":1}}`,
		`{"messages":[{"role":"user","content":"a"}]}`, `{"text":"a","params":{"seed":1}}`,
		`{}`, `{"text":null}`, `{"text":5}`, `{"text":"a","messages":[{"role":"user","content":"a"}]}`, `{"messages":[]}`, `{"messages":{}}`, `{"messages":[{"role":"user"}]}`,
		`{"id":[],"text":"a"}`, `{"text":"a","attributes":[]}`, `{"text":"a","params":[]}`, `"a"`,
	} {
		got := ParseRecord([]byte(raw))
		if err := accepts(t, record, raw); (err == nil) != (got.Err == nil) {
			t.Errorf("record %s: the schema says %v, the decoder %v", raw, err, got.Err)
		}
	}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	hash := strings.Repeat("0a", 32)
	for _, e := range []Event{
		{Type: EventSubmitted, Job: "j", Time: at}, {Type: EventSubmitted, Job: "j", Shards: 4, Task: naming.TaskEmbed, Model: "m", Dataset: "d", Time: at},
		{Type: EventCommitted, Job: "j", Shard: "0", Shards: 4, Rows: 5, Errors: 1, Tokens: 7, PayloadSHA256: hash, Truncated: 1, Dropped: 9, DeadRecords: 1, Table: "/t", Version: 3, Published: at, Time: at},
		{Type: EventDead, Job: "j", Shard: "0/r1", PayloadSHA256: hash, Class: Schema, Reason: "why", Time: at}, {Type: EventResolved, Job: "j", Shard: "0/r1", PayloadSHA256: hash, Class: IdentityConflict, Reason: "dropped", Time: at}, {Type: EventDone, Job: "j", Time: at},
	} {
		if err := accepts(t, event, string(e.AppendJSON(nil))); err != nil {
			t.Errorf("event %+v: %v", e, err)
		}
	}
	for _, raw := range []string{`{}`, `{"type":"done","job":"a.b","time":"2026-01-02T03:04:05Z"}`, `{"type":"done","job":"j","time":"now"}`, `{"type":"done","job":"j","rows":"5","time":"2026-01-02T03:04:05Z"}`} {
		_, wrong := ParseEvent([]byte(raw))
		if err := accepts(t, event, raw); err == nil || wrong == nil {
			t.Errorf("event %s: the schema says %v, the parser %v", raw, err, wrong)
		}
	}
}

// What the page on the protocol shows can be decoded.
func TestExamplesOfTheProtocol(t *testing.T) {
	page, err := os.ReadFile("../docs/reference/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	messages, events := 0, 0
	for block := range bytes.SplitSeq(page, []byte("\n\n")) {
		text := strings.TrimSpace(string(block))
		switch {
		case !strings.HasPrefix(string(block), "    {"):
		case strings.HasPrefix(text, `{"type"`):
			events++
			e, err := ParseEvent([]byte(text))
			if err != nil || string(e.AppendJSON(nil)) != text && len(e.AppendJSON(nil)) != len(text) {
				t.Errorf("%s: %v, written as %s", text, err, e.AppendJSON(nil))
			}
		default:
			messages++
			if s, err := Decode(Message{Subject: "textmill.jobs.embed.m", Data: []byte(text)}, Limits{}); err != nil || s.ParamsErr != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
	if messages < 2 || events < 1 {
		t.Errorf("found %d messages and %d events", messages, events)
	}
}
