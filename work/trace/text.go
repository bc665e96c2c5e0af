package trace

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// A Text writes events for people, a line each as they come.
type Text struct {
	w       io.Writer
	color   bool
	piece   int // cells of the widest piece
	section string
	start   Start
	err     error
}

// NewText writes to w, in colour if that is a terminal. Nothing that it writes but its own colours steers one.
func NewText(w io.Writer, color bool) *Text { return &Text{w: w, color: color} }

const (
	widest   = 24   // the column of pieces
	mostText = 2000 // characters of the text that are repeated
)

// Emit writes one event.
func (t *Text) Emit(e Event) error {
	switch e := e.(type) {
	case Start:
		t.begin(e)
	case Token:
		table := t.start.Table
		t.head("token", fmt.Sprintf("tokens and their rows of %s [%d %d], stored as %s", Shown(table.Tensor), table.Shape[0],
			table.Shape[1], table.Stored),
			fmt.Sprintf("%5s %7s  %s %9s %10s  first of [%d]", "#", "id", t.pad("piece"), "span", "norm", table.Shape[1]))
		span := ""
		if e.Span != [2]int32{} {
			span = fmt.Sprintf("%d-%d", e.Span[0], e.Span[1])
		}
		t.printf("%5d %7d  %s %9s %10s  %s\n", e.Index, e.ID, t.paint(bold, t.pad(Shown(e.Piece))), span, t.num(e.Row.Norm),
			t.list(e.Row.Values))
	case Hidden:
		t.head("hidden", "hidden states of the last layer", fmt.Sprintf("%5s  %s %10s  first of [%d]", "#", t.pad("piece"),
			"norm", e.Shape[0]))
		t.printf("%5d  %s %10s  %s\n", e.Index, t.paint(bold, t.pad(Shown(t.start.pieces[e.Index]))), t.num(e.Norm),
			t.list(e.Values.Values))
	case Vector:
		t.vector(e)
	case Step:
		t.step(e)
	case End:
		t.section = ""
		t.printf("\n%s after %s: %s\n", t.paint(bold, "ended by "+Why(e.Finish)), count(e.Tokens, "token"),
			strconv.Quote(e.Text))
	}
	return t.err
}

func (t *Text) begin(s Start) {
	t.start, t.piece = s, len("piece")
	for _, p := range s.pieces {
		t.piece = max(t.piece, min(runewidth.StringWidth(Shown(p)), widest))
	}
	t.printf("%s, task %s, on %s, model_sha256 %.12s\n", t.paint(bold, s.Model), s.Task, s.Device, s.SHA256)
	text, more := []rune(s.Text), ""
	if len(text) > mostText {
		text, more = text[:mostText], "…"
	}
	t.printf("text %s%s: %s", strconv.Quote(string(text)), more, count(s.Tokens, "token"))
	if s.Dropped > 0 {
		t.printf(", %s cut off", t.paint(red, fmt.Sprint(s.Dropped)))
	}
	t.printf("\n")
}

func (t *Text) vector(v Vector) {
	scaled := "as it is"
	if v.Normalize {
		scaled = "normalized"
	}
	t.head("vector", fmt.Sprintf("pooling %s over %s", v.Pooling, count(v.Pooled, "token")), "")
	precision := ""
	if v.Precision != "float32" {
		precision = ", " + v.Precision
	}
	t.printf("vector [%d], norm %s, %s%s: %s\n", v.Shape[0], t.num(v.Norm), scaled, precision, t.list(v.Values.Values))
}

func (t *Text) step(s Step) {
	t.head("step", "what the model says of each next token", fmt.Sprintf("%5s %7s  %s %10s %10s %10s %10s", "step", "id",
		t.pad("piece"), "logit", "prob", "score", "after"))
	t.printf("%5d %7d  %s row [%d], norm %s  %s", s.Step, s.ID, t.paint(green, t.pad(Shown(s.Piece))), s.Row.Shape[0],
		t.num(s.Row.Norm), t.list(s.Row.Values))
	if s.Text != "" {
		t.printf("  %s", strconv.Quote(s.Text))
	}
	if s.Finish != "" {
		t.printf("  %s", t.paint(bold, Why(s.Finish)))
	}
	t.printf("\n")
	for _, c := range s.Candidates {
		mark, paint := " ", faint
		score, after := "-", "-" // not kept
		if c.Kept {
			paint, score, after = "", t.num(*c.Score), t.percent(*c.After)
		}
		if c.ID == s.ID {
			mark, paint = "*", green
		}
		t.printf("%5s %7d  %s %10s %10s %10s %10s\n", mark, c.ID, t.paint(paint, t.pad(Shown(c.Piece))), t.num(c.Logit),
			t.percent(c.Prob), score, after)
	}
}

// head begins a section: a title, and the columns' names unless there are none.
func (t *Text) head(section, title, columns string) {
	if t.section == section {
		return
	}
	t.section = section
	t.printf("\n%s\n", t.paint(bold, title))
	if columns != "" {
		t.printf("%s\n", t.paint(faint, columns))
	}
}

func (t *Text) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

// pad fills up the column of pieces, or cuts what is wider.
func (t *Text) pad(s string) string {
	return runewidth.FillRight(runewidth.Truncate(s, widest, "…"), t.piece)
}

func (t *Text) num(n Number) string     { return strconv.FormatFloat(float64(n), 'f', 4, 64) }
func (t *Text) percent(n Number) string { return strconv.FormatFloat(100*float64(n), 'f', 2, 64) + "%" }

func (t *Text) list(v []Number) string {
	whole := true // as quantized vectors are
	for _, n := range v {
		whole = whole && n == Number(int(n))
	}
	parts := make([]string, len(v))
	for i, n := range v {
		if parts[i] = fmt.Sprintf("%8.4f", float64(n)); whole {
			parts[i] = fmt.Sprintf("%4.0f", float64(n))
		}
	}
	return strings.Join(parts, " ")
}

// Colours, as terminals know them.
const (
	bold  = "\x1b[1m"
	faint = "\x1b[2m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
)

func (t *Text) paint(with, s string) string {
	if !t.color || with == "" {
		return s
	}
	return with + s + "\x1b[0m"
}

// Why is a finish_reason in words.
func Why(finish string) string {
	switch finish {
	case "eos":
		return "EOS"
	case "stop":
		return "a stop string or token"
	}
	return "the length limit"
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// Shown is a piece that cannot do anything to a terminal.
func Shown(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\u00b7'
	}, s)
}
