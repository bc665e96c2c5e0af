package bundles

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"textmill/config"
	"textmill/ground/plain"
	"textmill/models"
	"textmill/models/facts"
	"textmill/models/session"
	"textmill/open/bundle"
)

// modelAnswer is what programs are told of a model.
type modelAnswer struct {
	facts.Facts
	BatchDependent bool          `json:"batch_dependent"`
	Sets           string        `json:"instruction_sets"`
	Measured       []measured    `json:"measured,omitempty"`
	Cards          []graphAnswer `json:"card,omitempty"`
	Notes          []string      `json:"notes,omitempty"`
	Bytes          int64         `json:"bytes"`
	Files          []models.File `json:"files"`
}

func answerOf(s *models.Spec) modelAnswer {
	told, wrong := facts.Of(s)
	a := modelAnswer{Facts: told, BatchDependent: s.BatchDependent, Notes: slices.Clone(s.Notes), Files: s.Files}
	for _, f := range s.Files {
		a.Bytes += f.Size
	}
	a.Cards = cardsOf(s, &a)
	a.Notes = append(a.Notes, wrong...)
	return a
}

// Inspect writes all that is known of a model from its own files.
func Inspect(cfg config.Config, name string, out io.Writer, asJSON bool) error {
	s, err := bundle.Named(cfg, name)
	if err != nil {
		return err
	}
	a := answerOf(s)
	a.Sets = session.InstructionSets()
	var unread error // the rest can be told without it, as where the library is not set up yet
	if a.Measured, unread = remembered(cfg, s); unread != nil {
		a.Notes = append(a.Notes, fmt.Sprintf("what was measured of it cannot be read: %v", unread))
	}
	for _, m := range a.Measured {
		if m.Graph == s.Graph && m.Company != nil {
			a.BatchDependent = !m.Holds()
		}
	}
	if asJSON {
		return plain.JSON(out, a)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var lines [][2]any
	for _, l := range a.Lines() {
		lines = append(lines, [2]any{l.Name, l.Value})
	}
	lines = append(lines, [2]any{"batch_dependent", a.BatchDependent}, [2]any{"processor", a.Sets})
	for _, m := range a.Measured {
		lines = append(lines, [2]any{"measured", m})
	}
	for _, c := range a.Cards {
		lines = append(lines, [2]any{"card", fmt.Sprintf("%s, model_sha256 %s", cardLine(c.CardGraph), c.SHA256)})
	}
	for _, line := range lines {
		err = errors.Join(err, plain.Row(w, line[0], line[1]))
	}
	for _, note := range a.Notes {
		err = errors.Join(err, plain.Row(w, "note", note))
	}
	for _, f := range a.Files {
		err = errors.Join(err, plain.Row(w, "file", f.SHA256+"  "+f.Path))
	}
	return errors.Join(err, w.Flush())
}
