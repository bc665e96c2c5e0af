package api

import (
	"context"
	"net/http"
	"strconv"

	"textmill/ground/naming"
	"textmill/input"
	"textmill/jobs"
	"textmill/models"
	"textmill/work/answers"
	"textmill/work/rows"
)

func (s *Server) embeddings(w http.ResponseWriter, r *http.Request) {
	body, done, f := s.read(w, r)
	if f != nil {
		f.write(w)
		return
	}
	defer done()
	list, f := s.embed(r.Context(), input.ReadRequest(r.URL.Path, body))
	if f != nil {
		f.write(w)
		return
	}
	answer(w, http.StatusOK, list)
}

func (s *Server) embed(ctx context.Context, q input.Request) (*answers.Embeddings, *failure) {
	for i := range q.Items {
		if e := q.Items[i].Record.Err; e != nil {
			return nil, refused(e)
		}
	}
	m, f := s.asked(q.Items[0].Model, naming.TaskEmbed, q.SHA256)
	if f != nil {
		return nil, f
	}
	params, err := jobs.ParseEmbedParams(q.Params)
	if err != nil {
		return nil, fail(http.StatusBadRequest, err.Error())
	}
	if params.Pooling == models.PoolNone {
		return nil, fail(http.StatusBadRequest, "pooling none makes a vector of each token; this path answers with one of each text").
			of("pooling")
	}
	params.StoreText, params.StoreTokenIDs = false, false
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	shard := jobs.Shard{Task: naming.TaskEmbed, Model: m.Name, Embed: params, RawParams: q.Params}
	work := m.Asks(&shard, rows.Origin{Unwanted: func() bool { return ctx.Err() != nil }})
	made, f := run(ctx, cancel, work, q.Items, "input")
	if f != nil {
		return nil, f
	}
	list := &answers.Embeddings{Object: "list", Model: m.Name, SHA256: m.SHA256, Data: make([]answers.Embedding, len(made))}
	for i := range made {
		row := &made[i][0]
		list.Data[i] = answers.Embedding{Object: "embedding", Index: i, Vector: answers.VectorOf(row)}
		if floats, ok := list.Data[i].Vector.([]float32); ok && q.Base64 {
			list.Data[i].Vector = answers.Base64(floats)
		} else if q.Base64 {
			return nil, fail(http.StatusBadRequest, "encoding_format base64 is for vectors of float32; leave precision out").
				of("encoding_format")
		}
		list.Usage.PromptTokens += int64(row.NTokens.V)
	}
	list.Usage.TotalTokens = list.Usage.PromptTokens
	return list, nil
}

// asked is the model that a request names, if it is for the task and is the very one that is wanted.
func (s *Server) asked(name, task, sha256 string) (*Model, *failure) {
	if name == "" {
		return nil, fail(http.StatusBadRequest, "model is missing; GET /v1/models lists those that are served").of("model")
	}
	m, f := s.find(name)
	switch {
	case f != nil:
		return nil, f
	case m.Task != task || m.Asks == nil:
		return nil, fail(http.StatusBadRequest,
			"the model "+quoted(name)+" is for the task "+m.Task+", which this path is not").of("model")
	case sha256 != "" && sha256 != m.SHA256:
		return nil, fail(http.StatusNotFound,
			"the model "+quoted(name)+" that is served has another model_sha256: "+m.SHA256).of("model_sha256").named("model_not_found")
	}
	return m, nil
}

// refused is what is wrong with a record, as an answer.
func refused(e *jobs.RecordError) *failure {
	status, _ := answers.Status(e.Class)
	return fail(status, e.Message).named(e.Class)
}

// quoted is a name as a message shows it.
func quoted(name string) string { return strconv.Quote(name[:min(len(name), 200)]) }
