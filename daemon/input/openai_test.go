package input

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestOpenAIBatchGolden holds what each kind of request becomes, item by item.
func TestOpenAIBatchGolden(t *testing.T) {
	r, err := Open("testdata/openai-batch.jsonl", Options{})
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, it := range drain(t, r) {
		line, err := json.Marshal(struct {
			Line  int64             `json:"line"`
			ID    string            `json:"id"`
			Text  string            `json:"text,omitempty"`
			Attrs map[string]string `json:"attributes,omitempty"`
			Dims  int               `json:"dimensions,omitempty"`
			Model string            `json:"model,omitempty"`
			Err   string            `json:"error,omitempty"`
		}{it.Line, it.Record.ID, it.Record.Text, it.Record.Attributes, it.Dimensions, it.Model, errorClass(it)})
		if err != nil {
			t.Fatal(err)
		}
		got.Write(append(line, '\n'))
	}
	want, err := os.ReadFile("testdata/openai-batch.golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}

// errorClass leaves out the words of a JSON parser, which are not ours to keep.
func errorClass(it Item) string {
	e := it.Record.Err
	if e == nil {
		return ""
	}
	if strings.Contains(e.Message, "body") || strings.Contains(e.Message, "url") || strings.Contains(e.Message, "method") {
		return e.Class + ": " + e.Message
	}
	return e.Class
}

func TestOpenAIBatchByFormat(t *testing.T) {
	line := `{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"input":"x"}}` + "\n"
	if it := readAll(t, line, Options{Format: JSONL})[0]; it.Record.Err == nil {
		t.Error("--format jsonl read a batch request as one")
	}
	if it := readAll(t, `{"id":"a","text":"x"}`, Options{Format: OpenAIBatch})[0]; it.Record.Err == nil {
		t.Error("--format openai-batch accepted a line that is no request")
	}
	many := strings.Replace(line, `"x"`, "["+strings.Repeat(`"x",`, maxRequestInputs)+`"x"]`, 1)
	if items := readAll(t, many, Options{}); len(items) != 1 || items[0].Record.Err == nil || items[0].Record.ID != "a" {
		t.Errorf("a request of too many texts became %d items", len(items))
	}
}
