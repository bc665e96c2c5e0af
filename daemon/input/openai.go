package input

import (
	"bytes"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/jobs"
)

const (
	embeddingsURL    = "/v1/embeddings"
	chatURL          = "/v1/chat/completions"
	maxRequestInputs = 2048 // the API's own limit
)

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
	return seen["custom_id"] && seen["method"] && seen["url"] && seen["body"] && !seen["text"]
}

// request is an OpenAI-batch line being read.
type request struct {
	line       int64
	id         string
	rawID      []byte
	task       string // which its url asks for
	inputs     []byte
	messages   []byte
	params     []byte // of a chat, as a record holds them but for the closing brace
	model      string
	dimensions int
	attributes []member
}

// parseRequest makes the records of one request; a request that cannot be carried is one error record.
func parseRequest(line []byte, number int64) []Item {
	q := request{line: number}
	if e := q.read(line); e != nil {
		return []Item{q.failed(e)}
	}
	return q.items()
}

func (q *request) failed(e *jobs.RecordError) Item {
	return Item{Line: q.line, Task: q.task, Model: q.model, Record: jobs.Record{ID: q.id, Err: e}}
}

func (q *request) wrong(class, format string, args ...any) *jobs.RecordError {
	return lineError(class, q.line, format, args...)
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
		if !jsontext.Value(f.value).IsValid(jsontext.AllowDuplicateNames(true)) {
			return q.wrong(jobs.BadUTF8, "%s is not valid UTF-8, or holds half a surrogate pair", f.name)
		}
	}
	if attributeText(method) != "POST" {
		return q.wrong(jobs.InvalidRecord, "method %s: only \"POST\" is carried out", shown(method))
	}
	switch attributeText(url) {
	case embeddingsURL:
		q.task = jobs.TaskEmbed
		return q.readBody(body, q.embeddingsField)
	case chatURL:
		q.task = jobs.TaskGenerate
		return q.readBody(body, q.chatField)
	}
	return q.wrong(jobs.InvalidRecord, "url %s: only %q and %q are carried out", shown(url), embeddingsURL, chatURL)
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
		switch f.name {
		case "model":
			if v := jsontext.Value(f.value); v.Kind() != '"' || !v.IsValid() {
				return q.wrong(jobs.InvalidRecord, "body.model %s: a string is needed", shown(f.value))
			}
			q.model = attributeText(f.value)
		case "user":
			if v := jsontext.Value(f.value); v.Kind() != '"' || !v.IsValid() {
				return q.wrong(jobs.InvalidRecord, "body.user %s: a string is needed", shown(f.value))
			}
			q.attributes = append(q.attributes, f)
		default:
			if e := field(f); e != nil {
				return e
			}
		}
	}
	return nil
}

func (q *request) embeddingsField(f member) *jobs.RecordError {
	switch f.name {
	case "input":
		q.inputs = f.value
	case "dimensions":
		n, err := strconv.ParseInt(string(f.value), 10, 32)
		if err != nil || n < 1 {
			return q.wrong(jobs.InvalidParam, "body.dimensions %s: a positive whole number is needed", shown(f.value))
		}
		q.dimensions = int(n)
	case "encoding_format":
		// Both are the same numbers; they differ only in how an HTTP answer would be written.
		if v := attributeText(f.value); v != "float" && v != "base64" {
			return q.wrong(jobs.InvalidParam, "body.encoding_format %s: \"float\" or \"base64\" is needed", shown(f.value))
		}
	default:
		return q.wrong(jobs.InvalidParam, "body.%s is not known; embeddings take input, model, dimensions, encoding_format and user", f.name)
	}
	return nil
}

// items makes one record of a chat or a string, and one of each string of a list.
func (q *request) items() []Item {
	if q.task == jobs.TaskGenerate {
		return []Item{q.chat()}
	}
	switch kind := jsontext.Value(q.inputs).Kind(); {
	case len(q.inputs) == 0:
		return []Item{q.failed(q.wrong(jobs.InvalidRecord, "body.input is missing"))}
	case kind == '"':
		return []Item{q.item(q.id, q.inputs)}
	case kind == '[':
		return q.list()
	}
	return []Item{q.failed(q.wrong(jobs.InvalidRecord, "body.input %s: a string or a list of strings is needed", shown(q.inputs)))}
}

func (q *request) list() []Item {
	dec := jsontext.NewDecoder(bytes.NewReader(q.inputs), lenient...)
	if _, err := dec.ReadToken(); err != nil {
		return []Item{q.failed(q.wrong(jobs.InvalidRecord, "body.input: %v", err))}
	}
	var items []Item
	for i := 0; dec.PeekKind() != ']'; i++ {
		id := q.id + "-" + strconv.Itoa(i)
		value, err := dec.ReadValue()
		if err != nil {
			return []Item{q.failed(q.wrong(jobs.InvalidRecord, "body.input: %v", err))}
		}
		if i == maxRequestInputs {
			return []Item{q.failed(q.wrong(jobs.InvalidRecord, "body.input has more than %d texts", maxRequestInputs))}
		}
		switch value.Kind() {
		case '"':
			items = append(items, q.item(id, value))
		case '0': // the whole list is one text as token IDs
			return []Item{q.failed(q.tokens())}
		case '[':
			it := q.failed(q.tokens())
			it.Record.ID = id
			items = append(items, it)
		default:
			it := q.failed(q.wrong(jobs.InvalidRecord, "body.input[%d] %s: a string is needed", i, shown(value)))
			it.Record.ID = id
			items = append(items, it)
		}
	}
	if len(items) == 0 {
		return []Item{q.failed(q.wrong(jobs.InvalidRecord, "body.input is an empty list"))}
	}
	return items
}

func (q *request) tokens() *jobs.RecordError {
	return q.wrong(jobs.InvalidRecord, "body.input holds token IDs, which mean other texts to another model; send the text")
}

// item makes a record of one JSON string, judged as strictly as any other record.
func (q *request) item(id string, text []byte) Item {
	it := q.itemOf(id, append(appendMember(nil, "text", text), '}'))
	it.Dimensions = q.dimensions
	return it
}

// itemOf reads a record that was put together from a request.
func (q *request) itemOf(id string, object []byte) Item {
	rec := jobs.ParseRecord(object)
	rec.ID = id
	it := Item{Record: rec, Line: q.line, Task: q.task, Model: q.model}
	nameLine(&it)
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
