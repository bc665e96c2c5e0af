package jobs

import (
	"maps"
	"strings"
	"testing"

	"textmill/ground/naming"
)

func TestParseRecord(t *testing.T) {
	tests := []struct {
		name, raw string
		want      Record
		class     string // of Err; "" = none
	}{
		{name: "plain", raw: `{"id":"a","text":"hello"}`, want: Record{ID: "a", Text: "hello"}},
		{name: "numeric id keeps its JSON text", raw: `{"id":1.50e2,"text":"x"}`, want: Record{ID: "1.50e2", Text: "x"}},
		{name: "null id is missing", raw: `{"id":null,"text":"x"}`, want: Record{Text: "x"}},
		{name: "escapes", raw: `{"text":"a\u0000\ud83d\ude00\n"}`, want: Record{Text: "a\x00😀\n"}},
		{name: "raw text with a NUL escape only", raw: `{"text":"\u0000"}`, want: Record{Text: "\x00"}},
		{name: "empty text", raw: `{"text":""}`, want: Record{}},
		{name: "attributes that are not strings are JSON text", raw: `{"text":"x","attributes":{"n":1,"o":{"a": [1]},"s":"t","z":null}}`,
			want: Record{Text: "x", Attributes: map[string]string{"n": "1", "o": `{"a": [1]}`, "s": "t", "z": "null"}}},
		{name: "unknown keys become attributes", raw: `{"text":"x","lang":"en","page":3,"attributes":{"a":"b"}}`,
			want: Record{Text: "x", Attributes: map[string]string{"lang": "en", "page": "3", "a": "b"}}},
		{name: "messages", raw: `{"id":"m","messages":[{"role":"user","content":"hi"}]}`,
			want: Record{ID: "m", Messages: []ChatMessage{{"user", "hi"}}}},
		{name: "params of its own", raw: `{"text":"x","params":{"seed":1, "stop":null}}`, want: Record{Text: "x", Params: []byte(`{"seed":1, "stop":null}`)}},
		{name: "null params", raw: `{"text":"x","params":null}`, want: Record{Text: "x"}},
		{name: "params of the wrong type", raw: `{"id":"a","text":"x","params":[1]}`, want: Record{ID: "a"}, class: InvalidRecord},
		{name: "params with a lone surrogate", raw: `{"id":"a","text":"x","params":{"stop":"\ud800"}}`, want: Record{ID: "a"}, class: BadUTF8},
		{name: "an empty role", raw: `{"id":"a","messages":[{"role":"","content":"b"}]}`, want: Record{ID: "a"}, class: InvalidRecord},
		{name: "a record that its publisher could not carry", raw: `{"id":"x","error":"too_long: 9 MB"}`, want: Record{ID: "x"}, class: TooLong},
		{name: "an error without a class", raw: `{"id":"x","error":"Went wrong: yes"}`, want: Record{ID: "x"}, class: InvalidRecord},

		{name: "text of the wrong type", raw: `{"id":"a","text":5}`, want: Record{ID: "a"}, class: InvalidRecord},
		{name: "id after the fault is found", raw: `{"text":5,"id":"a"}`, want: Record{ID: "a"}, class: InvalidRecord},
		{name: "missing text", raw: `{"id":"a"}`, want: Record{ID: "a"}, class: InvalidRecord},
		{name: "null text", raw: `{"id":"a","text":null}`, want: Record{ID: "a"}, class: InvalidRecord},
		{name: "id of the wrong type", raw: `{"id":[],"text":"x"}`, class: InvalidRecord},
		{name: "not an object", raw: `"text"`, class: InvalidRecord},
		{name: "not JSON", raw: `{"text":`, class: InvalidRecord},
		{name: "nothing", raw: ``, class: InvalidRecord},
		{name: "two objects", raw: `{"text":"x"}{}`, class: InvalidRecord},
		{name: "text and messages", raw: `{"text":"x","messages":[{"role":"a","content":"b"}]}`, class: InvalidRecord},
		{name: "no messages", raw: `{"messages":[]}`, class: InvalidRecord},
		{name: "message without content", raw: `{"messages":[{"role":"user"}]}`, class: InvalidRecord},
		{name: "attributes of the wrong type", raw: `{"text":"x","attributes":[1]}`, class: InvalidRecord},
		{name: "duplicate key", raw: `{"id":"a","text":"x","text":"y"}`, want: Record{ID: "a"}, class: InvalidRecord},
		{name: "duplicate key below", raw: `{"id":"a","text":"x","attributes":{"k":1,"k":2}}`, want: Record{ID: "a"}, class: InvalidRecord},
		{name: "two ids give none", raw: `{"id":"a","id":"b","text":"x"}`, class: InvalidRecord},
		{name: "an attribute given twice", raw: `{"id":"a","text":"x","k":1,"attributes":{"k":2}}`, want: Record{ID: "a"}, class: InvalidRecord},
		{name: "invalid UTF-8", raw: "{\"id\":\"a\",\"text\":\"\xff\"}", want: Record{ID: "a"}, class: BadUTF8},
		{name: "invalid UTF-8 in the id", raw: "{\"id\":\"\xff\",\"text\":\"a\"}", class: BadUTF8},
		{name: "a UTF-8 surrogate", raw: "{\"id\":\"a\",\"text\":\"\xed\xa0\x80\"}", want: Record{ID: "a"}, class: BadUTF8},
		{name: "lone high surrogate", raw: `{"id":"a","text":"\ud800"}`, want: Record{ID: "a"}, class: BadUTF8},
		{name: "lone low surrogate", raw: `{"id":"a","text":"x\udc00y"}`, want: Record{ID: "a"}, class: BadUTF8},
		{name: "surrogates in the wrong order", raw: `{"id":"a","text":"\udc00\ud800"}`, want: Record{ID: "a"}, class: BadUTF8},
		{name: "lone surrogate in an attribute", raw: `{"id":"a","text":"x","k":"\ud800"}`, want: Record{ID: "a"}, class: BadUTF8},
		{name: "lone surrogate and a duplicate key", raw: `{"id":"a","text":"\ud800","text":""}`, want: Record{ID: "a"}, class: BadUTF8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ParseRecord([]byte(tt.raw))
			class := ""
			if got.Err != nil {
				class = got.Err.Class
			}
			if class != tt.class {
				t.Fatalf("class %q, want %q (%v)", class, tt.class, got.Err)
			}
			if got.ID != tt.want.ID || got.Text != tt.want.Text || !maps.Equal(got.Attributes, tt.want.Attributes) || string(got.Params) != string(tt.want.Params) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if len(got.Messages) != len(tt.want.Messages) || len(got.Messages) == 1 && got.Messages[0] != tt.want.Messages[0] {
				t.Errorf("messages %v, want %v", got.Messages, tt.want.Messages)
			}
		})
	}
}

