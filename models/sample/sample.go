// Package sample picks tokens from logits as transformers does.
//
// The order is transformers': sequence bias and the penalties; presence and frequency
// penalties and the logit bias, which are OpenAI's; the other Rules and min_new_tokens;
// temperature; then what is kept: top_h, top_k (all ties of the k-th), top_p (of ties,
// those that torch.sort on a CPU puts last), min_p, typical_p, epsilon_cutoff and
// eta_cutoff. Scores are float32 as there, so the same ids are kept.
//
// A draw depends on the seed, the number of tokens drawn before it and the
// logits, and on nothing else: not on the batch, not on the platform. Its uniform
// number is the first 53 bits of ChaCha8 (math/rand/v2) keyed with the seed and
// that number, both as eight little-endian bytes, and zeros; the token is the
// first, by id, at which the cumulated weight of the kept ones exceeds it.
package sample

import (
	"errors"
	"math"
)

// ErrNaN is the class of errors for logits that no token can be picked from:
// NaN or +Inf among them, or every token ruled out.
var ErrNaN = errors.New("nan")

var (
	errNotFinite = &nanError{"the model gave logits that are not finite numbers"}
	errNoneLeft  = &nanError{"no token is left to pick from: every logit is -Inf"}
)

// nanError is made once, so that bad logits cost nothing.
type nanError struct{ text string }

func (e *nanError) Error() string        { return e.text }
func (e *nanError) Is(target error) bool { return target == ErrNaN }

// Params say how one sequence is sampled. They are taken as valid: the bounds
// are checked where they come from.
type Params struct {
	Temperature       float64 // 0 is greedy: the highest score, of ties the lowest id
	TopH              float64 // 0 keeps all; else at most 100 are kept
	TopK              int     // 0 keeps all
	TopP              float64 // 0 or 1 keeps all
	MinP              float64 // 0 keeps all
	TypicalP          float64 // 0 or 1 keeps all
	EpsilonCutoff     float64 // 0 keeps all
	EtaCutoff         float64 // 0 keeps all
	RepetitionPenalty float64 // over prompt and generated tokens; 0 or 1 is none
	PresencePenalty   float64 // taken off once from each token generated before
	FrequencyPenalty  float64 // taken off as many times as it was generated
	LogitBias         map[int32]float64
	NoRepeatNGramSize int // of prompt and text together; 0 is none
	Seed              uint64
	MinNewTokens      int     // EOS and StopIDs are ruled out until so many tokens were made,
	MinLength         int     // and until prompt and text have so many
	MaxNewTokens      int     // at which a forced end is due
	EOS               []int32 // the ids that end a text
	StopIDs           []int32 // more of them, which nothing makes likelier
	Rules             *Rules  // nil for none
	Logprobs          bool
	TopLogprobs       int // how many of the most probable tokens a Choice reports
}

// Choice is the token picked at one step. Logprob and Top are there when the
// params ask for them. They are what the model itself says, as OpenAI and vLLM
// report it: the log-softmax of its logits before any penalty, bias, temperature
// or filter. Top belongs to the scratch and is valid until its next use.
type Choice struct {
	ID      int32
	Logprob float32
	Top     []Candidate // the most probable, best first, of ties the lowest id first
}

// Candidate is a token and its log-probability.
type Candidate struct {
	ID      int32
	Logprob float32
}

// Sampler is the state of one sequence: what was generated so far and how far the
// random numbers are used. It is for one goroutine at a time.
type Sampler struct {
	params  Params
	greedy  bool
	alters  bool // scores differ from logits
	temp    float32
	topP    float32 // 1 - top_p, the mass that may go, as transformers compares it
	penalty float32
	vocab   int
	made    int
	seen    history
	rules   *Rules
	prompt  int     // its length
	context []int32 // prompt and text, where rules ask for them
}

// New starts a sequence after its prompt. vocab is the length of the logits to come.
func New(p Params, prompt []int32, vocab int) *Sampler {
	s := &Sampler{params: p, vocab: vocab, prompt: len(prompt), rules: p.Rules, temp: float32(p.Temperature),
		topP: float32(1 - p.TopP), penalty: float32(p.RepetitionPenalty)}
	s.greedy = s.temp <= 0
	repeats := p.RepetitionPenalty != 0 && p.RepetitionPenalty != 1
	if !repeats {
		s.penalty = 1
	}
	if repeats || p.PresencePenalty != 0 || p.FrequencyPenalty != 0 {
		s.seen.init()
		if repeats {
			for _, id := range prompt {
				s.seen.add(id, vocab, 0)
			}
		}
	}
	if p.looksBack() {
		s.context = append([]int32{}, prompt...) // not nil, though the prompt be empty
	}
	s.alters = s.seen.index != nil || len(p.LogitBias) > 0 || p.NoRepeatNGramSize > 0 || !s.rules.none()
	if s.rules == nil {
		s.rules = &Rules{}
	}
	return s
}

// Made is the number of tokens picked so far.
func (s *Sampler) Made() int { return s.made }

// Next picks the next token and counts it as generated. logits has one value for
// each token of the vocabulary and is only read. An error is of class ErrNaN.
func (s *Sampler) Next(scratch *Scratch, logits []float32) (Choice, error) {
	id, err := s.pick(scratch, logits)
	if err != nil {
		return Choice{}, err
	}
	c := Choice{ID: id}
	if s.params.Logprobs || s.params.TopLogprobs > 0 {
		lse := logSumExp(logits)
		c.Logprob = logprob(logits[id], lse)
		c.Top = scratch.best(logits, s.params.TopLogprobs, lse)
	}
	s.count(id)
	return c, nil
}

// count takes a step with the token that was picked.
func (s *Sampler) count(id int32) {
	s.made++
	if s.seen.index != nil {
		s.seen.add(id, s.vocab, 1)
	}
	if s.context != nil {
		s.context = append(s.context, id)
	}
}

func (s *Sampler) pick(scratch *Scratch, logits []float32) (int32, error) {
	scores := s.scores(scratch, logits)
	top, err := argmax(scores)
	if err != nil || s.greedy {
		return top, err
	}
	s.keep(scratch, scores, top)
	return scratch.draw(scratch.uniform(s.params.Seed, uint64(s.made))), nil
}

// scores are the logits after penalties, biases and rules; the logits themselves where nothing changes them.
func (s *Sampler) scores(scratch *Scratch, logits []float32) []float32 {
	if !s.alters && !s.early() {
		return logits
	}
	scores := scratch.copyOf(logits)
	s.bias(scores)
	s.favourPrompt(scores)
	s.penalize(scores)
	s.apply(scores)
	return scores
}

// penalize takes off what tokens that came before are penalized by, and adds the logit bias.
func (s *Sampler) penalize(scores []float32) {
	presence, frequency := float32(s.params.PresencePenalty), float32(s.params.FrequencyPenalty)
	for _, t := range s.seen.tokens {
		v := scores[t.id]
		switch {
		case s.penalty == 1:
		case v < 0:
			v = float32(v * s.penalty)
		default:
			v /= s.penalty
		}
		if t.count > 0 {
			v -= presence
			v -= float32(frequency * float32(t.count))
		}
		scores[t.id] = v
	}
	for id, bias := range s.params.LogitBias {
		if id >= 0 && int(id) < len(scores) {
			scores[id] += float32(bias)
		}
	}
}

var negInf = float32(math.Inf(-1))
