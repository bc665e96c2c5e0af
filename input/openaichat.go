package input

import (
	"bytes"
	"errors"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/jobs"
)

// chatParams are the fields of a chat request that go by another name here.
var chatParams = map[string]string{ // #nosec G101 -- tokens of text, not of access
	"max_tokens": "max_new_tokens", "max_completion_tokens": "max_new_tokens", "min_tokens": "min_new_tokens"}

// chatField reads a field of a chat request that is not null. A param of the task generate goes into the record's own,
// by OpenAI's name or ours; a field that would have to change the answer and cannot is an error that names it.
func (q *request) chatField(f member) *jobs.RecordError {
	name := f.name
	if ours, ok := chatParams[name]; ok {
		name = ours
	}
	switch {
	case name == "messages":
		q.messages = f.value
		return nil
	case jobs.IsGenerateParam(name):
		if isEmpty(f.value) {
			return q.checkParam(f, name)
		}
		return q.addParam(f, name)
	case isEmpty(f.value), f.name == "stream_options":
		return nil
	case harmlessValues[f.name] != nil:
		return q.wrong(jobs.InvalidParam, "body.%s %s is not supported; leave it out", f.name, shown(f.value))
	}
	return q.wrong(jobs.InvalidParam, "body.%s is not supported; leave it out, or send it as metadata", f.name)
}

func (q *request) checkParam(f member, name string) *jobs.RecordError {
	if !jsontext.Value(f.value).IsValid() {
		return q.wrong(jobs.BadUTF8, "body.%s is not valid UTF-8, holds half a surrogate pair, or a key twice", f.name)
	}
	alone := append(appendMember(nil, name, f.value), '}')
	if _, err := jobs.ParseGenerateParams(alone); err != nil {
		return q.wrong(jobs.InvalidParam, "body.%s: %s", f.name, paramText(err, name))
	}
	return nil
}

func (q *request) addParam(f member, name string) *jobs.RecordError {
	if e := q.checkParam(f, name); e != nil {
		return e
	}
	if given, ok := q.given[name]; ok && name != f.name {
		if bytes.Equal(given, f.value) {
			return nil
		}
		return q.wrong(jobs.InvalidParam, "body.%s: %s is given already, and is another", f.name, name)
	}
	q.give(name, f.value)
	return nil
}

// give adds a param to those that the request has.
func (q *request) give(name string, value []byte) {
	if q.given == nil {
		q.given = map[string][]byte{}
	}
	q.given[name] = value
	q.params = appendMember(q.params, name, value)
}

// paramText is what is wrong with a param, without the name that our params have.
func paramText(err error, name string) string {
	text := err.Error()
	if e := (*jobs.RecordError)(nil); errors.As(err, &e) {
		text = e.Message
	}
	return strings.TrimPrefix(text, name+": ")
}

// chat makes the record of a chat request.
func (q *request) chat() Item {
	if len(q.messages) == 0 {
		return q.failed(q.wrong(jobs.InvalidRecord, "body.messages is missing"))
	}
	messages, e := q.plainMessages()
	if e != nil {
		return q.failed(e)
	}
	object := appendMember(nil, "messages", messages)
	if q.params != nil {
		object = appendMember(object, "params", append(q.params, '}'))
	}
	return q.whole(q.itemOf(append(object, '}')))
}

// plainMessages makes each content that is a list of text parts one string, and leaves out null fields.
func (q *request) plainMessages() ([]byte, *jobs.RecordError) {
	if jsontext.Value(q.messages).Kind() != '[' {
		return q.messages, nil // ParseRecord says what is wrong
	}
	out := []byte{'['}
	dec := jsontext.NewDecoder(bytes.NewReader(q.messages), lenient...)
	if _, err := dec.ReadToken(); err != nil {
		return nil, q.wrong(jobs.InvalidRecord, "body.messages: %v", err)
	}
	for i := 0; dec.PeekKind() != ']'; i++ {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, q.wrong(jobs.InvalidRecord, "body.messages: %v", err)
		}
		if i > 0 {
			out = append(out, ',')
		}
		fields, err := members(value)
		if err != nil {
			out = append(out, value...)
			continue
		}
		message, e := q.message(i, fields)
		if e != nil {
			return nil, e
		}
		out = append(out, message...)
	}
	return append(out, ']'), nil
}

// message keeps role and content of the i-th message, and leaves out what says nothing more.
func (q *request) message(i int, fields []member) ([]byte, *jobs.RecordError) {
	var message []byte
	for _, f := range fields {
		kind := jsontext.Value(f.value).Kind()
		switch {
		case f.name == "role":
			if attributeText(f.value) == "developer" { // OpenAI's newer name, which few templates know
				f.value = []byte(`"system"`)
			}
		case f.name == "content":
			if kind == '[' {
				text, e := q.parts(i, f.value)
				if e != nil {
					return nil, e
				}
				f.value = text
			}
		case isEmpty(f.value), harmless("messages[]."+f.name, f.value):
			continue
		default:
			return nil, q.wrong(jobs.InvalidRecord, "body.messages[%d].%s is not supported; a message has role and content", i,
				f.name)
		}
		message = appendMember(message, f.name, f.value)
	}
	if message == nil {
		message = []byte{'{'}
	}
	return append(message, '}'), nil
}

// parts joins the text parts of a message's content into one JSON string.
func (q *request) parts(message int, list []byte) ([]byte, *jobs.RecordError) {
	wrong := func(part int, what string) *jobs.RecordError {
		return q.wrong(jobs.InvalidRecord, "body.messages[%d].content[%d] %s; only parts {\"type\":\"text\",\"text\":…} are supported", message, part, what)
	}
	dec := jsontext.NewDecoder(bytes.NewReader(list), lenient...)
	if _, err := dec.ReadToken(); err != nil {
		return nil, q.wrong(jobs.InvalidRecord, "body.messages[%d].content: %v", message, err)
	}
	joined := []byte{'"'}
	for i := 0; dec.PeekKind() != ']'; i++ {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, q.wrong(jobs.InvalidRecord, "body.messages[%d].content: %v", message, err)
		}
		fields, err := members(value)
		if err != nil {
			return nil, wrong(i, "is no object")
		}
		var kind string
		var text []byte
		for _, f := range fields {
			switch f.name {
			case "type":
				kind = attributeText(f.value)
			case "text":
				text = f.value
			}
		}
		if kind != "text" || len(text) < 2 || text[0] != '"' {
			return nil, wrong(i, "is of type "+shown([]byte(kind)))
		}
		if !jsontext.Value(text).IsValid() { // judged before halves of a pair are put together
			return nil, q.wrong(jobs.BadUTF8, "body.messages[%d].content[%d] is not valid UTF-8, or holds half a surrogate pair", message, i)
		}
		joined = append(joined, text[1:len(text)-1]...) // still escaped
	}
	return append(joined, '"'), nil
}
