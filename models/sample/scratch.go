package sample

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// Scratch is the memory that picking a token needs. One serves any number of
// sequences, one after the other.
type Scratch struct {
	scores  []float32   // altered logits
	kept    []candidate // in order of id
	total   float64     // of their weights
	order   []candidate // a copy to be reordered
	leaders []candidate // of a Best, whose weights are not set
	heap    []float32
	places  []placed // as torch.sort has them, where ties ask for it
	ties    []int32
	top     []Candidate
	random  rand.ChaCha8
}

// candidate is a kept token.
type candidate struct {
	id     int32
	score  float32 // after temperature
	weight float32 // exp(score - highest): its probability but for a factor
}

// NewScratch makes a scratch for a vocabulary, the largest that it will see.
func NewScratch(vocab int) *Scratch {
	return &Scratch{scores: make([]float32, 0, vocab), kept: make([]candidate, 0, vocab)}
}

func (s *Scratch) copyOf(logits []float32) []float32 {
	s.scores = append(s.scores[:0], logits...)
	return s.scores
}

// draw is the kept token at u, in [0,1), of the cumulated weight.
func (s *Scratch) draw(u float64) int32 {
	at, last := u*s.total, int32(-1)
	var sum float64
	for i := range s.kept {
		c := &s.kept[i]
		if c.weight == 0 {
			continue
		}
		sum += float64(c.weight)
		if last = c.id; at < sum {
			break
		}
	}
	return last
}

// uniform is the random number in [0,1) of a step.
func (s *Scratch) uniform(seed, step uint64) float64 {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[0:], seed)
	binary.LittleEndian.PutUint64(key[8:], step)
	s.random.Seed(key)
	return float64(s.random.Uint64()>>11) * (1.0 / (1 << 53))
}

// best are the n most probable tokens by the model's logits.
func (s *Scratch) best(logits []float32, n int, lse float64) []Candidate {
	s.top = s.top[:0]
	if n = min(n, len(logits)); n == 0 {
		return s.top
	}
	least := negInf // the worst of s.top once that is full
	for id, v := range logits {
		if len(s.top) == n && !(v > least) {
			continue
		}
		at := len(s.top)
		for at > 0 && s.top[at-1].Logprob < v {
			at--
		}
		if len(s.top) == n {
			s.top = s.top[:n-1]
		}
		s.top = slices.Insert(s.top, at, Candidate{ID: int32(id), Logprob: v})
		least = s.top[len(s.top)-1].Logprob
	}
	for i := range s.top {
		s.top[i].Logprob = logprob(s.top[i].Logprob, lse)
	}
	return s.top
}
