package sample

import (
	"cmp"
	"math"
	"slices"
)

// keep leaves in scratch.kept the tokens that temperature and filters allow, in
// order of id. top is the token of the highest score. At least one is kept.
func (s *Sampler) keep(scratch *Scratch, scores []float32, top int32) {
	best := scores[top] / s.temp
	if math.IsInf(float64(best), 0) { // so cold that it is greedy
		scratch.kept = append(scratch.kept[:0], candidate{top, scores[top], 1})
		scratch.measure()
		return
	}
	least := negInf // the lowest score before temperature that may be kept
	k, high := s.params.TopK, s.params.TopH > 0
	switch {
	case high && len(scores) > topHMost:
		least = scratch.kth(scores, topHMost)
	case !high && k > 0 && k < len(scores):
		least = scratch.kth(scores, k)
	}
	scratch.collect(scores, least, s.temp, best, s.unlikely(scores[top]))
	s.filter(scratch)
}

// limitsMass tells whether top_p keeps less than all.
func (s *Sampler) limitsMass() bool { return s.params.TopP > 0 && s.params.TopP < 1 }

// filter leaves of scratch.kept what the filters allow that come after the highest scores were collected.
func (s *Sampler) filter(scratch *Scratch) {
	if s.params.TopH > 0 {
		scratch.topH(s.params.TopH)
		scratch.topK(s.params.TopK)
	}
	if s.limitsMass() {
		scratch.topP(s.topP, s.vocab)
	}
	if s.params.MinP > 0 {
		scratch.atLeast(float32(s.params.MinP) * scratch.highest())
	}
	if s.params.TypicalP > 0 && s.params.TypicalP < 1 {
		scratch.typical(float32(s.params.TypicalP))
	}
	if s.params.EpsilonCutoff > 0 {
		scratch.atLeast(float32(s.params.EpsilonCutoff))
	}
	if eta := float32(s.params.EtaCutoff); eta > 0 {
		scratch.atLeast(min(eta, float32(math.Sqrt(float64(eta)))*float32(math.Exp(-scratch.entropy()))))
	}
}

// unlikely is a score before temperature below which min_p surely keeps nothing, where no filter before it needs to
// know of such tokens.
func (s *Sampler) unlikely(best float32) float32 {
	if s.limitsMass() || s.params.TopH > 0 || s.params.MinP <= 0 {
		return negInf
	}
	return best + float32((math.Log(s.params.MinP)-0.01)*s.params.Temperature) - float32(math.Abs(float64(best))*1e-5)
}

// collect keeps what scores as least does, or more, after temperature, but for the unlikely.
func (s *Scratch) collect(scores []float32, least, temp, best, unlikely float32) {
	kept := slices.Grow(s.kept[:0], len(scores))[:len(scores)]
	bound := least / temp
	// Scores a little lower may be equal once divided, so the quick test is a little lower too.
	quick := quickBound(least, unlikely)
	n := 0
	for id, v := range scores {
		if v < quick {
			continue
		}
		if v /= temp; v >= bound && v != negInf {
			kept[n] = candidate{int32(id), v, float32(exp(v - best))}
			n++
		}
	}
	s.kept = kept[:n]
	s.measure()
}

// quickBound is a score before temperature below which nothing is kept that must score as least does.
func quickBound(least, unlikely float32) float32 {
	return max(least-float32(math.Abs(float64(least))*1e-6)-1e-30, unlikely)
}

// measure sums the weights of what is kept, in order of id.
func (s *Scratch) measure() {
	s.total = 0
	for i := range s.kept {
		s.total += float64(s.kept[i].weight)
	}
}

// sum divides weights into probabilities in float32, as transformers' softmax has them.
func (s *Scratch) sum() float32 { return float32(s.total) }

// highest is the highest probability.
func (s *Scratch) highest() float32 {
	var most float32
	for i := range s.kept {
		most = max(most, s.kept[i].weight)
	}
	return most / s.sum()
}

// atLeast keeps what has at least this probability, and the most probable in any case.
func (s *Scratch) atLeast(p float32) {
	sum, most := s.sum(), s.topScore()
	n := 0
	for _, c := range s.kept {
		if c.weight/sum >= p || c.score == most {
			s.kept[n] = c
			n++
		}
	}
	s.kept = s.kept[:n]
	s.measure()
}

