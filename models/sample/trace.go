package sample

import (
	"cmp"
	"maps"
	"slices"
)

// Kept is a token that the next pick may be.
type Kept struct {
	ID    int32
	Score float32 // after penalties, bias and temperature
	Prob  float64
}

// Distribution is what Next would draw from: the kept tokens, the most probable
// first, of ties the lowest id first. A greedy sampler keeps one token. It changes
// nothing: the step is not taken.
func (s *Sampler) Distribution(scratch *Scratch, logits []float32) ([]Kept, error) {
	scores := s.scores(scratch, logits)
	top, err := argmax(scores)
	if err != nil {
		return nil, err
	}
	if s.greedy {
		return []Kept{{ID: top, Score: scores[top], Prob: 1}}, nil
	}
	s.keep(scratch, scores, top)
	sum := scratch.total
	kept := make([]Kept, len(scratch.kept))
	for i, c := range scratch.kept {
		kept[i] = Kept{ID: c.id, Score: c.score, Prob: float64(c.weight) / sum}
	}
	slices.SortFunc(kept, func(a, b Kept) int { return cmp.Or(-cmp.Compare(a.Score, b.Score), cmp.Compare(a.ID, b.ID)) })
	return kept, nil
}

// Traced is a token before and after sampling's params did their work.
type Traced struct {
	ID       int32
	Logit    float32 // the model's
	Prob     float64 // its softmax
	Adjusted float32 // after penalties, bias and rules, before temperature; -Inf where they rule it out
	Kept     bool    // false: penalties, bias or a filter rule it out
	Score    float32 // of a kept one: after penalties, bias and temperature
	After    float64 // of a kept one: the probability that it is drawn
}

// Explained is a step that a sampler would take.
type Explained struct {
	// Candidates are the most probable ones as the model holds them, then others that were kept or that score high.
	Candidates []Traced
	Kept       int // tokens in all
	// Where temperatures were asked for, so many of the highest adjusted scores are all among Candidates, and Rest has,
	// for each temperature, the logarithm of the sum of exp(adjusted / temperature) over all tokens that are not: with
	// it, what temperature, top_k, top_p and min_p would leave can be told without the other logits.
	Highest int
	Rest    []float64
}

// Trace explains the step that Next would take: the n tokens that the model holds
// most probable, then those kept that are not among them, n at most; and, where
// temperatures of Least or more are given, the n that score highest. It changes nothing.
func (s *Sampler) Trace(scratch *Scratch, logits []float32, n int, temperatures []float64) (x Explained, err error) {
	pick, err := s.pick(scratch, logits)
	if err != nil {
		return x, err
	}
	all, err := s.Distribution(scratch, logits)
	if err != nil {
		return x, err
	}
	scores := s.scores(scratch, logits)
	lse := logSumExp(logits)
	at := make(map[int32]int, n)
	list := func(id int32) int {
		i, known := at[id]
		if !known {
			i = len(x.Candidates)
			at[id] = i
			t := Traced{ID: id, Logit: logits[id], Prob: prob(logits[id], lse), Adjusted: scores[id]}
			x.Candidates = append(x.Candidates, t)
		}
		return i
	}
	for _, c := range scratch.best(logits, n, lse) {
		list(c.ID)
	}
	for i, k := range all {
		if _, known := at[k.ID]; !known && i >= n && k.ID != pick {
			continue
		}
		t := &x.Candidates[list(k.ID)]
		t.Kept, t.Score, t.After = true, k.Score, k.Prob
	}
	x.Kept = len(all)
	if len(temperatures) > 0 {
		for _, c := range scratch.best(scores, n, 0) {
			if scores[c.ID] > negInf {
				list(c.ID)
				x.Highest++
			}
		}
		x.Rest = scratch.rest(scores, slices.Sorted(maps.Keys(at)), temperatures)
	}
	return x, nil
}
