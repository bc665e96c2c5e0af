package input

import (
	"strconv"
	"strings"

	"textmill/ground/naming"
	"textmill/jobs"
)

// A Request is one to OpenAI's API that came by itself, not as a line of a batch.
type Request struct {
	Items  []Item // one for each text, or one with an error; their errors name a field and no line
	Params []byte // of the task embed, as a job message has them; what a chat asks for is in its record
	SHA256 string // model_sha256: what the model's hash must be, "" for any
	Base64 bool   // whether the vectors of the answer are to be written so
	Stream bool   // whether a text is to be answered while it is made
	Usage  bool   // and its tokens counted at the end
}

// ReadRequest reads the body of a request to a path of the API, as strictly as a line of a batch, and with the params
// of the task embed beside OpenAI's fields. A text that is too long is an error there, unless the request says where
// to cut it.
func ReadRequest(path string, body []byte) Request {
	q := request{raw: body, id: "0", alone: true}
	r := Request{}
	var e *jobs.RecordError
	switch path {
	case EmbeddingsPath:
		q.task = naming.TaskEmbed
		e = q.readBody(body, q.requestField)
	case ChatPath:
		q.task = naming.TaskGenerate
		e = q.readBody(body, q.askedField)
	case CompletionsPath:
		q.task, q.prompts = naming.TaskGenerate, true
		e = q.readBody(body, q.promptField)
	default:
		e = q.wrong(jobs.InvalidRecord, "path %s is not known", path)
	}
	r.Items, r.SHA256, r.Base64, r.Stream, r.Usage = q.items(e), q.sha256, q.base64, q.stream, q.usage
	for i := range r.Items {
		if e := r.Items[i].Record.Err; e != nil {
			e.Message = strings.TrimPrefix(e.Message, "body.") // which has no name here
		}
	}
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

// requestField reads a field of a request for embeddings that came by itself: OpenAI's, model_sha256, or a param of
// the task embed, but for those that make other than one vector of each text, or say what of it a row holds.
func (q *request) requestField(f member) *jobs.RecordError {
	switch {
	case f.name == "dimensions", f.name == "chunk_size", f.name == "chunk_overlap",
		f.name == "store_text", f.name == "store_token_ids", !jobs.IsEmbedParam(f.name) && f.name != "model_sha256":
		return q.embeddingsField(f)
	case f.name == "model_sha256":
		q.sha256 = attributeText(f.value)
		return nil
	}
	if _, err := jobs.ParseEmbedParams(append(appendMember(nil, f.name, f.value), '}')); err != nil {
		return q.wrong(jobs.InvalidParam, "body.%s: %s", f.name, paramText(err, f.name))
	}
	q.give(f.name, f.value)
	return nil
}
