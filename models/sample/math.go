package sample

import "math"

// argmax is the lowest id of the highest score.
func argmax(scores []float32) (int32, error) {
	best, at := negInf, -1
	for base := 0; base < len(scores); base += 8 {
		if len(scores)-base >= 8 { // most blocks hold nothing higher
			v := (*[8]float32)(scores[base:])
			if v[0] <= best && v[1] <= best && v[2] <= best && v[3] <= best && v[4] <= best && v[5] <= best && v[6] <= best &&
				v[7] <= best {
				continue
			}
		}
		for i, v := range scores[base:min(base+8, len(scores))] {
			if !(v <= best) { // also where v is NaN
				if v != v {
					return -1, errNotFinite
				}
				best, at = v, base+i
			}
		}
	}
	switch {
	case at < 0:
		return -1, errNoneLeft
	case math.IsInf(float64(best), 1):
		return -1, errNotFinite
	}
	return int32(at), nil
}

// The exponential is our own because the standard library's differs in the last
// bits between processors. Each product is converted, which forbids the compiler
// to fuse it with a sum. The relative error is below 1e-13.
const (
	expSteps = 64
	toSteps  = expSteps / math.Ln2
	stepSize = math.Ln2 / expSteps
	// rounder plus a small number has the bits of rounder plus that number's nearest integer.
	rounder = 1<<52 + 1<<51
)

// pow2 has 2^(j/64), from square roots and products, which every processor rounds alike.
var pow2 = func() (t [expSteps]float64) {
	roots := [6]float64{}
	for i, r := 0, 2.0; i < len(roots); i++ {
		r = math.Sqrt(r)
		roots[i] = r
	}
	for j := range t {
		t[j] = 1
		for i, r := range roots {
			if j&(expSteps>>(i+1)) != 0 {
				t[j] *= r
			}
		}
	}
	return t
}()

// exp is e^x for x ≤ 0; 0 below -104, where float32 is 0.
func exp(x float32) float64 {
	if !(x > -104) {
		return 0
	}
	k := float64(float64(x)*toSteps) + rounder
	n := int64(math.Float64bits(k) - math.Float64bits(rounder))
	r := float64(x) - float64((k-rounder)*stepSize)
	p := 1 + float64(r*(1+float64(r*(0.5+float64(r*(1.0/6+float64(r*(1.0/24))))))))
	return math.Float64frombits(math.Float64bits(pow2[n&(expSteps-1)]*p) + uint64(n>>6)<<52)
}

// logSumExp is the logarithm of the sum of the exponentials of the logits.
func logSumExp(logits []float32) float64 {
	best := negInf
	for _, v := range logits {
		if v > best {
			best = v
		}
	}
	var sum float64
	for _, v := range logits {
		sum += exp(v - best)
	}
	return float64(best) + math.Log(sum)
}

func logprob(logit float32, lse float64) float32 { return float32(float64(logit) - lse) }

func prob(logit float32, lse float64) float64 { return math.Exp(float64(logit) - lse) }
