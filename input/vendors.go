package input

import (
	"github.com/go-json-experiment/json/jsontext"

	"textmill/jobs"
)

// otherBatch is how another vendor's batches, or files beside OpenAI's batches, are told by their keys.
type otherBatch struct {
	keys   []string // all of these
	lacks  []string // and none of those
	id     string   // the key of the id
	what   string
	remedy string
}

const (
	asChat  = `write {"custom_id":…,"method":"POST","url":"/v1/chat/completions","body":{"model":…,"messages":[…]}}, or {"id":…,"messages":[…]}`
	withURL = `add "method":"POST" and "url":"/v1/chat/completions" or "/v1/embeddings" to each line`
)

var otherBatches = []otherBatch{
	{[]string{"custom_id", "params"}, []string{"body"}, "custom_id",
		`a request of Anthropic's message batches (it has "params" instead of "body")`, asChat},
	{[]string{"custom_id", "body"}, []string{"url"}, "custom_id",
		`a request without "url", as the batches of Mistral, Cohere, Together and Fireworks have them`, withURL},
	{[]string{"custom_id", "body", "url"}, []string{"method"}, "custom_id", `an OpenAI-batch request without "method"`,
		`add "method":"POST" to each line`},
	{[]string{"recordId", "modelInput"}, nil, "recordId", "a record of Amazon Bedrock's batch inference", asChat},
	{[]string{"key", "request"}, nil, "key", "a request of Gemini's batches", asChat},
	{[]string{"request"}, []string{"custom_id"}, "id", "a request of Vertex AI's batch prediction", asChat},
	{[]string{"instances"}, nil, "id", "a request of Vertex AI's batch prediction", asChat},
	{[]string{"batch_request_id", "batch_request"}, nil, "batch_request_id", "a request of xAI's batches", asChat},
	{[]string{"custom_id", "response"}, []string{"body"}, "custom_id", "an answer of an OpenAI batch, not a request",
		"submit the file of requests that it answers"},
	{[]string{"custom_id", "result"}, []string{"body"}, "custom_id",
		"an answer of Anthropic's message batches, not a request", "submit the file of requests that it answers"},
	{[]string{"recordId", "modelOutput"}, []string{"modelInput"}, "recordId",
		"an answer of Amazon Bedrock's batch inference, not a record", "submit the file of records that it answers"},
}

// foreign says which other form a line without text has; nil if none that is known.
func foreign(line []byte, number int64) *Item {
	fields, err := members(line)
	if err != nil {
		return nil
	}
	values := make(map[string]jsontext.Value, len(fields))
	for _, f := range fields {
		values[f.name] = f.value
	}
	for _, b := range otherBatches {
		if !b.matches(values) {
			continue
		}
		it := &Item{Line: number}
		if v := values[b.id]; v.IsValid() && len(v) <= longestKeptID && (v.Kind() == '"' || v.Kind() == '0') {
			it.Record.ID = attributeText(v)
		}
		it.Record.Err = lineError(jobs.InvalidRecord, number, "this is %s; %s", b.what, b.remedy)
		return it
	}
	return nil
}

func (b *otherBatch) matches(values map[string]jsontext.Value) bool {
	for _, key := range b.keys {
		if v, ok := values[key]; !ok || key != b.id && v.Kind() != '{' && v.Kind() != '[' && key != "url" {
			return false
		}
	}
	for _, key := range append([]string{"text", "messages"}, b.lacks...) {
		if _, ok := values[key]; ok {
			return false
		}
	}
	return true
}
