package sample

import (
	"cmp"
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
	ID    int32
	Logit float32 // the model's
	Prob  float64 // its softmax
	Kept  bool    // false: penalties, bias or a filter rule it out
	Score float32 // of a kept one: after penalties, bias and temperature
	After float64 // of a kept one: the probability that it is drawn
}

// Trace explains the step that Next would take: the n tokens that the model holds
// most probable, then those kept that are not among them, n at most. kept is how
// many tokens are kept in all. It changes nothing.
func (s *Sampler) Trace(scratch *Scratch, logits []float32, n int) (tokens []Traced, kept int, err error) {
	pick, err := s.pick(scratch, logits)
	if err != nil {
		return nil, 0, err
	}
	all, err := s.Distribution(scratch, logits)
	if err != nil {
		return nil, 0, err
	}
	lse := logSumExp(logits)
	at := make(map[int32]int, n)
	for _, c := range scratch.best(logits, n, lse) {
		at[c.ID] = len(tokens)
		tokens = append(tokens, Traced{ID: c.ID, Logit: logits[c.ID], Prob: prob(logits[c.ID], lse)})
	}
	for i, k := range all {
		j, known := at[k.ID]
		if !known {
			if i >= n && k.ID != pick {
				continue
			}
			j = len(tokens)
			tokens = append(tokens, Traced{ID: k.ID, Logit: logits[k.ID], Prob: prob(logits[k.ID], lse)})
		}
		tokens[j].Kept, tokens[j].Score, tokens[j].After = true, k.Score, k.Prob
	}
	return tokens, len(all), nil
}
