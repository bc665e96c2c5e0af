package test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// lines decodes JSONL.
func lines[T any](t testing.TB, text string) []T {
	t.Helper()
	var all []T
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	for d.More() {
		var v T
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%v in %.300s", err, text)
		}
		all = append(all, v)
	}
	return all
}

type tokenized struct {
	ID      string   `json:"id"`
	IDs     []int    `json:"input_ids"`
	Mask    []int    `json:"attention_mask"`
	Types   []int    `json:"token_type_ids"`
	Offsets [][2]int `json:"offsets"`
	Tokens  []string `json:"tokens"`
	Error   string   `json:"error"`
}

func TestTokenizeAnswers(t *testing.T) {
	home := newHome(t)
	r := call{home: home}.ok(t, "tokenize", "--model", model, "Tokenizers are fun", "")
	got := lines[tokenized](t, r.stdout)
	want := []tokenized{{
		ID: "0", IDs: []int{101, 19204, 17629, 2015, 2024, 4569, 102}, Mask: []int{1, 1, 1, 1, 1, 1, 1}, Types: make([]int, 7),
		Offsets: [][2]int{{0, 0}, {0, 5}, {5, 9}, {9, 10}, {11, 14}, {15, 18}, {0, 0}},
		Tokens:  []string{"[CLS]", "token", "##izer", "##s", "are", "fun", "[SEP]"},
	}, {
		ID: "1", IDs: []int{101, 102}, Mask: []int{1, 1}, Types: make([]int, 2), Offsets: [][2]int{{}, {}}, Tokens: []string{"[CLS]", "[SEP]"},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if keys := strings.SplitN(r.stdout, ":", 2)[0]; keys != `{"id"` || r.stderr != "" {
		t.Errorf("answers begin with %s; stderr %q", keys, r.stderr)
	}
	bare := lines[tokenized](t, call{home: home}.ok(t, "tokenize", "--model", model, "--no-special-tokens", "fun").stdout)
	if len(bare) != 1 || !reflect.DeepEqual(bare[0].IDs, []int{4569}) {
		t.Errorf("--no-special-tokens: %+v", bare)
	}
}

func TestTokenizeCutsWhereTheModelCuts(t *testing.T) {
	home := newHome(t)
	long := strings.Repeat("word ", 1000)
	own := lines[tokenized](t, call{home: home}.ok(t, "tokenize", "--model", model, long).stdout)
	if n := len(own[0].IDs); n != 256 {
		t.Errorf("--model gives %d tokens, want the model's 256", n)
	}
	file := filepath.Join(home, "models", model, "tokenizer.json")
	padded := lines[tokenized](t, call{home: home}.ok(t, "tokenize", "--tokenizer", file, "short", long).stdout)
	if len(padded[0].IDs) != 128 || len(padded[1].IDs) != 128 || padded[0].Mask[127] != 0 || padded[1].Mask[127] != 1 {
		t.Errorf("--tokenizer gives %d and %d tokens, want the 128 that the file asks for", len(padded[0].IDs), len(padded[1].IDs))
	}
}

func TestTokenizeBadLinesKeepTheirPlace(t *testing.T) {
	in := strings.Join([]string{
		`{"id":"a","text":"one"}`, `not json`, `{"id":7,"text":"seven"}`, ``, `{"id":"b"}`, `{"id":"c","text":5}`,
		`{"id":"d","text":"\ud800"}`, "{\"id\":\"e\",\"text\":\"\xff\"}", `{"text":"no id"}`, `{"id":"f","text":"nul \u0000 byte"}`,
	}, "\n")
	r := call{home: newHome(t), stdin: in}.ok(t, "tokenize", "--model", model)
	got := lines[tokenized](t, r.stdout)
	want := []struct{ id, class string }{
		{"a", ""}, {"1", "invalid_record"}, {"7", ""}, {"3", "invalid_record"}, {"b", "invalid_record"}, {"c", "invalid_record"},
		{"d", "bad_utf8"}, {"e", "bad_utf8"}, {"8", ""}, {"f", ""},
	}
	if len(got) != len(want) {
		t.Fatalf("%d answers to %d lines:\n%s", len(got), len(want), r.stdout)
	}
	for i, w := range want {
		class, _, _ := strings.Cut(got[i].Error, ": ")
		if got[i].ID != w.id || class != w.class || (w.class == "") != (len(got[i].IDs) > 2) {
			t.Errorf("line %d: %+v, want id %q and class %q", i+1, got[i], w.id, w.class)
		}
	}
	if !strings.Contains(r.stderr, "records=10") || !strings.Contains(r.stderr, "errors=6") {
		t.Errorf("the count is not on standard error: %s", r.stderr)
	}
}

func TestDecode(t *testing.T) {
	home := newHome(t)
	type decoded struct{ ID, Text, Error string }
	in := `{"id":"x","input_ids":[101,19204,17629,2015,2024,4569,102]}
{"id":2,"input_ids":[]}
{"id":"y"}
{"id":"z","input_ids":["a"]}
{"id":"u","input_ids":[19204,4000000000,17629]}
{"id":"v","input_ids":[19204,-1]}
`
	for flag, want := range map[string]string{"": "[CLS] tokenizers are fun [SEP]", "--skip-special-tokens": "tokenizers are fun"} {
		args := []string{"tokenize", "--model", model, "--decode"}
		if flag != "" {
			args = append(args, flag)
		}
		got := lines[decoded](t, call{home: home, stdin: in}.ok(t, args...).stdout)
		if len(got) != 6 || got[0] != (decoded{ID: "x", Text: want}) || got[1] != (decoded{ID: "2"}) || got[4] != (decoded{ID: "u", Text: "tokenizer"}) {
			t.Errorf("%s: %+v", flag, got)
			continue
		}
		for _, bad := range []decoded{got[2], got[3], got[5]} {
			if !strings.HasPrefix(bad.Error, "invalid_record: input_ids") {
				t.Errorf("%+v has no error", bad)
			}
		}
	}
	arg := lines[decoded](t, call{home: home}.ok(t, "tokenize", "--model", model, "--decode", "[19204, 17629]", "4569 2024").stdout)
	if fmt.Sprint(arg) != "[{0 tokenizer } {1 fun are }]" {
		t.Errorf("arguments: %v", arg)
	}
}

// TestOtherEngine asks sugarme/tokenizer, which prints, panics and exits as it likes, through the same command.
func TestOtherEngine(t *testing.T) {
	home := newHome(t)
	args := []string{"tokenize", "--model", model, "--engine", "sugarme", "Tokenizers are fun"}
	got := lines[tokenized](t, call{home: home}.ok(t, args...).stdout)
	if len(got) != 1 || !reflect.DeepEqual(got[0].IDs, []int{101, 19204, 17629, 2015, 2024, 4569, 102}) || len(got[0].Offsets) != 7 {
		t.Errorf("got %+v", got)
	}
	in := `{"id":"a","text":"plain English"}` + "\n" + `{"id":"b","text":"caf\u00e9 \u4e2d\u6587 \ud83d\ude00"}` + "\n"
	report := call{home: home, stdin: in}.ok(t, "tokenize", "--model", model, "--compare").stdout
	if !strings.Contains(report, "2") || strings.HasPrefix(report, "{") {
		t.Errorf("no report: %s", report)
	}
	if r := (call{home: home}).run(t, "tokenize", "--model", model, "--engine", "other", "x"); r.code != 2 {
		t.Errorf("an unknown engine: exit %d", r.code)
	}
}
