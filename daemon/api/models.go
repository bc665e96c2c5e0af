package api

import "net/http"

// modelObject is a model in OpenAI's form, and what makes its vectors comparable.
type modelObject struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"` // when the daemon began to serve it
	OwnedBy string `json:"owned_by"`
	Task    string `json:"task"`
	SHA256  string `json:"model_sha256"`
}

type modelList struct {
	Object string        `json:"object"`
	Data   []modelObject `json:"data"`
}

func (s *Server) object(m *Model) modelObject {
	return modelObject{ID: m.Name, Object: "model", Created: s.since.Unix(), OwnedBy: "textmill", Task: m.Task, SHA256: m.SHA256}
}

func (s *Server) models(w http.ResponseWriter, _ *http.Request) {
	list := make([]modelObject, len(s.o.Models))
	for i := range s.o.Models {
		list[i] = s.object(&s.o.Models[i])
	}
	answer(w, http.StatusOK, modelList{Object: "list", Data: list})
}

func (s *Server) model(w http.ResponseWriter, r *http.Request) {
	m, f := s.find(r.PathValue("model"))
	if f != nil {
		f.write(w)
		return
	}
	answer(w, http.StatusOK, s.object(m))
}

// find is the model of a name.
func (s *Server) find(name string) (*Model, *failure) {
	for i := range s.o.Models {
		if s.o.Models[i].Name == name {
			return &s.o.Models[i], nil
		}
	}
	return nil, fail(http.StatusNotFound, "the model "+quoted(name)+" is not served here; GET /v1/models lists those that are").
		of("model").named("model_not_found")
}
