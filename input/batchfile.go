package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/ground/naming"
	"textmill/jobs"
)

// The codes by which OpenAI says that a line is none of a batch.
const (
	BadJSONLine     = "invalid_json_line"
	LineTooLong     = "line_too_long"
	MissingField    = "missing_required_parameter"
	BadCustomID     = "invalid_custom_id"
	DuplicateID     = "duplicate_custom_id"
	BadMethod       = "invalid_method"
	BadURL          = "invalid_url"
	BadBody         = "invalid_request_body"
	MismatchedModel = "mismatched_model"
)

// A BatchProblem keeps a whole batch from being carried out, since a line is no request of it.
type BatchProblem struct {
	Code, Message string
	Param         string // the field, "" for the line
}

// BatchLine is what a line of a file of requests says of itself. What is wrong with a request's body is wrong with
// that request alone, and no Problem.
type BatchLine struct {
	Line       int64
	CustomID   string
	Model      string
	Dimensions int
	Records    int // that the request makes
	Problem    *BatchProblem
}

// BatchReader goes through a file of requests to one endpoint.
type BatchReader struct {
	lines    *lineReader
	endpoint string
	begun    bool
}

// NewBatchReader reads lines of at most so many bytes.
func NewBatchReader(r io.Reader, endpoint string, mostBytes int) *BatchReader {
	return &BatchReader{lines: newLineReader(r, mostBytes), endpoint: endpoint}
}

// Next gives the next line that is not empty; the end is io.EOF.
func (b *BatchReader) Next() (BatchLine, error) {
	for {
		line, more, err := b.lines.next()
		if err != nil {
			return BatchLine{}, err
		}
		if !b.begun {
			b.begun, line = true, bytes.TrimPrefix(line, utf8BOM)
		}
		at := b.lines.line
		if more {
			rest, err := b.lines.skip()
			if err != nil && !errors.Is(err, io.EOF) {
				return BatchLine{}, err
			}
			return BatchLine{Line: at, Problem: &BatchProblem{Code: LineTooLong, Message: fmt.Sprintf(
				"The line has %d bytes; at most %d are allowed (limits.record_bytes).", int64(len(line))+rest, b.lines.max)}}, nil
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return b.read(line, at), nil
		}
	}
}

func (b *BatchReader) read(line []byte, at int64) BatchLine {
	out := BatchLine{Line: at}
	fields, err := members(line)
	if err != nil {
		why := err.Error()
		if e := jobs.ParseRecord(line).Err; e != nil { // it names the place
			why = e.Message
		}
		out.Problem = &BatchProblem{Code: BadJSONLine, Message: "This line is not parseable as valid JSON: " + why}
		return out
	}
	given := map[string][]byte{}
	for _, f := range fields {
		given[f.name] = f.value
	}
	q := request{line: at, raw: line, rawID: given["custom_id"]}
	out.Problem = b.judge(&q, given)
	out.CustomID, out.Model = q.id, q.model
	if out.Problem != nil {
		return out
	}
	items := parseRequest(line, at)
	out.Records, out.Dimensions = len(items), items[0].Dimensions
	return out
}

// judge says what keeps a line from being a request of the batch, and finds its custom_id and its model.
func (b *BatchReader) judge(q *request, given map[string][]byte) *BatchProblem {
	for _, name := range []string{"custom_id", "method", "url", "body"} {
		if jsontext.Value(given[name]).Kind() == 'n' || len(given[name]) == 0 {
			return missing(name)
		}
	}
	if e := q.readID(); e != nil {
		return &BatchProblem{Code: BadCustomID, Message: e.Message, Param: "custom_id"}
	}
	if q.id == "" {
		return &BatchProblem{Code: BadCustomID, Message: "The custom_id is empty.", Param: "custom_id"}
	}
	if attributeText(given["method"]) != "POST" {
		return &BatchProblem{Code: BadMethod, Param: "method", Message: "The method " + shown(given["method"]) +
			" is not supported; only POST is."}
	}
	if url := attributeText(given["url"]); url != b.endpoint && url != azure(b.endpoint) {
		return &BatchProblem{Code: BadURL, Param: "url", Message: "The URL " + shown(given["url"]) +
			" does not match the batch endpoint " + b.endpoint + "."}
	}
	body, err := members(given["body"])
	if err != nil {
		return &BatchProblem{Code: BadBody, Param: "body", Message: "The body " + shown(given["body"]) +
			" is not an object."}
	}
	for _, f := range body {
		if f.name != "model" {
			continue
		}
		if v := jsontext.Value(f.value); v.Kind() != '"' || !v.IsValid() {
			return &BatchProblem{Code: BadBody, Param: "body.model", Message: "body.model " + shown(f.value) +
				": a string is needed."}
		}
		q.model = attributeText(f.value)
	}
	if q.model == "" {
		return missing("body.model")
	}
	return nil
}

func missing(name string) *BatchProblem {
	return &BatchProblem{Code: MissingField, Message: "Missing required parameter: '" + name + "'.", Param: name}
}

// BatchTask is the task that requests to an endpoint ask for, "" where it is none.
func BatchTask(endpoint string) string {
	var q request
	q.sentTo(endpoint)
	return q.task
}

// sentTo notes the task that a line's URL asks for, and gives what reads a body sent there; nil where nothing does.
func (q *request) sentTo(url string) (field func(member) *jobs.RecordError) {
	switch url {
	case EmbeddingsPath, azure(EmbeddingsPath):
		q.task = naming.TaskEmbed
		return q.embeddingsField
	case ChatPath, azure(ChatPath):
		q.task = naming.TaskGenerate
		return q.chatField
	case CompletionsPath, azure(CompletionsPath):
		q.task, q.prompts = naming.TaskGenerate, true
		q.attributes = append(q.attributes, member{name: EndpointAttribute, value: []byte(quote(CompletionsPath))})
		return q.promptLineField
	}
	return nil
}

// azure is the form that a URL has in batches of Azure.
func azure(url string) string { return strings.TrimPrefix(url, "/v1") }

func quote(s string) string {
	quoted, _ := jsontext.AppendQuote(nil, s) // as appendMember
	return string(quoted)
}
