package page

import (
	"errors"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"textmill/daemon/tracing"
	"textmill/work/trace"
)

// traced is what a model does with texts. Its template takes the events in their order, as they come.
type traced struct {
	tracing.Question
	Models []Model
	Asked  bool
	Failed string // why nothing is told
	Link   string // this address, where a page from elsewhere led here, for which nothing is computed

	answer *tracing.Answer
	pieces [][]string // of each text
}

// trace begins to answer the question of a query, while the page is sent.
func (s *Site) trace(r *http.Request) (View, error) {
	t := &traced{Models: s.o.Models}
	t.Question, t.Asked = tracing.Read(r.URL.Query())
	v := View{Title: "Trace", Data: t}
	if t.Asked && FromElsewhere(r) {
		t.Asked, t.Link = false, r.URL.RequestURI()
	}
	if !t.Asked {
		return v, nil
	}
	answer, err := s.traces.Ask(r.Context(), t.Question)
	if refusal, ok := errors.AsType[*tracing.Refusal](err); ok && refusal.Status == http.StatusBadRequest {
		t.Asked, t.Failed = false, refusal.Message // the form holds what was written
		return v, nil
	} else if ok {
		return View{}, &Failure{refusal.Status, refusal.Message}
	}
	t.answer = answer
	v.Waits = func(flush func()) { answer.Waits = flush }
	v.Done = answer.Close
	return v, nil
}

// Rest are the params that the form has no field for.
func (t *traced) Rest() string {
	task := ""
	for _, m := range t.Models {
		if m.Name == t.Model {
			task = m.Task
		}
	}
	return t.Question.Rest(task, "temperature", "top_k", "top_p", "min_p", "max_new_tokens", "seed", "chat")
}

// Pair says that two texts are looked at.
func (t *traced) Pair() bool { return t.Other != "" }

// Sides are the texts.
func (t *traced) Sides() iter.Seq[*side] {
	return func(yield func(*side) bool) {
		for n := 0; ; n++ {
			start := tracing.One[trace.Start](t.answer)
			one := &side{Start: start, N: n, Asked: []string{t.Text, t.Other}[min(n, 1)], answer: t.answer}
			if start == nil || !yield(one) {
				return
			}
			t.pieces = append(t.pieces, one.texts)
		}
	}
}

// compared is how two texts compare; Alike is nil where they are too long.
type compared struct {
	trace.Pair
	Alike *alike
}

// Compared is nil where they do not compare.
func (t *traced) Compared() *compared {
	e := tracing.One[trace.Pair](t.answer)
	if e == nil {
		return nil
	}
	c := &compared{Pair: *e}
	if e.Tokens != nil {
		c.Alike = &alike{t.pieces[0], t.pieces[1], e.Tokens}
	}
	return c
}

// Broken is why not all was told.
func (t *traced) Broken() string {
	t.answer.Peek()
	if err := t.answer.Err(); err != nil {
		return err.Error()
	}
	return ""
}

// side is one text.
type side struct {
	*trace.Start
	N      int
	Asked  string // as it was asked, without what the model puts around it
	answer *tracing.Answer
	texts  []string // the tokens' pieces
}

// Long says that there are so many tokens before the loop that they are better scrolled than passed.
func (s *side) Long() bool { return s.Sampling != nil && s.Start.Tokens > 24 }

// Tokens are the text's.
func (s *side) Tokens() iter.Seq[token] {
	return func(yield func(token) bool) {
		for e := range tracing.Each[trace.Token](s.answer) {
			s.texts = append(s.texts, e.Piece)
			if !yield(token{e, s.Parts(e.Piece), s.Text[e.Bytes[0]:e.Bytes[1]]}) {
				return
			}
		}
	}
}

// States are the tokens' hidden states; nil where the model tells none.
func (s *side) States() iter.Seq[state] {
	if _, ok := s.answer.Peek().(trace.Hidden); !ok {
		return nil
	}
	return func(yield func(state) bool) {
		for e := range tracing.Each[trace.Hidden](s.answer) {
			if !yield(state{e, s.Parts(s.texts[e.Index])}) {
				return
			}
		}
	}
}

// Similar is how alike the tokens' states are, nil where that is not told.
func (s *side) Similar() *alike {
	if e := tracing.One[trace.Similarity](s.answer); e != nil {
		return &alike{s.texts, s.texts, e.Tokens}
	}
	return nil
}

