package sample

import (
	"math"
	"slices"
)

// Rules are what a model's configuration asks of its texts beside Params: transformers' logits processors of these
// names, in its order. The zero value asks for nothing. Samplers only read them, so that any number may share them.
type Rules struct {
	SequenceBias             []Bias
	EncoderRepetitionPenalty float64 // favours the prompt's tokens where it is above 1; 0 or 1 is none
	EncoderNoRepeatNGramSize int     // n-grams of the prompt are not repeated; 0 is none
	BadWords                 [][]int32
	ForcedBOS                []int32 // at most one, the first token after a prompt of one token
	ForcedEOS                []int32 // one of these is the last token, if a text gets so far
	RemoveInvalidValues      bool    // what is no finite number becomes one
	DecayStart               int     // after so many tokens the ends become likelier,
	DecayFactor              float64 // by this factor a token; 0 is none
	Suppress, BeginSuppress  []int32 // never, and not as the first token
}

// A Bias is added to the last of its tokens where the others stand before it.
type Bias struct {
	IDs   []int32
	Value float64
}

// none tells whether nothing is asked for.
func (r *Rules) none() bool {
	return r == nil || len(r.SequenceBias) == 0 && (r.EncoderRepetitionPenalty == 0 || r.EncoderRepetitionPenalty == 1) &&
		r.EncoderNoRepeatNGramSize == 0 && len(r.BadWords) == 0 && len(r.ForcedBOS) == 0 && len(r.ForcedEOS) == 0 &&
		!r.RemoveInvalidValues && r.DecayFactor == 0 && len(r.Suppress) == 0 && len(r.BeginSuppress) == 0
}

// looksBack tells whether a step needs the tokens before it.
func (p *Params) looksBack() bool {
	return p.NoRepeatNGramSize > 0 || p.Rules != nil &&
		(len(p.Rules.SequenceBias) > 0 || len(p.Rules.BadWords) > 0 || p.Rules.EncoderNoRepeatNGramSize > 0 ||
			p.Rules.EncoderRepetitionPenalty != 0)
}

// ruleOut makes a token impossible. One that is no number stays, to be reported, unless such are mended.
func (s *Sampler) ruleOut(scores []float32, ids ...int32) {
	for _, id := range ids {
		if id >= 0 && int(id) < len(scores) && (scores[id] == scores[id] || s.rules.RemoveInvalidValues) {
			scores[id] = negInf
		}
	}
}

// bias adds what sequences of tokens are biased by: first each token's own, then by the lengths of what must stand
// before.
func (s *Sampler) bias(scores []float32) {
	if len(s.rules.SequenceBias) == 0 {
		return
	}
	sum := map[int32]float32{}
	var lengths []int
	for _, b := range s.rules.SequenceBias {
		if n := len(b.IDs); n == 1 {
			sum[b.IDs[0]] = float32(b.Value)
		} else if !slices.Contains(lengths, n) {
			lengths = append(lengths, n)
		}
	}
	for _, n := range lengths {
		for _, b := range s.rules.SequenceBias {
			if len(b.IDs) == n && endsWith(s.context, b.IDs[:n-1]) {
				sum[b.IDs[n-1]] += float32(b.Value)
			}
		}
	}
	for id, v := range sum {
		if int(id) < len(scores) {
			scores[id] += v
		}
	}
}

func endsWith(tokens, end []int32) bool {
	return len(tokens) >= len(end) && slices.Equal(tokens[len(tokens)-len(end):], end)
}

// favourPrompt divides what the prompt's tokens would be penalized by.
func (s *Sampler) favourPrompt(scores []float32) {
	p := s.rules.EncoderRepetitionPenalty
	if p == 0 || p == 1 {
		return
	}
	penalty := float32(1 / p)
	done := map[int32]bool{}
	for _, id := range s.context[:s.prompt] {
		if id < 0 || int(id) >= len(scores) || done[id] {
			continue
		}
		done[id] = true
		if scores[id] < 0 {
			scores[id] = float32(scores[id] * penalty)
		} else {
			scores[id] /= penalty
		}
	}
}

// banRepeats rules out what would repeat n tokens in a row that stand among those given.
func (s *Sampler) banRepeats(scores []float32, among []int32, n int) {
	if n <= 0 || len(s.context) < n-1 {
		return
	}
	last := s.context[len(s.context)-(n-1):]
	for i := 0; i+n <= len(among); i++ {
		if slices.Equal(among[i:i+n-1], last) {
			s.ruleOut(scores, among[i+n-1])
		}
	}
}

func (s *Sampler) banWords(scores []float32) {
	for _, word := range s.rules.BadWords {
		if n := len(word); n > 0 && int(word[n-1]) < len(scores) && endsWith(s.context, word[:n-1]) {
			scores[word[n-1]] += negInf
		}
	}
}

// force leaves one of the ids, each as likely.
func force(scores []float32, ids []int32) {
	for i := range scores {
		scores[i] = negInf
	}
	for _, id := range ids {
		if int(id) < len(scores) {
			scores[id] = 0
		}
	}
}

// mend makes finite numbers of all scores, as remove_invalid_values asks.
func mend(scores []float32) {
	for i, v := range scores {
		switch {
		case v != v:
			scores[i] = 0
		case math.IsInf(float64(v), 1):
			scores[i] = math.MaxFloat32
		case math.IsInf(float64(v), -1):
			scores[i] = -math.MaxFloat32
		}
	}
}

// decay makes the ends likelier the longer the text is.
func (s *Sampler) decay(scores []float32) {
	r := s.rules
	if r.DecayFactor == 0 || s.made <= r.DecayStart {
		return
	}
	factor := float32(math.Pow(r.DecayFactor, float64(s.made-r.DecayStart)) - 1)
	for _, id := range s.params.EOS {
		if id < 0 || int(id) >= len(scores) || math.IsInf(float64(scores[id]), 0) {
			continue
		}
		v := scores[id]
		raised := v + float32(float32(math.Abs(float64(v)))*factor)
		if math.IsInf(float64(raised), 0) { // the end all the same
			raised = float32(math.Copysign(math.MaxFloat32, float64(raised)))
		}
		scores[id] = raised
	}
}

// early tells whether it is too early for an end.
func (s *Sampler) early() bool {
	p := &s.params
	return (s.made < p.MinNewTokens || s.prompt+s.made < p.MinLength) && len(p.EOS)+len(p.StopIDs) > 0
}

// apply does what comes after penalties and biases.
func (s *Sampler) apply(scores []float32) {
	r := s.rules
	if n := s.params.NoRepeatNGramSize; len(s.context) >= n {
		s.banRepeats(scores, s.context, n)
	}
	if r.EncoderNoRepeatNGramSize > 0 {
		s.banRepeats(scores, s.context[:s.prompt], r.EncoderNoRepeatNGramSize)
	}
	s.banWords(scores)
	if s.early() {
		s.ruleOut(scores, s.params.EOS...)
		s.ruleOut(scores, s.params.StopIDs...)
	}
	if len(r.ForcedBOS) > 0 && s.prompt+s.made == 1 {
		force(scores, r.ForcedBOS)
	}
	if len(r.ForcedEOS) > 0 && s.made == s.params.MaxNewTokens-1 {
		force(scores, r.ForcedEOS)
	}
	if r.RemoveInvalidValues {
		mend(scores)
	}
	s.decay(scores)
	s.ruleOut(scores, r.Suppress...)
	first := 0
	if len(r.ForcedBOS) > 0 && s.prompt <= 1 {
		first = 1
	}
	if s.made == first {
		s.ruleOut(scores, r.BeginSuppress...)
	}
}
