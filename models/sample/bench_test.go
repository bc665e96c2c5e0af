package sample

import (
	"errors"
	"math/rand/v2"
	"testing"
)

func isNaN(err error) bool { return errors.Is(err, ErrNaN) }

// like makes logits of a larger vocabulary that are spread as a real model's are.
func like(real []float32, vocab int) []float32 {
	rng := rand.New(rand.NewPCG(1, 1))
	out := make([]float32, vocab)
	for i := range out {
		out[i] = real[rng.IntN(len(real))] + float32(rng.NormFloat64())*0.01
	}
	return out
}

func BenchmarkNext(b *testing.B) {
	_, all := readGolden(b)
	for _, v := range []struct {
		name   string
		logits []float32
	}{{"49k", all["logits_real_gravity_0.json"]}, {"256k", like(all["logits_real_gravity_0.json"], 256_000)}, {"flat20k", all["logits_wide_normal_20000.json"]}} {
		for _, c := range []struct {
			name string
			p    Params
		}{
			{"greedy", Params{}},
			{"greedy+repetition", Params{RepetitionPenalty: 1.1}},
			{"temperature", Params{Temperature: 1}},
			{"top_k50", Params{Temperature: 0.8, TopK: 50}},
			{"top_p0.95", Params{Temperature: 0.8, TopP: 0.95}},
			{"top_k50+top_p0.95", Params{Temperature: 0.8, TopK: 50, TopP: 0.95}},
			{"min_p0.05", Params{Temperature: 0.8, MinP: 0.05}},
			{"greedy+logprobs5", Params{Logprobs: true, TopLogprobs: 5}},
		} {
			b.Run(v.name+"/"+c.name, func(b *testing.B) {
				scratch := NewScratch(len(v.logits))
				s := New(c.p, nil, len(v.logits))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := s.Next(scratch, v.logits); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