// Vector is the text's, nil where it has none.
func (s *side) Vector() *trace.Vector { return tracing.One[trace.Vector](s.answer) }

// Steps are the new tokens.
func (s *side) Steps() iter.Seq[step] {
	return func(yield func(step) bool) {
		for e := range tracing.Each[trace.Step](s.answer) {
			if !yield(newStep(s, e)) {
				return
			}
		}
	}
}

// End is why the text ended, nil where it did not.
func (s *side) End() *trace.End { return tracing.One[trace.End](s.answer) }

// Others are the filters that the sliders know nothing of.
func (s *side) Others() string {
	var names []string
	for name, set := range map[string]bool{"top_h": s.Sampling.TopH > 0, "typical_p": s.Sampling.TypicalP > 0,
		"epsilon_cutoff": s.Sampling.EpsilonCutoff > 0, "eta_cutoff": s.Sampling.EtaCutoff > 0} {
		if set {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// part is a part of a piece: text, or a mark.
type part struct{ Text, Means string }

// Parts are those of a piece, its marks apart.
func (s *side) Parts(piece string) (parts []part) {
	for piece != "" {
		at, length, means := len(piece), 0, ""
		for _, m := range s.Marks {
			if i := strings.Index(piece, m.Mark); i >= 0 && i < at {
				at, length, means = i, len(m.Mark), m.Means
			}
		}
		if at > 0 {
			parts = append(parts, part{Text: trace.Shown(piece[:at])})
		}
		if length > 0 {
			parts = append(parts, part{piece[at : at+length], means})
		}
		piece = piece[at+length:]
	}
	return parts
}

// token is one of the text.
type token struct {
	trace.Token
	Parts  []part
	Covers string // what it stands for in the text
}

// state is a token's hidden state.
type state struct {
	trace.Hidden
	Parts []part
}

// alike are the cosines of each two tokens.
type alike struct {
	Rows, Columns []string
	Cosines       [][]trace.Number
}

// shownCandidates is how many candidates of a step are shown, beside the token that was picked.
const shownCandidates = 6

// step is a new token.
type step struct {
	trace.Step
	Parts []part
	Says  string // where that is not what the piece says
	Shown []candidate
}

// candidate is one that is shown. At is its place among all.
type candidate struct {
	trace.Candidate
	At     int
	Picked bool
	Parts  []part
	Says   string
	Before float64 // its probability as the model has it
	Chance float64 // that it is drawn
}

func newStep(s *side, e trace.Step) step {
	one := step{Step: e, Parts: s.Parts(e.Piece), Says: s.Says(e.ID)}
	for i, c := range e.Candidates {
		if i >= shownCandidates && c.ID != e.ID {
			continue
		}
		shown := candidate{Candidate: c, At: i, Picked: c.ID == e.ID, Parts: s.Parts(c.Piece), Says: s.Says(c.ID),
			Before: float64(c.Prob)}
		if c.After != nil {
			shown.Chance = float64(*c.After)
		}
		one.Shown = append(one.Shown, shown)
	}
	return one
}

// Adjusted are the candidates' logits before temperature, for a program to go on from.
func (s step) Adjusted() string {
	all := make([]trace.Number, len(s.Candidates))
	for i, c := range s.Candidates {
		all[i] = c.Adjusted
	}
	return listed(all)
}

// Others are what all tokens that are no candidates weigh.
func (s step) Others() string { return listed(s.Rest) }

// listed are numbers in a row, "" for what is none.
func listed(numbers []trace.Number) string {
	var b strings.Builder
	for i, n := range numbers {
		if i > 0 {
			b.WriteByte(' ')
		}
		text, _ := n.MarshalJSON() // it never fails
		b.Write(text)
	}
	return b.String()
}

// share100 is a probability in per cent.
func share100[F ~float64](share F) string { return strconv.FormatFloat(100*float64(share), 'f', 2, 64) }

// plain is a number with as many digits as it has.
func plain(n trace.Number) string { return listed([]trace.Number{n}) }

// figure is a number with so many digits behind the point.
func figure(digits int, n trace.Number) string {
	return strconv.FormatFloat(float64(n), 'f', digits, 64)
}
