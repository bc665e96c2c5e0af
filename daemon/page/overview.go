package page

import (
	"net/http"

	"textmill/daemon/tracing"
)

// Model is one that is served.
type Model struct {
	Name, Task, SHA256, Device string
	BatchTokens, Workers       int
	Tracer                     tracing.Tracer
	About
}

// overview is what is seen first.
type overview struct {
	Models []Model
}

func (s *Site) overview(*http.Request) (View, error) {
	return View{Title: "Overview", Data: overview{Models: s.o.Models}}, nil
}
