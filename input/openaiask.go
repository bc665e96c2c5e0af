package input

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"textmill/jobs"
)

// askedField reads a field of a conversation that came by itself: those of a batch's, model_sha256, and how the answer
// is to be given. What a row would hold of it is nobody's to say.
func (q *request) askedField(f member) *jobs.RecordError {
	switch f.name {
	case "stream":
		if jsontext.Value(f.value).Kind() != 't' {
			return q.wrong(jobs.InvalidParam, "body.stream %s: true or false is needed", shown(f.value))
		}
		q.stream = true
		return nil
	case "stream_options":
		return q.streamOptions(f.value)
	case "model_sha256":
		q.sha256 = attributeText(f.value)
		return nil
	case "store_text", "store_token_ids":
		return q.wrong(jobs.InvalidParam, "body.%s is for rows of a table; leave it out", f.name)
	}
	return q.chatField(f)
}

// promptField is askedField for texts to continue, of which logprobs says how many of the likeliest tokens are told
// beside each.
func (q *request) promptField(f member) *jobs.RecordError {
	if f.name != "logprobs" || string(f.value) == "false" {
		return q.prompted(f, q.askedField)
	}
	if n, err := strconv.ParseUint(string(f.value), 10, 31); err != nil {
		return q.wrong(jobs.InvalidParam, "body.logprobs %s: a whole number is needed", shown(f.value))
	} else if n > 0 {
		const top = "top_logprobs"
		if e := q.checkParam(f, top); e != nil {
			return e
		}
		q.give(top, f.value)
	}
	q.give("logprobs", []byte("true"))
	return nil
}

// promptLineField is chatField for texts to continue.
func (q *request) promptLineField(f member) *jobs.RecordError { return q.prompted(f, q.chatField) }

// prompted reads a field of a request for texts to continue, and leaves to rest what a conversation has too.
func (q *request) prompted(f member, rest func(member) *jobs.RecordError) *jobs.RecordError {
	switch f.name {
	case "prompt":
		q.inputs = f.value
		return nil
	case "messages":
		return q.wrong(jobs.InvalidRecord, "body.messages: a conversation is for %s; this path takes prompt", ChatPath)
	case "logprobs", "top_logprobs":
		if string(f.value) == "false" {
			return nil
		}
		return q.wrong(jobs.InvalidParam, "body.%s is not supported here; %s has it", f.name, ChatPath)
	case "suffix":
		if attributeText(f.value) == "" {
			return nil
		}
	}
	return rest(f)
}

func (q *request) streamOptions(value []byte) *jobs.RecordError {
	fields, err := members(value)
	if err != nil {
		return q.wrong(jobs.InvalidParam, "body.stream_options %s: an object is needed", shown(value))
	}
	for _, f := range fields {
		kind := jsontext.Value(f.value).Kind()
		switch {
		case kind == 'n':
		case kind != 't' && kind != 'f':
			return q.wrong(jobs.InvalidParam, "body.stream_options.%s %s: true or false is needed", f.name, shown(f.value))
		case f.name == "include_usage":
			q.usage = kind == 't'
		case f.name != "include_obfuscation": // which adds nothing that a client reads
			return q.wrong(jobs.InvalidParam, "body.stream_options.%s is not supported; leave it out", f.name)
		}
	}
	return nil
}
