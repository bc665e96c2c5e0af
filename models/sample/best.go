package sample

import (
	"cmp"
	"math"
	"slices"
)

// Best is what a device gives of a row of logits that stay there: enough to pick a token, for most Params.
type Best struct {
	// Token is the likeliest one, of equals the one with the lowest id; the size of the vocabulary where the logits are
	// no numbers.
	Token int32
	// IDs and Logits are the highest ones, in any order, and LogSum is the logarithm of the sum of the exponentials of
	// all logits. They may be missing.
	IDs    []int32
	Logits []float32
	LogSum float32
}

// A Need is how much of a row of logits a sampler's next step takes, at the most likely.
type Need int

// Needs, each with all of the one before.
const (
	NeedsToken  Need = iota // Best.Token
	NeedsBest               // a whole Best
	NeedsLogits             // every logit
)

// Needs says what the next step takes. Where NeedsBest turns out to be too little, NextOf says so.
func (s *Sampler) Needs() Need {
	p := &s.params
	switch {
	case s.alters || s.early():
		return NeedsLogits
	case s.greedy && !p.Logprobs && p.TopLogprobs == 0:
		return NeedsToken
	case s.greedy || p.TopH > 0 || p.TopK > 0 || p.MinP > 0 && !s.limitsMass():
		return NeedsBest
	}
	return NeedsLogits
}

// NextOf is Next where the logits themselves are elsewhere: it picks the token that Next would, or reports false if b
// does not say which, and then no step was taken. Log-probabilities are as exact as LogSum.
func (s *Sampler) NextOf(scratch *Scratch, b *Best) (c Choice, ok bool, err error) {
	need := s.Needs()
	if b.Token < 0 || int(b.Token) >= s.vocab {
		if s.rules.RemoveInvalidValues {
			return c, false, nil
		}
		return c, true, errNotFinite
	}
	if need == NeedsLogits || need == NeedsBest && len(b.IDs) == 0 {
		return c, false, nil
	}
	c.ID = b.Token
	if need == NeedsBest {
		scratch.sort(b)
		if !s.greedy {
			if !s.keepBest(scratch, b) {
				return c, false, nil
			}
			c.ID = scratch.draw(scratch.uniform(s.params.Seed, uint64(s.made)))
		}
		if !s.score(scratch, b, &c) {
			return c, false, nil
		}
	}
	s.count(c.ID)
	return c, true, nil
}

// sort leaves a Best's candidates in scratch.leaders, the highest logit first, of equals the lowest id first.
func (s *Scratch) sort(b *Best) {
	s.leaders = s.leaders[:0]
	for i, id := range b.IDs {
		s.leaders = append(s.leaders, candidate{id: id, score: b.Logits[i]})
	}
	slices.SortFunc(s.leaders, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.score, x.score), cmp.Compare(x.id, y.id))
	})
}

// keepBest is keep from a Best's candidates; false where others may be kept as well.
func (s *Sampler) keepBest(scratch *Scratch, b *Best) bool {
	all := scratch.leaders
	best := all[0].score / s.temp
	if math.IsInf(float64(best), 0) {
		scratch.kept = append(scratch.kept[:0], candidate{b.Token, all[0].score, 1})
		scratch.measure()
		return true
	}
	least, k := negInf, s.params.TopK
	if s.params.TopH > 0 {
		k = topHMost
	}
	if k > 0 && k < s.vocab {
		if k > len(all) {
			return false
		}
		least = all[k-1].score
	}
	unlikely := s.unlikely(all[0].score)
	bound, quick := least/s.temp, quickBound(least, unlikely)
	if lowest := all[len(all)-1].score; len(all) < s.vocab && lowest >= quick && lowest/s.temp >= bound {
		return false
	}
	scratch.kept = scratch.kept[:0]
	for _, c := range all {
		if v := c.score / s.temp; c.score >= quick && v >= bound && v != negInf {
			scratch.kept = append(scratch.kept, candidate{c.id, v, float32(exp(v - best))})
		}
	}
	slices.SortFunc(scratch.kept, func(x, y candidate) int { return cmp.Compare(x.id, y.id) })
	scratch.measure()
	s.filter(scratch)
	return true
}

// score tells the log-probabilities that are asked for; false where others than the candidates may be among the
// highest.
func (s *Sampler) score(scratch *Scratch, b *Best, c *Choice) bool {
	if !s.params.Logprobs && s.params.TopLogprobs == 0 {
		return true
	}
	all, lse := scratch.leaders, float64(b.LogSum)
	n := min(s.params.TopLogprobs, s.vocab)
	if len(all) < s.vocab && (n > len(all) || n > 0 && all[n-1].score == all[len(all)-1].score) {
		return false
	}
	i := slices.IndexFunc(all, func(x candidate) bool { return x.id == c.ID })
	if i < 0 {
		return false
	}
	c.Logprob = logprob(all[i].score, lse)
	scratch.top = scratch.top[:0]
	for _, x := range all[:n] {
		scratch.top = append(scratch.top, Candidate{ID: x.id, Logprob: logprob(x.score, lse)})
	}
	c.Top = scratch.top
	return true
}
