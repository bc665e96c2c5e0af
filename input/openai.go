package input

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/ground/naming"
	"textmill/jobs"
)

const (
	maxRequestInputs = 2048 // the API's own limit
	// maxRequestPrompts is as many as any daemon makes texts of for those who wait.
	maxRequestPrompts = 16
)

// The paths of the API whose requests are read here.
const (
	EmbeddingsPath  = "/v1/embeddings"
	ChatPath        = "/v1/chat/completions"
	CompletionsPath = "/v1/completions"
)

// FormatAttribute is the attribute by which a record says that its vector is to be answered in base64.
const FormatAttribute = "encoding_format"

// EndpointAttribute is the attribute by which a record says that it continues a text and is none of a conversation.
const EndpointAttribute = "openai_url"

// looksLikeRequest says whether line has the keys of an OpenAI-batch request and no text of its own.
func looksLikeRequest(line []byte) bool {
	if !bytes.Contains(line, []byte(`"custom_id"`)) || !bytes.Contains(line, []byte(`"body"`)) {
		return false
	}
	fields, err := members(line)
	if err != nil {
		return false
	}
	seen := map[string]bool{}
	for _, f := range fields {
		seen[f.name] = true
	}
	return seen["custom_id"] && seen["method"] && seen["url"] && seen["body"] && !seen["text"] && !seen["messages"]
}

// request is an OpenAI-batch line being read.
type request struct {
	line       int64
	raw        []byte
	id         string
	rawID      []byte
	task       string // which its url asks for
	inputs     []byte
	messages   []byte
	params     []byte // that it gives, as an object but for the closing brace
	given      map[string][]byte
	model      string
	dimensions int
	attributes []member
	base64     bool

	// Of a request that came by itself:
	alone         bool
	sha256        string // model_sha256
	prompts       bool   // inputs are texts to continue
	stream, usage bool
}

// parseRequest makes the records of one request; a request that cannot be carried is one error record.
func parseRequest(line []byte, number int64) []Item {
	q := request{line: number, raw: line}
	e := q.read(line)
	if e != nil {
		if other := foreign(line, number); other != nil {
			return []Item{*other}
		}
	}
	items := q.items(e)
	for i := range items {
		nameLine(&items[i])
	}
	return items
}

func (q *request) failed(e *jobs.RecordError) Item {
	return q.whole(Item{Line: q.line, Task: q.task, Model: q.model, Record: jobs.Record{Err: e}})
}

// wrong names a field; whoever reads lines adds theirs.
func (q *request) wrong(class, format string, args ...any) *jobs.RecordError {
	return &jobs.RecordError{Class: class, Message: fmt.Sprintf(format, args...)}
}

func (q *request) read(line []byte) *jobs.RecordError {
	fields, err := members(line)
	if err != nil {
		q.id = leadingID(line, "custom_id")
		return q.wrong(jobs.InvalidRecord, "not an OpenAI-batch request: %v", err)
	}
	var method, url, body []byte
	for _, f := range fields {
		switch f.name {
		case "custom_id":
			q.rawID = f.value
		case "method":
			method = f.value
		case "url":
			url = f.value
		case "body":
			body = f.value
		default:
			q.attributes = append(q.attributes, f)
		}
	}
	if e := q.readID(); e != nil {
		return e
	}
	for _, f := range q.attributes {
		if f.name == PartAttribute || f.name == EndpointAttribute {
			return q.wrong(jobs.InvalidRecord, "%s is an attribute that textmill writes itself; rename it", f.name)
		}
		if !jsontext.Value(f.value).IsValid(jsontext.AllowDuplicateNames(true)) {
			return q.wrong(jobs.BadUTF8, "%s is not valid UTF-8, or holds half a surrogate pair", f.name)
		}
	}
	if attributeText(method) != "POST" {
		return q.wrong(jobs.InvalidRecord, "method %s: only \"POST\" is carried out", shown(method))
	}
	field := q.sentTo(attributeText(url))
	if field == nil {
		return q.wrong(jobs.InvalidRecord, "url %s: only %q, %q and %q are carried out", shown(url), EmbeddingsPath, ChatPath,
			CompletionsPath)
	}
	return q.readBody(body, field)
}

func (q *request) readID() *jobs.RecordError {
	if len(q.rawID) == 0 || q.rawID[0] != '"' {
		if jsontext.Value(q.rawID).Kind() == '0' {
			q.id = string(q.rawID)
		}
		return q.wrong(jobs.InvalidRecord, "custom_id %s: a string is needed", shown(q.rawID))
	}
	probe := jobs.ParseRecord(append(appendMember(appendMember(nil, "id", q.rawID), "text", []byte(`""`)), '}'))
	if probe.Err != nil {
		return q.wrong(probe.Err.Class, "custom_id: %s", probe.Err.Message)
	}
	q.id = probe.ID
	return nil
}

