package api

import (
	"context"
	"encoding/json"
	"net/http"
	"unicode/utf8"

	"textmill/ground/naming"
	"textmill/input"
	"textmill/work/answers"
)

// An Answer is what a request that came by another way than HTTP is answered with.
type Answer struct {
	Body   []byte
	Header map[string]string
	Status int    // 0 where nothing is wrong
	Reason string // what is
}

func (f *failure) answer() Answer { return Answer{Status: f.Status, Reason: f.Message} }

// Ask answers what one model is asked for: the body of a request to the paths of its task, in which model may be left
// out, or a text alone. A text for a generation model is answered with what goes on behind it, anything else in JSON.
func (s *Server) Ask(ctx context.Context, task, model string, text bool, body []byte) Answer {
	if int64(len(body)) > s.o.RequestBytes {
		return tooLong(s.o.RequestBytes).answer()
	}
	done, f := s.enter(max(int64(len(body)), min(least, s.o.RequestBytes)))
	if f != nil {
		return f.answer()
	}
	defer done()
	if text {
		if body, f = inJSON(task, body); f != nil {
			return f.answer()
		}
	}
	path := pathOf(task, body)
	q := input.ReadRequest(path, body)
	for i := range q.Items {
		switch it := &q.Items[i]; {
		case it.Model == "":
			it.Model = model
		case it.Model != model:
			return fail(http.StatusBadRequest, "model is "+quoted(it.Model)+", the subject names "+quoted(model)).answer()
		}
	}
	if q.Stream {
		return fail(http.StatusBadRequest, "stream: a request is answered by one message; leave it out").answer()
	}
	if path == input.EmbeddingsPath {
		list, f := s.embed(ctx, q)
		return whole(list, f)
	}
	c, f := s.completing(q, path == input.ChatPath)
	if f != nil {
		return f.answer()
	}
	made, f := c.whole(ctx)
	if a, is := made.(answers.Completion); f == nil && is && text {
		return Answer{Body: []byte(a.Choices[0].Text), Header: map[string]string{
			"Textmill-Finish-Reason": *a.Choices[0].FinishReason, "Textmill-Model-Sha256": a.SHA256}}
	}
	return whole(made, f)
}

func whole(v any, f *failure) Answer {
	if f != nil {
		return f.answer()
	}
	body, err := json.Marshal(v)
	if err != nil { // numbers are finite, strings always encode
		panic(err)
	}
	return Answer{Body: body, Header: map[string]string{"Content-Type": "application/json"}}
}

// inJSON is a text as the request that it stands for.
func inJSON(task string, text []byte) ([]byte, *failure) {
	if !utf8.Valid(text) {
		return nil, fail(http.StatusBadRequest, "the text is not valid UTF-8")
	}
	key := "input"
	if task == naming.TaskGenerate {
		key = "prompt"
	}
	body, err := json.Marshal(map[string]string{key: string(text)})
	if err != nil { // strings always encode
		panic(err)
	}
	return body, nil
}

// pathOf is the path that a body is for.
func pathOf(task string, body []byte) string {
	var has struct {
		Prompt json.RawMessage `json:"prompt"`
	}
	switch {
	case task == naming.TaskEmbed:
		return input.EmbeddingsPath
	case json.Unmarshal(body, &has) == nil && has.Prompt != nil:
		return input.CompletionsPath
	}
	return input.ChatPath
}