func TestRecordsOwnParamsAreJudged(t *testing.T) {
	for _, c := range []struct{ task, params, want string }{
		{naming.TaskGenerate, `{"temperature":0.5,"logit_bias":{"3":1}}`, ""},
		{naming.TaskGenerate, `{"top_p":0}`, "invalid_param: top_p: 0 is not within (0, 1]"},
		{naming.TaskGenerate, `{"dimensions":3}`, `invalid_param: unknown param "dimensions"`},
		{naming.TaskEmbed, `{"dimensions":3}`, "invalid_param: params of one record are for the task generate"},
	} {
		r := ParseRecord([]byte(`{"id":"a","text":"x","params":` + c.params + `}`))
		r.Check(c.task, Limits{})
		switch {
		case c.want == "" && r.Err == nil:
			if again := ParseRecord(r.AppendJSON(nil)); again.Err != nil || string(again.Params) != c.params {
				t.Errorf("%s is written as %s", c.params, r.AppendJSON(nil))
			}
		case c.want == "" || r.Err == nil || !strings.HasPrefix(r.Err.Error(), c.want):
			t.Errorf("%s of task %s: %v, want %q", c.params, c.task, r.Err, c.want)
		}
	}
}

func TestRecordErrorNamesTheField(t *testing.T) {
	for raw, want := range map[string]string{
		`{"text":5}`:              "invalid_record: text: want a string, have a number",
		`{"text":"a","text":"b"}`: `invalid_record: a key occurs twice at /text`,
		`{"messages":[{"role":"user","content":null}]}`: "invalid_record: messages[0].content: want a string, have null",
		`{"messages":[{"x":"y"}]}`:                      `invalid_record: messages[0]: unknown key "x"; a message has role and content`,
		`not JSON`:                                      "invalid_record: not JSON: invalid character 'o' in literal null (expecting 'u') at byte 1",
		`true stories`:                                  "invalid_record: not JSON: invalid character 's' at start of value at byte 5",
		`"quoted", he said`:                             "invalid_record: not JSON: invalid character ',' at start of value at byte 8",
		`42 43`:                                         "invalid_record: not JSON: it goes on after a number",
		`[INFO] started`:                                "invalid_record: not JSON: at /0: invalid character 'I' at start of value at byte 1",
		`NaN`:                                           "invalid_record: not JSON: NaN is no JSON number; write null or a string",
		` null `:                                        "invalid_record: want an object, have null",
		`[1,"x"]`:                                       "invalid_record: want an object, have an array",
	} {
		if got := ParseRecord([]byte(raw)).Err; got == nil || got.String() != want {
			t.Errorf("%s: %v, want %s", raw, got, want)
		}
	}
}

