package sample

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Over 20,000 draws the frequencies are those of the distribution: chi-square with 19 degrees of freedom is below 50.8
// but once in 10,000 times, and the seeds are fixed.
func TestFrequencies(t *testing.T) {
	const draws, tokens, limit = 20_000, 20, 50.8
	logits := make([]float32, tokens)
	for i := range logits {
		logits[i] = float32(math.Log(float64(i + 1)))
	}
	scratch := NewScratch(tokens)
	chi := func(next func(i int) int32, probs []float64) float64 {
		counts := make([]int, tokens)
		for i := range draws {
			counts[next(i)]++
		}
		var x float64
		for i, p := range probs {
			want := p * draws
			x += (float64(counts[i]) - want) * (float64(counts[i]) - want) / want
		}
		return x
	}
	probs := make([]float64, tokens)
	for i := range probs {
		probs[i] = float64(i+1) / (tokens * (tokens + 1) / 2)
	}
	for seed := range uint64(3) {
		one := New(Params{Temperature: 1, Seed: seed}, nil, tokens)
		if x := chi(func(int) int32 { return pick(t, one, scratch, logits) }, probs); x > limit {
			t.Errorf("seed %d, one sequence: chi-square %.1f", seed, x)
		}
	}
	// The first token of 20,000 sequences, whose seeds follow on each other.
	if x := chi(func(i int) int32 {
		return pick(t, New(Params{Temperature: 1, Seed: uint64(i)}, nil, tokens), scratch, logits)
	}, probs); x > limit {
		t.Errorf("many sequences: chi-square %.1f", x)
	}
	// And with filters at work: logits of 100 tokens, of which these 20 are kept.
	wide := slices.Concat(make([]float32, 80), logits)
	for i := range wide[:80] {
		wide[i] = -20
	}
	filtered := New(Params{Temperature: 1, TopK: 20, TopP: 0.9999, Seed: 3}, nil, len(wide))
	if x := chi(func(int) int32 { return pick(t, filtered, scratch, wide) - 80 }, probs); x > limit {
		t.Errorf("with filters: chi-square %.1f", x)
	}
}

// sortedEdge does with a sort what edge does without.
func sortedEdge(s *Scratch, gone float32) candidate {
	all := slices.SortedFunc(slices.Values(s.kept), compareAscending)
	sum := s.sum()
	var mass float64
	for _, c := range all {
		if mass += float64(c.weight / sum); float32(mass) > gone {
			return c
		}
	}
	return all[len(all)-1]
}

func TestSelectionEqualsSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	s := NewScratch(0)
	for range 3000 {
		n := 1 + rng.IntN(600)
		scores := make([]float32, n)
		spread, grain := rng.Float64()*8, 1/float64(1+rng.IntN(50))
		for i := range scores {
			scores[i] = float32(math.Round(rng.NormFloat64()*spread/grain) * grain)
		}
		if rng.IntN(4) == 0 {
			slices.Sort(scores)
		}
		for _, k := range []int{1, 1 + rng.IntN(n)} {
			desc := slices.SortedFunc(slices.Values(scores), func(a, b float32) int { return -cmp.Compare(a, b) })
			if k < n {
				if got := s.kth(scores, k); got != desc[k-1] {
					t.Fatalf("of %d scores number %d is %v, want %v", n, k, got, desc[k-1])
				}
			}
			if got := nth(slices.Clone(scores), n-k); got != desc[k-1] {
				t.Fatalf("nth: of %d scores number %d is %v, want %v", n, k, got, desc[k-1])
			}
		}
		s.collect(scores, negInf, 1, slices.Max(scores), negInf)
		for _, p := range []float64{rng.Float64(), 0.9, 0.001, 0.9999} {
			if got, want := s.edge(float32(1-p)), sortedEdge(s, float32(1-p)); got != want {
				t.Fatalf("top_p %v of %d: the lowest kept is %v, want %v", p, n, got, want)
			}
		}
	}
}

// FuzzNext: whatever the logits and params, a token of the kept set is picked or the error is of class ErrNaN.
func FuzzNext(f *testing.F) {
	f.Add([]byte{0, 0, 128, 63, 0, 0, 0, 64}, 1.0, 1, 0.5, 0.1, 0.9, 0.01, 1.1, uint64(1))
	f.Add([]byte{0, 0, 192, 127, 0, 0, 0, 64}, 0.0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, uint64(1))
	f.Add([]byte{255, 255, 127, 127, 255, 255, 127, 255, 0, 0, 128, 255}, 1e-30, 2, 1e-9, 1.0, 1e-9, 1.0, 0.001, uint64(0))
	f.Fuzz(func(t *testing.T, raw []byte, temperature float64, topK int, topP, minP, typical, epsilon, repetition float64, seed uint64) {
		bounded := func(v, least, most float64) float64 {
			if v != v {
				return least
			}
			return min(max(v, least), most)
		}
		logits := make([]float32, len(raw)/4)
		for i := range logits {
			logits[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		p := Params{Temperature: bounded(temperature, 0, 100), TopK: max(topK, 0), TopP: bounded(topP, 0, 1), MinP: bounded(minP, 0, 1),
			TypicalP: bounded(typical, 0, 1), EpsilonCutoff: bounded(epsilon, 0, 1), RepetitionPenalty: bounded(repetition, 1e-3, 100),
			PresencePenalty: 0.5, LogitBias: map[int32]float64{0: 1}, Seed: seed, TopLogprobs: 3}
		s, scratch := New(p, []int32{0}, len(logits)), NewScratch(len(logits))
		for range 3 {
			kept, err := s.Distribution(scratch, logits)
			c, nextErr := s.Next(scratch, logits)
			if (err == nil) != (nextErr == nil) || err != nil && !isNaN(err) {
				t.Fatalf("errors %v and %v", err, nextErr)
			}
			if err != nil {
				return
			}
			if !slices.ContainsFunc(kept, func(k Kept) bool { return k.ID == c.ID && k.Prob > 0 }) {
				t.Fatalf("token %d is not among %v", c.ID, kept)
			}
		}
	})
}
