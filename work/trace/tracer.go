package trace

import (
	"math"
	"slices"

	"textmill/models"
	"textmill/models/generate"
	"textmill/models/sample"
	"textmill/tokenize"
)

// tracer turns what a model does into events.
type tracer struct {
	Options
	table models.EmbeddingTable
	tok   *tokenize.Tokenizer
	emit  func(Event) error
}

func (t *tracer) start(spec *models.Spec, device, text string, ids []int32) Start {
	table := Table{Tensor: t.table.Name, Shape: [2]int{t.table.Rows, t.table.Dim}, Stored: t.table.Storage}
	s := Start{Type: "start", Model: spec.Name, SHA256: spec.SHA256, Task: spec.Task, Device: device, Text: text,
		Tokens: len(ids), Table: table, Marks: t.tok.Marks(), tok: t.tok}
	for _, id := range ids {
		s.pieces = append(s.pieces, t.piece(id))
	}
	return s
}

// samplingOf is how a text's tokens are picked.
func samplingOf(p *generate.Params) *Sampling {
	s := &Sampling{Temperature: Number(max(p.Temperature, 0)), Seed: int64(p.Seed), MaxNewTokens: p.MaxNewTokens}
	if s.Temperature == 0 {
		return s // the rest does nothing
	}
	s.TopK, s.MinP, s.TopH = p.TopK, Number(p.MinP), Number(p.TopH)
	s.EpsilonCutoff, s.EtaCutoff = Number(p.EpsilonCutoff), Number(p.EtaCutoff)
	if p.TopP < 1 {
		s.TopP = Number(p.TopP)
	}
	if p.TypicalP < 1 {
		s.TypicalP = Number(p.TypicalP)
	}
	return s
}

// restAt are the temperatures at which the rest is told, the text's own among them.
func restAt(asked []float64, own float64) []float64 {
	if len(asked) == 0 || own < sample.Least || slices.Contains(asked, own) {
		return asked
	}
	all := append(slices.Clone(asked), own)
	slices.Sort(all)
	return all
}

func (t *tracer) piece(id int32) string {
	piece, _ := t.tok.IDToToken(id) // an ID that no token has has no piece
	return piece
}

func (t *tracer) row(id int32) (Values, error) {
	row, err := t.table.Row(id)
	return valuesOf(row, t.Values), err
}

func (t *tracer) tokens(text string, ids []int32, spans []tokenize.Span) error {
	places := make([]int32, 0, len(text)+1) // in bytes, of each character and of the end
	for at := range text {
		places = append(places, int32(at))
	}
	places = append(places, int32(len(text)))
	for i, id := range ids {
		row, err := t.row(id)
		if err != nil {
			return err
		}
		e := Token{Type: "token", Index: i, ID: id, Piece: t.piece(id), Special: t.tok.Special(id),
			Span: [2]int32{spans[i].Start, spans[i].End}, Row: row}
		for j, at := range e.Span {
			e.Bytes[j] = places[min(max(int(at), 0), len(places)-1)]
		}
		if err := t.emit(e); err != nil {
			return err
		}
	}
	return nil
}

func (t *tracer) step(s generate.Step) error {
	row, err := t.row(s.ID)
	if err != nil {
		return err
	}
	e := Step{Type: "step", Step: s.Index, ID: s.ID, Piece: t.piece(s.ID), Text: s.Text, Row: row, Kept: s.Kept,
		Finish: s.Finish, Candidates: []Candidate{}, Highest: s.Highest}
	for _, c := range s.Candidates {
		one := Candidate{ID: c.ID, Piece: t.piece(c.ID), Logit: Number(c.Logit), Prob: Number(c.Prob),
			Adjusted: Number(c.Adjusted), Kept: c.Kept}
		if c.Kept {
			score, after := Number(c.Score), Number(c.After)
			one.Score, one.After = &score, &after
		}
		e.Candidates = append(e.Candidates, one)
	}
	for _, r := range s.Rest {
		e.Rest = append(e.Rest, Number(r))
	}
	return t.emit(e)
}

// cosines are those of each of a with each of b.
func cosines(a, b [][]float32) [][]Number {
	all := make([][]Number, len(a))
	for i, v := range a {
		all[i] = make([]Number, len(b))
		for j, w := range b {
			all[i][j] = Number(float32(cosine(v, w)))
		}
	}
	return all
}

// cosine is 0 where one of two vectors has no direction.
func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i, x := range a {
		y := b[i]
		ab += float64(x) * float64(y)
		aa += float64(x) * float64(x)
		bb += float64(y) * float64(y)
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return min(max(ab/math.Sqrt(aa)/math.Sqrt(bb), -1), 1)
}

// PairOf compares two texts by what was told of them, those of at most so many tokens token by token. ok is false
// where one of them has no vector, or their vectors are of unlike lengths.
func PairOf(a, b []Event, similar int) (p Pair, ok bool) {
	v, states := seen(a)
	w, others := seen(b)
	if v == nil || len(v) != len(w) {
		return p, false
	}
	p = Pair{Type: "pair", Cosine: Number(float32(cosine(v, w))), Shape: [2]int{len(states), len(others)}}
	if len(states) <= similar && len(others) <= similar {
		p.Tokens = cosines(states, others)
	}
	return p, true
}

// seen are the vector and the hidden states among events.
func seen(events []Event) (vector []float32, states [][]float32) {
	for _, e := range events {
		switch e := e.(type) {
		case Vector:
			vector = e.whole
		case Hidden:
			states = append(states, e.whole)
		}
	}
	return vector, states
}
