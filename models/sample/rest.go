package sample

import (
	"iter"
	"math"
)

// Least is the lowest temperature at which the weight of what a Trace does not list can be asked for.
const Least = 0.1

// Scores are put into bins of a width of 1/perUnit, and exp(d/T) is taken as its series up to d³, where d is a score's
// distance from the middle of its bin. d is at most 1/256, so that at a temperature of Least or more a sum is off by
// less than 2e-7 of itself.
const perUnit = 128

// A bin has how many scores there are, and the sums of the powers of their distances.
type bin struct{ n, d, d2, d3 float64 }

// rest is, for each temperature, the logarithm of the sum of exp(score/temperature) over all tokens but those that are
// left out, whose ids ascend. It takes one pass over the scores, however many temperatures there are.
func (s *Scratch) rest(scores []float32, without []int32, temperatures []float64) []float64 {
	top, warmest := negInf, 0.0
	for v := range leaving(scores, without) {
		top = max(top, v)
	}
	for _, t := range temperatures {
		warmest = max(warmest, t)
	}
	out := make([]float64, len(temperatures))
	if top == negInf {
		for i := range out {
			out[i] = math.Inf(-1)
		}
		return out
	}
	// What is so far below the highest adds nothing at any of the temperatures.
	bins := make([]bin, int(warmest*45*perUnit)+1)
	for v := range leaving(scores, without) {
		at := float64(top-v) * perUnit
		if !(at < float64(len(bins))) {
			continue
		}
		b := &bins[int(at)]
		d := (math.Floor(at) + 0.5 - at) / perUnit
		b.n++
		b.d += d
		b.d2 += float64(d * d)
		b.d3 += float64(d * d * d)
	}
	for i, t := range temperatures {
		out[i] = float64(top)/t + math.Log(weight(bins, t))
	}
	return out
}

// weight is the sum of the exponentials of the scores in bins, divided by that of the highest.
func weight(bins []bin, temperature float64) (sum float64) {
	u := 1 / temperature
	// The exponential of a bin's middle is that of the one before it times the same factor.
	middle, factor := math.Exp(-0.5*u/perUnit), math.Exp(-u/perUnit)
	for i := range bins {
		if b := &bins[i]; b.n > 0 {
			sum += middle * (b.n + u*(b.d+u*(b.d2/2+u*b.d3/6)))
		}
		if middle *= factor; middle < 1e-20 {
			break
		}
	}
	return sum
}

// leaving goes over scores, but for those of some ids.
func leaving(scores []float32, without []int32) iter.Seq[float32] {
	return func(yield func(float32) bool) {
		for id, v := range scores {
			if len(without) > 0 && int(without[0]) == id {
				without = without[1:]
				continue
			}
			if !yield(v) {
				return
			}
		}
	}
}
