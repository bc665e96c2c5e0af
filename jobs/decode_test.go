package jobs

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"textmill/ground/naming"
)

const embedSubject = "textmill.jobs.embed.m"

func decodeJSON(subject, body string) (*Shard, error) {
	return Decode(Message{Subject: subject, Data: []byte(body), Sequence: 7}, Limits{RecordsPerShard: 3, RecordBytes: 100})
}

func TestDecodeReadsEveryField(t *testing.T) {
	s, err := decodeJSON(embedSubject, `{"job":"docs-1","shard":2,"shards":4,"dataset":"docs",
		"records":[{"id":"a","text":"A"},{"text":"B"},{"id":"a","text":"C"}],"params":{"pooling":"cls"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if s.Job != "docs-1" || s.ID != "2" || s.Shards != 4 || s.Dataset != "docs" || s.Task != naming.TaskEmbed || s.Model != "m" || s.KeyID != "2" {
		t.Errorf("shard %+v", s)
	}
	if s.Embed.Pooling != "cls" || s.Embed.Precision != "float32" || !s.Embed.StoreText || s.ParamsErr != nil {
		t.Errorf("params %+v, %v", s.Embed, s.ParamsErr)
	}
	if s.Records[0].ID != "a" || s.Records[1].ID != "2-1" || s.Records[2].Err == nil || s.Records[2].Err.Class != DuplicateID || s.Records[2].Text != "C" {
		t.Errorf("records %+v", s.Records)
	}
}

func TestDecodeNamesWhatIsNotNamed(t *testing.T) {
	tests := []struct {
		name, subject, body string
		job, id, key        string
	}{
		{"nothing named", embedSubject, `{"records":[{"text":"x"}]}`, "default", "7", ""},
		{"job only", embedSubject, `{"job":"j","records":[{"text":"x"}]}`, "j", "7", ""},
		{"shard only", embedSubject, `{"shard":"s","records":[{"text":"x"}]}`, "default", "s", ""},
		{"job by subject", embedSubject + ".j", `{"shard":"part 1","records":[{"text":"x"}]}`, "j", "part 1", "part 1"},
		{"both the same", embedSubject + ".j", `{"job":"j","shard":0,"records":[{"text":"x"}]}`, "j", "0", "0"},
		{"nulls are absent", embedSubject, `{"job":null,"shard":null,"input":null,"params":null,"records":[{"text":"x"}]}`, "default", "7", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := decodeJSON(tt.subject, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if s.Job != tt.job || s.ID != tt.id || s.KeyID != tt.key || s.Dataset != DefaultDataset {
				t.Errorf("job %q shard %q key %q dataset %q", s.Job, s.ID, s.KeyID, s.Dataset)
			}
		})
	}
}

// What is wrong may be long; what is said of it goes into logs, letters and events.
func TestReasonsAreShort(t *testing.T) {
	long := strings.Repeat("\x01", 60_000)
	for name, m := range map[string]Message{
		"dataset in a header": {Header: Header{HeaderDataset: {long}}},
		"job in a header":     {Header: Header{HeaderJob: {long}}},
		"text":                {Data: []byte(long)},
		"key":                 {Data: []byte(`{"` + strings.Repeat("k", 60_000) + `":1}`)},
		"key twice":           {Data: []byte(`{"records":[{"` + strings.Repeat("k", 60_000) + `":1}`)},
		"dataset":             {Data: []byte(`{"dataset":"` + strings.Repeat("d", 60_000) + `","records":[1]}`)},
		"job":                 {Data: []byte(`{"job":"` + strings.Repeat("j", 60_000) + `","records":[1]}`)},
		"shard":               {Data: []byte(`{"shard":"` + strings.Repeat("s", 60_000) + `","records":[1]}`)},
		"shards":              {Data: []byte(`{"shards":` + strings.Repeat("9", 60_000) + `,"records":[1]}`)},
		"uri":                 {Data: []byte(`{"input":{"uri":"` + strings.Repeat("u", 60_000) + `"}}`)},
		"format":              {Data: []byte(`{"input":{"uri":"file:///d","format":"` + strings.Repeat("u", 60_000) + `"}}`)},
	} {
		m.Subject = embedSubject
		var invalid *Invalid
		if _, err := Decode(m, Limits{}); !errors.As(err, &invalid) || len(invalid.Reason) > 1<<10 {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

func TestDecodeRefusesWhatIsNoJob(t *testing.T) {
	in := func(s string) string {
		return `{"input":{"uri":"file:///d/c.jsonl","format":"jsonl","size":100,"mtime":"2026-01-02T03:04:05Z"` + s + `}}`
	}
	tests := []struct{ name, subject, body, want string }{
		{"not JSON", "", `hello`, "text/plain"},
		{"cut off", "", `{"records":[{"text":"x"`, "ends too early"},
		{"nothing", "", ``, "not JSON"},
		{"an array", "", `[]`, "an array, not a JSON object"},
		{"two objects", "", `{"records":[{"text":"x"}]} {}`, "more follows"},
		{"no records", "", `{}`, "no records"},
		{"empty records", "", `{"records":[]}`, "no records"},
		{"records of the wrong type", "", `{"records":{}}`, "records: want an array"},
		{"too many records", "", `{"records":[1,2,3,4]}`, "more than 3"},
		{"records and input", "", `{"records":[1],` + in("")[1:], "both records and input"},
		{"unknown key", "", `{"record":[]}`, `unknown key "record"`},
		{"key twice", "", `{"records":[1],"records":[2]}`, `"records" occurs twice`},
		{"unsafe dataset", "", `{"dataset":"../x","records":[1]}`, `"../x"`},
		{"empty dataset", "", `{"dataset":"","records":[1]}`, "dataset"},
		{"long dataset", "", `{"dataset":"` + strings.Repeat("x", 65) + `","records":[1]}`, "dataset"},
		{"dataset of the wrong type", "", `{"dataset":1,"records":[1]}`, "dataset: want a string"},
		{"unsafe job", "", `{"job":"a.b","records":[1]}`, `job: "a.b"`},
		{"job of the wrong type", "", `{"job":{},"records":[1]}`, "job: want a string"},
		{"another job than the subject's", embedSubject + ".j", `{"job":"k","records":[1]}`, `"k"`},
		{"shard with a slash", "", `{"shard":"0/r1","records":[1]}`, "shard"},
		{"shard with a line feed", "", `{"shard":"a\nb","records":[1]}`, "shard"},
		{"fractional shard", "", `{"shard":1.5,"records":[1]}`, "shard"},
		{"negative shard", "", `{"shard":-1,"records":[1]}`, "shard"},
		{"no shards", "", `{"shards":0,"records":[1]}`, "shards"},
		{"shards of the wrong type", "", `{"shards":"4","records":[1]}`, "shards: want a whole number"},
		{"params of the wrong type", "", `{"params":[],"records":[1]}`, "params: want an object"},
		{"invalid UTF-8 in a name", "", "{\"job\":\"\xff\",\"records\":[1]}", "UTF-8"},
		{"unknown task", "textmill.jobs.rank.m", `{"records":[1]}`, `task "rank"`},
		{"unsafe model", "textmill.jobs.embed.m$", `{"records":[1]}`, `model "m$"`},
		{"unsafe job in the subject", embedSubject + ".a$", `{"records":[1]}`, `job "a$"`},
		{"a token too many", embedSubject + ".a.b", `{"records":[1]}`, "<task>"},

		{"input of the wrong type", "", `{"input":"file:///x"}`, "input: want an object"},
		{"input with an unknown key", "", in(`,"head":1`), `unknown key "head"`},
		{"input without size", "", `{"input":{"uri":"file:///x","format":"text","mtime":"2026-01-02T03:04:05Z"}}`, "input.size is missing"},
		{"input of an unknown format", "", strings.Replace(in(""), `"jsonl"`, `"xml"`, 1), `"xml"`},
		{"input beyond its end", "", in(`,"offset":50,"length":51`), "beyond the size"},
		{"input with a negative offset", "", in(`,"offset":-1`), "input.offset"},
		{"input with row groups that is no parquet", "", in(`,"row_groups":[0]`), "row_groups are for parquet"},
		{"input with an odd time", "", strings.Replace(in(""), "2026-01-02T03:04:05Z", "yesterday", 1), "input.mtime"},
		{"input by http", "", strings.Replace(in(""), "file://", "http://h", 1), "only file://"},
		{"input of another host", "", strings.Replace(in(""), "file://", "file://h", 1), "host"},
		{"input with a relative path", "", strings.Replace(in(""), "file:///", "file:", 1), "absolute"},
		{"input with a NUL in its path", "", strings.Replace(in(""), "/d/", "/d%00/", 1), "NUL"},
		{"input with a query", "", strings.Replace(in(""), "c.jsonl", "c.jsonl?x", 1), "query"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			subject := tt.subject
			if subject == "" {
				subject = embedSubject
			}
			s, err := decodeJSON(subject, tt.body)
			var invalid *Invalid
			if !errors.As(err, &invalid) {
				t.Fatalf("got %+v, %v", s, err)
			}
			if invalid.Class != InvalidJob || !strings.Contains(invalid.Reason, tt.want) {
				t.Errorf("%v does not say %q", invalid, tt.want)
			}
		})
	}
}

func TestDecodeKeepsNeighboursOfABadRecord(t *testing.T) {
	s, err := decodeJSON(embedSubject, "{\"records\":[{\"id\":\"a\",\"text\":\"\xff\"},{\"id\":\"b\",\"text\":\"ok\"},{\"id\":\"c\",\"text\":\"\\ud800\"}]}")
	if err != nil {
		t.Fatal(err)
	}
	for i, class := range []string{BadUTF8, "", BadUTF8} {
		if r := s.Records[i]; (r.Err == nil) != (class == "") || r.Err != nil && r.Err.Class != class {
			t.Errorf("record %d: %+v", i, r)
		}
	}
	if s.Records[1].Text != "ok" {
		t.Errorf("neighbour is %+v", s.Records[1])
	}
}

func TestDecodeBadParamsAreForEveryRecord(t *testing.T) {
	s, err := decodeJSON(embedSubject, `{"records":[{"text":"x"}],"params":{"poling":"cls"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if s.ParamsErr == nil || s.ParamsErr.Class != InvalidParam || !strings.Contains(s.ParamsErr.Message, "pooling") {
		t.Errorf("params error %v", s.ParamsErr)
	}
}

func TestDecodeInput(t *testing.T) {
	in := Input{URI: FileURI("/data/a b?.parquet"), Format: FormatParquet, RowGroups: []int{0, 2}, Size: 100,
		MTime: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)}
	e := Envelope{Job: "j", Shard: "1", Shards: 3, Dataset: "d", Params: []byte(`{"truncate":"left"}`), Input: &in}
	s, err := Decode(Message{Subject: embedSubject + ".j", Data: e.Close(e.Open(nil))}, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if path, err := s.Input.Path(); err != nil || path != "/data/a b?.parquet" {
		t.Errorf("path %q, %v", path, err)
	}
	if fmt.Sprint(*s.Input) != fmt.Sprint(in) || s.Records != nil || s.Embed.Truncate != "left" || s.KeyID != "1" {
		t.Errorf("shard %+v with input %+v", s, s.Input)
	}
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	attributes := map[string]string{"lang": "de", "a \"b\"\n": ""}
	embeds := []Record{{ID: "a", Text: "t"}, {ID: "ä\u2028<&>", Text: "\x00 \U0001f600", Attributes: attributes}, {ID: "empty"}}
	chats := []Record{{ID: "c", Messages: []ChatMessage{{Role: "user", Content: "hi\t\"you\""}}, Params: []byte(`{"temperature":0.5}`), Attributes: attributes}}
	judged := []Record{{ID: "e", Err: &RecordError{Class: TooLong, Message: "too much"}, Attributes: attributes}}
	for _, c := range []struct {
		subject string
		e       Envelope
		records []Record
	}{
		{embedSubject, Envelope{Job: "j", Shard: "0", Dataset: "d"}, embeds},
		{embedSubject, Envelope{Job: "j", Shard: "9223372036854775807", Shards: 3, Dataset: "d", Params: []byte(`{"truncate":"left"}`)}, judged},
		{"textmill.jobs.generate.m", Envelope{Job: "j", Shard: "12.3", Dataset: "d", Params: []byte(`{"n":2, "seed":1}`)}, chats},
		{"textmill.jobs.generate.m", Envelope{Job: "j", Shard: "007", Dataset: "d"}, chats[:1:1]},
		{embedSubject, Envelope{Job: "j", Shard: `"1" é`, Dataset: "d"}, embeds[:1:1]},
	} {
		data := c.e.Encode(c.records...)
		s, err := Decode(Message{Subject: c.subject, Data: data}, Limits{})
		if err != nil {
			t.Errorf("%s: %v", data, err)
			continue
		}
		got := Envelope{Job: s.Job, Shard: s.ID, Shards: s.Shards, Dataset: s.Dataset, Params: s.RawParams}
		if !reflect.DeepEqual(got, c.e) || !reflect.DeepEqual(s.Records, c.records) || s.ParamsErr != nil {
			t.Errorf("%s: decoded as %+v with %+v, encoded %+v with %+v", data, got, s.Records, c.e, c.records)
		}
		if again := got.Encode(s.Records...); string(again) != string(data) {
			t.Errorf("again it is %s, was %s", again, data)
		}
		other := c.e
		other.Job = "another-job"
		if a, b := c.e.AfterJob(data), other.AfterJob(other.Encode(c.records...)); string(a) != string(b) {
			t.Errorf("but for the job's name: %s and %s", a, b)
		}
	}
}

func TestEnvelopeWithRecordsIsDecoded(t *testing.T) {
	e := Envelope{Job: "j", Shard: "0", Dataset: "d"}
	r := Record{ID: "a", Text: "t"}
	s, err := decodeJSON(embedSubject, string(e.Encode(r, r)))
	if err != nil || len(s.Records) != 2 || s.Records[1].Err == nil {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestDecodePlainText(t *testing.T) {
	header := func(kv ...string) Header {
		h := Header{"content-type": {"Text/Plain; charset=UTF-8"}}
		for i := 0; i < len(kv); i += 2 {
			h[kv[i]] = []string{kv[i+1]}
		}
		return h
	}
	tests := []struct {
		name, text       string
		subject          string
		header           Header
		job, dataset, id string
		class            string
	}{
		{name: "bare", text: "hello", header: header(), job: "text", dataset: "default", id: "7"},
		{name: "with headers in another case", text: "a\x00b", header: header("nats-msg-id", "m1", "textmill-dataset", "d", "TEXTMILL-JOB", "j"), job: "j", dataset: "d", id: "m1"},
		{name: "job of the subject", text: "x", subject: embedSubject + ".k", header: header(), job: "k", dataset: "default", id: "7"},
		{name: "JSON is text too", text: `{"a":1}`, header: header(), job: "text", dataset: "default", id: "7"},
		{name: "invalid UTF-8", text: "\xff", header: header(), job: "text", dataset: "default", id: "7", class: BadUTF8},
		{name: "too long", text: strings.Repeat("x", 101), header: header(), job: "text", dataset: "default", id: "7", class: TooLong},
		{name: "another charset", text: "x", header: Header{"Content-Type": {"text/plain; charset=latin1"}}, job: "text", dataset: "default", id: "7", class: BadUTF8},
		{name: "odd parameters", text: "x", header: Header{"Content-Type": {"text/plain; ="}}, job: "text", dataset: "default", id: "7"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			subject := tt.subject
			if subject == "" {
				subject = embedSubject
			}
			s, err := Decode(Message{Subject: subject, Header: tt.header, Data: []byte(tt.text), Sequence: 7}, Limits{RecordBytes: 100})
			if err != nil {
				t.Fatal(err)
			}
			if s.Job != tt.job || s.Dataset != tt.dataset || len(s.Records) != 1 || s.Records[0].ID != tt.id || s.KeyID != "" || s.ID != "7" {
				t.Fatalf("shard %+v", s)
			}
			r := s.Records[0]
			if (r.Err == nil) != (tt.class == "") || r.Err != nil && r.Err.Class != tt.class || r.Err == nil && r.Text != tt.text {
				t.Errorf("record %+v", r)
			}
		})
	}
	for name, h := range map[string]Header{
		"unsafe dataset": header("Textmill-Dataset", "../x"),
		"unsafe job":     header("Textmill-Job", "a b"),
		"other job":      header("Textmill-Job", "other"),
	} {
		if s, err := Decode(Message{Subject: embedSubject + ".j", Header: h, Data: []byte("x")}, Limits{}); err == nil {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func TestDecodeRetry(t *testing.T) {
	h := Header{HeaderRetry: {"2"}, HeaderSequence: {"3"}, HeaderStreamCreated: {"2026-01-02T03:04:05.5Z"},
		HeaderTimestamp: {"2026-01-02T03:05:05Z"}, HeaderOriginalMsgID: {"m"}, HeaderMsgID: {"retry/x/2"}}
	s, err := Decode(Message{Subject: embedSubject, Header: h, Data: []byte(`{"job":"j","shard":5,"records":[{"text":"x"}]}`), Sequence: 9}, Limits{})
	if err != nil || s.KeyID != "5/r2" || s.ID != "5" || s.EventID() != "5/r2" || s.Records[0].ID != "5-0" {
		t.Errorf("named: %+v, %v", s, err)
	}
	s, err = Decode(Message{Subject: embedSubject, Header: h, Data: []byte(`{"records":[{"text":"x"}]}`), Sequence: 9}, Limits{})
	if err != nil || s.ID != "3" || s.KeyID != "seq-1767323045500000000-3/r2" {
		t.Errorf("unnamed: %+v, %v", s, err)
	}
	h[HeaderContentType] = []string{"text/plain"}
	s, err = Decode(Message{Subject: embedSubject, Header: h, Data: []byte(`x`), Sequence: 9}, Limits{})
	if err != nil || s.Records[0].ID != "m" || s.KeyID == "" {
		t.Errorf("text: %+v, %v", s, err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"job":"j","shard":0,"shards":2,"dataset":"d","records":[{"id":"a","text":"x","attributes":{"k":"v"}}],"params":{"dimensions":64}}`,
		`{"input":{"uri":"file:///d/c.parquet","format":"parquet","row_groups":[0],"size":1,"mtime":"2026-01-02T03:04:05Z"}}`,
		`{"records":[{"text":"\ud800"},{"text":1},[]]}`, "{\"records\":[{\"text\":\"\xff\"}]}", `{}`, `hello`,
	} {
		f.Add("textmill.jobs.embed.m", "", []byte(s))
		f.Add("textmill.jobs.generate.m.j", "", []byte(s))
		f.Add("textmill.jobs.embed.m", "text/plain; charset=utf-8", []byte(s))
	}
	f.Fuzz(func(t *testing.T, subject, contentType string, data []byte) {
		m := Message{Subject: subject, Header: Header{HeaderContentType: {contentType}}, Data: data, Sequence: 1}
		s, err := Decode(m, Limits{RecordsPerShard: 100, RecordBytes: 1000})
		if err != nil {
			var invalid *Invalid
			if !errors.As(err, &invalid) || invalid.Class == "" || invalid.Reason == "" {
				t.Errorf("error %v", err)
			}
			return
		}
		if naming.CheckJob(s.Job) != nil || naming.CheckDataset(s.Dataset) != nil || naming.CheckShard(s.ID) != nil || (s.Input == nil) == (s.Records == nil) {
			t.Errorf("shard %+v", s)
		}
		seen := map[string]bool{}
		for _, r := range s.Records {
			if r.ID == "" || r.Err == nil && seen[r.ID] {
				t.Errorf("record %+v", r)
			}
			seen[r.ID] = true
		}
	})
}
