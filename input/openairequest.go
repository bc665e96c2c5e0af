package input

import (
	"bytes"
	"strconv"

	"textmill/ground/naming"
	"textmill/jobs"
)

// A Request is one to OpenAI's API that came by itself, not as a line of a batch.
type Request struct {
	Items  []Item // one for each text, or one with an error; their errors name a field and no line
	Params []byte // of the task embed, as a job message has them; what a chat asks for is in its record
	SHA256 string // model_sha256: what the model's hash must be, "" for any
	Base64 bool   // whether the vectors of the answer are to be written so
}

// ReadRequest reads the body of a request to a path of the API, as strictly as a line of a batch, and with the params
// of the task embed beside OpenAI's fields. A text that is too long is an error there, unless the request says where
// to cut it.
func ReadRequest(path string, body []byte) Request {
	q := request{raw: body, id: "0", alone: true}
	r := Request{}
	var e *jobs.RecordError
	switch path {
	case embeddingsURL:
		q.task = naming.TaskEmbed
		e = q.readBody(body, q.embeddingsField)
	case chatURL:
		q.task = naming.TaskGenerate
		e = q.readBody(body, q.chatField)
	default:
		e = q.wrong(jobs.InvalidRecord, "path %s is not known", path)
	}
	if e != nil {
		r.Items = []Item{q.failed(e)}
		return r
	}
	r.Items, r.SHA256, r.Base64 = q.items(), q.sha256, q.base64
	if q.task == naming.TaskEmbed {
		if q.dimensions > 0 {
			q.params = appendMember(q.params, "dimensions", strconv.AppendInt(nil, int64(q.dimensions), 10))
		}
		if _, given := q.given["truncate"]; !given {
			q.params = appendMember(q.params, "truncate", []byte(`"error"`))
		}
		r.Params = append(q.params, '}')
	}
	return r
}

// aloneField reads what a request for embeddings may have beside OpenAI's fields; known is false for what it may not.
func (q *request) aloneField(f member) (known bool, e *jobs.RecordError) {
	switch {
	case !q.alone:
		return false, nil
	case f.name == "model_sha256":
		q.sha256 = attributeText(f.value)
		return true, nil
	case f.name == "chunk_size", f.name == "chunk_overlap", f.name == "store_text", f.name == "store_token_ids",
		!jobs.IsEmbedParam(f.name): // there is one vector for each text, and no row
		return false, nil
	}
	if _, err := jobs.ParseEmbedParams(append(appendMember(nil, f.name, f.value), '}')); err != nil {
		return true, q.wrong(jobs.InvalidParam, "body.%s: %s", f.name, paramText(err, f.name))
	}
	if q.given == nil {
		q.given = map[string][]byte{}
	}
	q.given[f.name] = bytes.Clone(f.value)
	q.params = appendMember(q.params, f.name, f.value)
	return true, nil
}
