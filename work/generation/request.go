package generation

import (
	"fmt"
	"math"

	"textmill/jobs"
	"textmill/models/generate"
	"textmill/models/sample"
)

// defaultNewTokens is how long a text may become when neither params nor model say.
const defaultNewTokens = 256

// defaultTopK is transformers', which holds for sampling wherever nothing else is said.
const defaultTopK = 50

// request is what params ask of the model for a prompt of so many tokens. What they leave open is the model's own, and
// what its generation_config.json leaves open is transformers' default, as generate() merges them. A temperature above
// 0 turns sampling on.
func (e *Engine) request(p jobs.GenerateParams, prompt int) (generate.Params, error) {
	own, vocab := &e.o.Spec.Generation, e.o.Spec.Decoder.VocabSize
	out := generate.Params{
		Params: sample.Params{
			TopK: or(defaultTopK, p.TopK, own.TopK), TopP: or(1, p.TopP, own.TopP), MinP: or(0, p.MinP, own.MinP),
			TopH:     or(0, own.TopH),
			TypicalP: or(1, p.TypicalP, own.TypicalP), EpsilonCutoff: or(0, p.EpsilonCutoff, own.EpsilonCutoff),
			EtaCutoff:         or(0, own.EtaCutoff),
			RepetitionPenalty: or(own.RepetitionPenalty, p.RepetitionPenalty), NoRepeatNGramSize: or(own.NoRepeatNGramSize,
				p.NoRepeatNGramSize),
			PresencePenalty: p.PresencePenalty, FrequencyPenalty: p.FrequencyPenalty, LogitBias: p.LogitBias,
			MinNewTokens: or(0, p.MinNewTokens, own.MinNewTokens), Rules: &own.Rules,
			Logprobs: p.Logprobs || p.TopLogprobs > 0, TopLogprobs: p.TopLogprobs,
		},
		Stop: own.Stop, StopIDs: p.StopTokenIDs, IgnoreEOS: p.IgnoreEOS,
	}
	if out.TopP == 0 { // of the file: the likeliest token alone
		out.TopP = math.SmallestNonzeroFloat64
	}
	if p.Stop != nil {
		out.Stop = p.Stop
	}
	samples := own.DoSample
	if p.Temperature != nil {
		samples = *p.Temperature > 0
	}
	if or(samples, p.DoSample) {
		out.Temperature = or(1, p.Temperature, own.Temperature)
	}
	if p.MinNewTokens == nil && own.MinNewTokens == nil {
		out.MinLength = own.MinLength
	}
	for id := range p.LogitBias {
		if int(id) >= vocab {
			return out, fmt.Errorf("logit_bias: token id %d; model %s has ids 0 to %d", id, e.o.Spec.Name, vocab-1)
		}
	}
	switch {
	case p.MaxNewTokens > 0:
		out.MaxNewTokens = p.MaxNewTokens
	case own.MaxNewTokens > 0:
		out.MaxNewTokens = own.MaxNewTokens
	case own.MaxLength > 0:
		if out.MaxNewTokens = own.MaxLength - prompt; out.MaxNewTokens < 1 {
			return out, &jobs.RecordError{Class: jobs.NoRoom,
				Message: fmt.Sprintf("the prompt has %d tokens, and the model's generation_config.json "+
					"lets prompt and text have %d together (max_length); shorten it, or give max_new_tokens", prompt, own.MaxLength)}
		}
	default:
		out.MaxNewTokens = max(defaultNewTokens, out.MinNewTokens, out.MinLength-prompt)
	}
	if l := e.o.Limits; l != nil && l.MaxNewTokens > 0 { // of what nobody asked for
		out.MaxNewTokens = min(out.MaxNewTokens, l.MaxNewTokens)
	}
	return out, nil
}

// or is the first of the values that is there, or else otherwise.
func or[T any](otherwise T, values ...*T) T {
	for _, v := range values {
		if v != nil {
			return *v
		}
	}
	return otherwise
}
