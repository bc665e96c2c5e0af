package questions

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"textmill/config"
	"textmill/ground/plain"
	"textmill/search"
)

// Form says how answers are written.
type Form struct {
	Out   io.Writer
	JSON  bool
	Width int // of a terminal, in cells; 0 is 100
}

// Ask writes the answer to each question.
func Ask(ctx context.Context, cfg config.Config, o Options, f Form) error {
	w := bufio.NewWriterSize(f.Out, 64<<10)
	single := len(o.Questions.Args) == 1
	err := Each(ctx, cfg, o, func(a Answer) error {
		if f.JSON {
			return writeJSON(w, a)
		}
		return writeText(w, a, cmp.Or(f.Width, 100), single)
	})
	return errors.Join(err, w.Flush())
}

// hitLine is what programs are told of a row.
type hitLine struct {
	Query      string            `json:"query"`
	Rank       int               `json:"rank"`
	ID         string            `json:"id"`
	Score      float32           `json:"score"`
	Text       *string           `json:"text"`
	Attributes map[string]string `json:"attributes"`
	Chunk      *int32            `json:"chunk"`
	File       string            `json:"file"`
	Version    int64             `json:"version"`
}

// writeJSON writes a line for each row, or one that says what is wrong with the question.
func writeJSON(w io.Writer, a Answer) error {
	if a.Failed != nil {
		return plain.JSON(w, struct {
			Query string `json:"query"`
			Error string `json:"error"`
		}{a.ID, a.Failed.String()})
	}
	for i := range a.Hits {
		h := &a.Hits[i]
		line := hitLine{Query: a.ID, Rank: i + 1, ID: h.RecordID, Score: float32(h.Score), Attributes: h.Attributes,
			File: h.File, Version: a.Version}
		if h.Text.Valid {
			line.Text = &h.Text.V
		}
		if h.Chunk.Valid {
			line.Chunk = &h.Chunk.V
		}
		if err := plain.JSON(w, line); err != nil {
			return err
		}
	}
	return nil
}

// writeText writes two lines for each row: its score, id and attributes, and how its text begins. Where there are
// several questions each stands above its rows.
func writeText(w io.Writer, a Answer, width int, single bool) error {
	line := func(format string, args ...any) error {
		_, err := fmt.Fprintln(w, runewidth.Truncate(fmt.Sprintf(format, args...), width, "…"))
		return err
	}
	var err error
	if !single {
		err = line("%s: %s", plain.Text(a.ID), shown(a.Text))
	}
	if a.Failed != nil {
		return errors.Join(err, line("error: %s", plain.Text(a.Failed.String())))
	}
	for i := range a.Hits {
		err = errors.Join(err, line("%2d  %.3f  %s", i+1, a.Hits[i].Score, about(&a.Hits[i])))
		if text := a.Hits[i].Text; text.Valid {
			err = errors.Join(err, line("    %s", shown(text.V)))
		}
	}
	return err
}

// mostShown is beyond how many bytes a text is wider than any terminal.
const mostShown = 4096

// shown is a text on one line.
func shown(text string) string {
	if len(text) > mostShown {
		text = strings.ToValidUTF8(text[:mostShown], "")
	}
	return plain.Text(strings.Join(strings.Fields(text), " "))
}

func about(h *search.Hit) string {
	s := plain.Text(h.RecordID)
	if h.Chunk.V > 0 {
		s += fmt.Sprintf(" (chunk %d)", h.Chunk.V)
	}
	for _, name := range slices.Sorted(maps.Keys(h.Attributes)) {
		s += "  " + plain.Text(name) + "=" + shown(h.Attributes[name])
	}
	return s
}