// readBody reads what all requests have and leaves the other keys to field.
func (q *request) readBody(body []byte, field func(member) *jobs.RecordError) *jobs.RecordError {
	fields, err := members(body)
	if err != nil {
		return q.wrong(jobs.InvalidRecord, "body %s: an object is needed", shown(body))
	}
	for _, f := range fields {
		v := jsontext.Value(f.value)
		switch {
		case f.name == "model" || f.name == "user" || f.name == "safety_identifier":
			if v.Kind() == 'n' {
				continue
			}
			if v.Kind() != '"' || !v.IsValid() {
				return q.wrong(jobs.InvalidRecord, "body.%s %s: a string is needed", f.name, shown(f.value))
			}
			if f.name == "model" {
				q.model = attributeText(f.value)
			} else {
				q.attributes = append(q.attributes, f)
			}
		case f.name == "metadata" && !isEmpty(v):
			if !v.IsValid() {
				return q.wrong(jobs.BadUTF8, "body.metadata is not valid UTF-8, holds half a surrogate pair, or a key twice")
			}
			q.attributes = append(q.attributes, f)
		case v.Kind() == 'n' || harmless(f.name, v) && !(q.alone && asksMore(f.name, v)):
		default:
			if e := field(f); e != nil {
				return e
			}
		}
	}
	return nil
}

func (q *request) embeddingsField(f member) *jobs.RecordError {
	switch {
	case f.name == "input":
		q.inputs = f.value
	case f.name == "dimensions":
		n, err := strconv.ParseInt(string(f.value), 10, 32)
		if err != nil || n < 1 {
			return q.wrong(jobs.InvalidParam, "body.dimensions %s: a positive whole number is needed", shown(f.value))
		}
		q.dimensions = int(n)
	case f.name == "encoding_format":
		// Both are the same numbers; they differ only in how an answer is written.
		if v := attributeText(f.value); v != "float" && v != "base64" {
			return q.wrong(jobs.InvalidParam, "body.encoding_format %s: \"float\" or \"base64\" is needed", shown(f.value))
		}
		if q.base64 = attributeText(f.value) == "base64"; q.base64 {
			q.attributes = append(q.attributes, f)
		}
	case isEmpty(f.value):
	default:
		return q.wrong(jobs.InvalidParam, "body.%s is not known; embeddings take input, model, dimensions, encoding_format, user and metadata", f.name)
	}
	return nil
}

// items makes one record of a chat or a string, one of each string of a list, or one of what is wrong with the
// request.
func (q *request) items(e *jobs.RecordError) []Item {
	if e != nil {
		return []Item{q.failed(e)}
	}
	if q.task == naming.TaskGenerate && !q.prompts {
		return []Item{q.chat()}
	}
	switch kind := jsontext.Value(q.inputs).Kind(); {
	case len(q.inputs) == 0:
		return []Item{q.failed(q.wrong(jobs.InvalidRecord, "body.%s is missing", q.key()))}
	case kind == '"':
		return []Item{q.whole(q.item(q.inputs))}
	case kind == '[':
		return q.list()
	}
	return []Item{q.failed(q.wrong(jobs.InvalidRecord, "body.%s %s: a string or a list of strings is needed",
		q.key(), shown(q.inputs)))}
}

// key is the field that the inputs are in.
func (q *request) key() string {
	if q.prompts {
		return "prompt"
	}
	return "input"
}

func (q *request) mostInputs() int {
	if q.prompts {
		return maxRequestPrompts
	}
	return maxRequestInputs
}

// item makes a record of one JSON string, judged as strictly as any other record.
func (q *request) item(text []byte) Item {
	object := appendMember(nil, "text", text)
	if q.prompts && q.params != nil {
		object = appendMember(object, "params", append(q.params[:len(q.params):len(q.params)], '}'))
	}
	it := q.itemOf(append(object, '}'))
	it.Dimensions = q.dimensions
	return it
}

// itemOf reads a record that was put together from a request.
func (q *request) itemOf(object []byte) Item {
	rec := jobs.ParseRecord(object)
	it := Item{Record: rec, Line: q.line, Task: q.task, Model: q.model}
	if rec.Err == nil && len(q.attributes) > 0 {
		it.Record.Attributes = make(map[string]string, len(q.attributes))
		for _, f := range q.attributes {
			it.Record.Attributes[f.name] = attributeText(f.value)
		}
	}
	return it
}

// shown is a value as an error message quotes it.
func shown(value []byte) string {
	switch {
	case len(value) == 0:
		return "is missing"
	case len(value) > 60:
		return string(bytes.ToValidUTF8(value[:60], []byte("?"))) + "…"
	}
	return string(bytes.ToValidUTF8(value, []byte("?")))
}
