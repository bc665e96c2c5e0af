package session

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"textmill/ground/places"
	"textmill/models"
	"textmill/models/internal/learned"
)

// A Finding is what a command measured of a model on this machine, in its words, for whoever looks at it later.
type Finding struct {
	About string    `json:"about"` // what was measured, and how; it is measured anew in its place
	Says  string    `json:"says"`
	At    time.Time `json:"at"`
}

// mostFindings bounds how many are kept of a model.
const mostFindings = 32

// Found keeps what was measured of a model, in the place of what was said before about the same.
func Found(home string, s *models.Spec, fresh []Finding) error {
	all, err := Findings(home, s)
	if err != nil || len(fresh) == 0 {
		return err
	}
	for _, f := range fresh {
		all = slices.DeleteFunc(all, func(old Finding) bool { return old.About == f.About })
		f.At = time.Now().UTC().Truncate(time.Second)
		all = append(all, f)
	}
	if len(all) > mostFindings { // the oldest go
		slices.SortStableFunc(all, func(a, b Finding) int { return a.At.Compare(b.At) })
		all = all[len(all)-mostFindings:]
	}
	return learned.Write(places.Findings(home), findingsKey(s), all)
}

// Findings are what was measured of a model with these very files on a processor like this, sorted by what they are
// about.
func Findings(home string, s *models.Spec) ([]Finding, error) {
	book, err := learned.Read[[]Finding](places.Findings(home))
	all := book[findingsKey(s)]
	slices.SortStableFunc(all, func(a, b Finding) int { return strings.Compare(a.About, b.About) })
	return all, err
}

func findingsKey(s *models.Spec) string {
	return fmt.Sprintf("%.16s %s", s.SHA256, learned.Processor())
}
