package page

import (
	"net/http"
	"slices"
	"time"

	"textmill/daemon/catalog"
	"textmill/daemon/lately"
	"textmill/daemon/metrics"
	"textmill/models"
	"textmill/models/facts"
)

// About is what the page of a model says of it, beside what others do.
type About struct {
	Facts   facts.Facts
	Notes   []string
	Files   []models.File
	Cards   []models.CardGraph
	Bits    string // what other texts of a run do to a text's bits here, as it was measured when it was opened
	Depends string // why that is not nothing; "" if it is
	Grew    int64  // what the daemon had more of memory once the model was open
	Work    func() metrics.Work
	Found   func() ([]Finding, error) // what commands measured of it
}

// Finding is what a command measured of a model on this machine.
type Finding struct {
	About string
	Says  string
	At    time.Time
}

// modelView is what is seen of a model.
type modelView struct {
	Model
	Lines []facts.Line // beside those that have places of their own
	Bytes int64        // of its files
	Did   metrics.Work
	Now   modelNow
	Found []Finding
	Holds []catalog.Summary // tables with rows of it
}

func viewOf(m Model, past []lately.Sample) modelView {
	v := modelView{Model: m, Now: nowOf(m, past)}
	for _, f := range m.Files {
		v.Bytes += f.Size
	}
	if m.Work != nil {
		v.Did = m.Work()
	}
	return v
}

func (s *Site) models(*http.Request) (View, error) {
	var all []modelView
	past := s.o.Work.Now().Samples
	for _, m := range s.o.Models {
		all = append(all, viewOf(m, past))
	}
	return View{Title: "Models", Data: all}, nil
}

// elsewhere are facts that the page has in its head.
var elsewhere = []string{"name", "task", "model_sha256"}

func (s *Site) model(r *http.Request) (View, error) {
	i := slices.IndexFunc(s.o.Models, func(m Model) bool { return m.Name == r.PathValue("model") })
	if i < 0 {
		return View{}, &Failure{http.StatusNotFound, "There is no such model here."}
	}
	v := viewOf(s.o.Models[i], s.o.Work.Now().Samples)
	if v.Model.Found != nil {
		var err error
		if v.Found, err = v.Model.Found(); err != nil {
			return View{}, err
		}
	}
	for _, l := range v.Facts.Lines() {
		if !slices.Contains(elsewhere, l.Name) {
			v.Lines = append(v.Lines, l)
		}
	}
	if _, err := s.o.Tables.List(r.Context()); err != nil { // so that all are known
		return View{}, err
	}
	v.Holds = s.o.Tables.Vectors(v.SHA256)
	return View{Title: v.Name, Data: v}, nil
}