func TestCheckHoldsLimitsAndTask(t *testing.T) {
	r := Record{ID: "a", Text: strings.Repeat("x", 11)}
	r.Check(naming.TaskEmbed, Limits{RecordBytes: 10})
	if r.Err == nil || r.Err.Class != TooLong || r.Text != "" || !strings.Contains(r.Err.Message, "11") {
		t.Errorf("an over-long record gives %+v", r)
	}
	r = Record{ID: "a", Messages: []ChatMessage{{"user", "hi"}}}
	r.Check(naming.TaskGenerate, Limits{RecordBytes: 10})
	if r.Err != nil {
		t.Errorf("a chat for generate gives %v", r.Err)
	}
	r.Check(naming.TaskEmbed, Limits{})
	if r.Err == nil || r.Err.Class != InvalidRecord {
		t.Errorf("a chat for embed gives %v", r.Err)
	}
}

func TestAppendJSONIsReadBack(t *testing.T) {
	for _, r := range []Record{
		{ID: "a", Text: "x\x00\n\"😀"},
		{Text: "", Attributes: map[string]string{"b": "1", "a": `q"`}},
		{ID: "c", Messages: []ChatMessage{{"system", "s"}, {"user", "u"}}},
		{ID: "e", Err: &RecordError{TooLong, "10 MB: no"}},
	} {
		got := ParseRecord(r.AppendJSON(nil))
		if got.ID != r.ID || got.Text != r.Text || !maps.Equal(got.Attributes, r.Attributes) || len(got.Messages) != len(r.Messages) {
			t.Errorf("%+v comes back as %+v", r, got)
		}
		if (got.Err == nil) != (r.Err == nil) || got.Err != nil && *got.Err != *r.Err {
			t.Errorf("error %v comes back as %v", r.Err, got.Err)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	for _, s := range []string{
		`{"id":"a","text":"x","attributes":{"k":1}}`, `{"id":1,"messages":[{"role":"user","content":"\ud83d\ude00"}]}`,
		`{"text":"\ud800"}`, "{\"text\":\"\xff\"}", `{"text":"a","text":"b"}`, `[1]`, `{"error":"nan: x"}`, ``,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r := ParseRecord(raw)
		if r.Err != nil {
			return
		}
		again := ParseRecord(r.AppendJSON(nil))
		if again.Err != nil || again.ID != r.ID || again.Text != r.Text || !maps.Equal(again.Attributes, r.Attributes) {
			t.Errorf("%q parses to %+v, written and read again %+v", raw, r, again)
		}
	})
}
