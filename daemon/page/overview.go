package page

import "net/http"

// overview is what is seen first.
type overview struct {
	Models []Model
}

func (s *Site) overview(*http.Request) (View, error) {
	return View{Title: "Overview", Data: overview{Models: s.o.Models}}, nil
}
