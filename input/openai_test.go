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
	if it := readAll(t, strings.Replace(line, "/v1/", "/", 1), Options{})[0]; it.Record.Err != nil || it.Task != "embed" {
		t.Errorf("Azure's url: %+v", it)
	}
	many := strings.Replace(line, `"x"`, "["+strings.Repeat(`"x",`, maxRequestInputs)+`"x"]`, 1)
	if items := readAll(t, many, Options{}); len(items) != 1 || items[0].Record.Err == nil || items[0].Record.ID != "a" {
		t.Errorf("a request of too many texts became %d items", len(items))
	}
}

// Requests of other forms are refused by their name, with the remedy, whether the format is told or guessed.
func TestBatchesOfOtherVendors(t *testing.T) {
	for line, want := range map[string]string{
		`{"custom_id":"x","params":{"model":"claude","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}}`: "Anthropic",
		`{"custom_id":"x","body":{"model":"m","messages":[{"role":"user","content":"hi"}]}}`:                       "Mistral",
		`{"custom_id":"x","body":{"texts":["a"],"input_type":"search_document"}}`:                                  "Cohere",
		`{"custom_id":"x","url":"/v1/embeddings","body":{"input":"a"}}`:                                            `without "method"`,
		`{"key":"x","request":{"contents":[{"parts":[{"text":"hi"}]}]}}`:                                           "Gemini",
		`{"id":"x","request":{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}}`:                              "Vertex AI",
		`{"recordId":"x","modelInput":{"anthropic_version":"bedrock-2023-05-31","messages":[]}}`:                   "Amazon Bedrock",
		`{"batch_request_id":"x","batch_request":{"chat_get_completion":{"messages":[]}}}`:                         "xAI",
		`{"id":"batch_req_1","custom_id":"x","response":{"status_code":200},"error":null}`:                         "an answer of an OpenAI batch",
	} {
		for _, format := range []string{"", OpenAIBatch} {
			items := readAll(t, line+"\n", Options{Format: format})
			if len(items) != 1 {
				t.Fatalf("%d items", len(items))
			}
			r := items[0].Record
			if r.ID != "x" || r.Err == nil || !strings.Contains(r.Err.Message, want) || !strings.HasPrefix(r.Err.Message, "line 1: this is ") || !strings.Contains(r.Err.Message, "; ") {
				t.Errorf("--format %q, %s: id %q, %v", format, line, r.ID, r.Err)
			}
		}
	}
	for _, line := range []string{`{"id":"x","text":"t","request":{"a":1}}`, `{"custom_id":"x","params":{"seed":1},"text":"t"}`, `{"custom_id":"x","params":{"seed":1},"messages":[{"role":"user","content":"hi"}]}`} {
		if r := readAll(t, line, Options{})[0].Record; r.Err != nil {
			t.Errorf("%s: %v", line, r.Err)
		}
	}
	if r := readAll(t, `{"custom_id":"x","body":{"a":1}}`, Options{Format: JSONL})[0].Record; r.Err == nil || !strings.Contains(r.Err.Message, "text is missing") {
		t.Errorf("told that a line is plain JSONL: %v", r.Err)
	}
}

// No two requests of a file come to have one record, whatever their ids look like.
func TestPartsHaveIDsOfTheirOwn(t *testing.T) {
	line := func(id, input string) string {
		return `{"custom_id":"` + id + `","method":"POST","url":"/v1/embeddings","body":{"input":` + input + `}}` + "\n"
	}
	items := readAll(t, line("a", `["x","y"]`)+line("a#input[1]", `"z"`)+line("a#input[1]#input[]", `"z"`)+line("a#input[]", `["x"]`)+line("a#input[1]", `["u","v"]`)+line("a#input[2", `"z"`), Options{})
	seen := map[string]bool{}
	custom := map[string]int{}
	for _, it := range items {
		r := it.Record
		if r.Err != nil || seen[r.ID] {
			t.Errorf("record %+v", r)
		}
		seen[r.ID] = true
		if p, ok := PartOf(r.ID, r.Attributes); ok {
			custom[p.CustomID]++
		} else {
			custom[CustomID(r.ID, r.Attributes)]++
		}
	}
	if len(items) != 8 || custom["a"] != 2 || custom["a#input[1]"] != 3 || custom["a#input[1]#input[]"] != 1 || custom["a#input[]"] != 1 || custom["a#input[2"] != 1 {
		t.Errorf("%d items of requests %v", len(items), custom)
	}
	if it := readAll(t, `{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{"input":"x"},"openai_batch":"y"}`, Options{})[0]; it.Record.Err == nil {
		t.Error("a line may say of itself which part it is")
	}
}