// topScore is the highest score.
func (s *Scratch) topScore() float32 {
	top := negInf
	for i := range s.kept {
		top = max(top, s.kept[i].score)
	}
	return top
}

// entropy is that of what is kept, in nats.
func (s *Scratch) entropy() (e float64) {
	log, top := math.Log(s.total), s.topScore()
	for i := range s.kept {
		if c := &s.kept[i]; c.weight > 0 {
			e -= float64(float64(c.weight) / s.total * (float64(c.score-top) - log))
		}
	}
	return e
}

// topHMost is how many tokens top_h looks at.
const topHMost = 100

// topH keeps the most probable tokens while what they add to the entropy stays within a share of it. Of tokens that
// tie for the last place that is looked at, those of the lowest ids are.
func (s *Scratch) topH(share float64) {
	slices.SortStableFunc(s.kept, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	s.kept = s.kept[:min(len(s.kept), topHMost)]
	s.measure()
	limit := float32(s.entropy() * share)
	var gathered float64
	n := 0
	for i := range s.kept {
		p := float64(s.kept[i].weight) / s.total
		if p == 0 {
			break
		}
		if gathered -= p * math.Log(p); n > 0 && float32(gathered) > limit {
			break
		}
		n++
	}
	s.kept = s.kept[:max(n, 1)]
	slices.SortFunc(s.kept, func(a, b candidate) int { return cmp.Compare(a.id, b.id) })
	s.measure()
}

// topK keeps the k highest scores of those that are kept, and what ties with the last of them.
func (s *Scratch) topK(k int) {
	if k <= 0 || k >= len(s.kept) {
		return
	}
	s.heap = s.heap[:0]
	for i := range s.kept {
		s.heap = append(s.heap, s.kept[i].score)
	}
	slices.Sort(s.heap)
	s.drop(s.heap[len(s.heap)-k])
	s.measure()
}

// topP lets the least probable go while their probabilities add up to no more than gone.
func (s *Scratch) topP(gone float32, vocab int) {
	edge := s.edge(gone)
	stay, leave := 0, 0 // of those whose score is the edge's
	for i := range s.kept {
		if c := &s.kept[i]; c.score == edge.score {
			if c.id >= edge.id {
				stay++
			} else {
				leave++
			}
		}
	}
	if leave > 0 {
		s.dropTies(edge.score, stay, vocab)
	} else {
		s.drop(edge.score)
	}
	s.measure()
}

// drop keeps what scores as least does, or more.
func (s *Scratch) drop(least float32) {
	n := 0
	for _, c := range s.kept {
		if c.score >= least {
			s.kept[n] = c
			n++
		}
	}
	s.kept = s.kept[:n]
}

// typical keeps those nearest to the expected surprise until their probabilities add up to mass.
func (s *Scratch) typical(mass float32) {
	sum := s.total
	log, top, entropy := math.Log(sum), s.topScore(), s.entropy()
	// order holds the distance from the entropy as its score.
	s.order = s.order[:0]
	for i := range s.kept {
		c := s.kept[i]
		c.score = float32(math.Abs(-(float64(c.score-top) - log) - entropy))
		s.order = append(s.order, c)
	}
	slices.SortFunc(s.order, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.score, b.score),
			cmp.Compare(a.id, b.id))
	})
	last := s.order[len(s.order)-1].score
	var cumulated float64
	for i := range s.order {
		if cumulated += float64(s.order[i].weight / float32(sum)); float32(cumulated) >= mass {
			last = s.order[i].score
			break
		}
	}
	n := 0
	for _, c := range s.kept {
		if float32(math.Abs(-(float64(c.score-top)-log)-entropy)) <= last {
			s.kept[n] = c
			n++
		}
	}
	s.kept = s.kept[:n]
	if left := s.topScore(); left < top { // the most probable may have gone, which the weights are measured by
		for i := range s.kept {
			s.kept[i].weight = float32(exp(s.kept[i].score - left))
		}
	}
	s.measure()
}
