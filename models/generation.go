package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"textmill/models/sample"
)

// GenerationName is the file that says how a model's texts are made where a request leaves it open.
const GenerationName = "generation_config.json"

// Generation is what generation_config.json, or else config.json, says about texts that the model makes. What is nil
// or zero is not said.
type Generation struct {
	EOS                        []int32 // ids that end a text
	MaxNewTokens, MaxLength    int     // MaxLength counts the prompt too
	MinNewTokens               *int
	MinLength                  int
	Stop                       []string
	DoSample                   bool
	Temperature                *float64
	TopK                       *int
	TopP, MinP, TypicalP, TopH *float64
	EpsilonCutoff, EtaCutoff   *float64
	RepetitionPenalty          float64
	NoRepeatNGramSize          int
	Rules                      sample.Rules
	// Set are the keys that are honoured, with their values, sorted by name.
	Set []Setting
	// Notes say of the other keys what comes of them.
	Notes []string
}

// A Setting is a key of the file and its value in JSON.
type Setting struct {
	Key   string
	Value json.RawMessage
}

// String is the setting as a line shows it, a long value cut.
func (s Setting) String() string { return s.Key + " " + shorten(s.Value) }

// generationKeys are the keys that are honoured, and where each goes.
var generationKeys = map[string]func(*Generation) any{
	"eos_token_id":                     func(g *Generation) any { return (*ids)(&g.EOS) },
	"max_new_tokens":                   func(g *Generation) any { return &g.MaxNewTokens },
	"max_length":                       func(g *Generation) any { return &g.MaxLength },
	"min_new_tokens":                   func(g *Generation) any { return &g.MinNewTokens },
	"min_length":                       func(g *Generation) any { return &g.MinLength },
	"stop_strings":                     func(g *Generation) any { return (*texts)(&g.Stop) },
	"do_sample":                        func(g *Generation) any { return &g.DoSample },
	"temperature":                      func(g *Generation) any { return &g.Temperature },
	"top_k":                            func(g *Generation) any { return &g.TopK },
	"top_p":                            func(g *Generation) any { return &g.TopP },
	"min_p":                            func(g *Generation) any { return &g.MinP },
	"top_h":                            func(g *Generation) any { return &g.TopH },
	"typical_p":                        func(g *Generation) any { return &g.TypicalP },
	"epsilon_cutoff":                   func(g *Generation) any { return &g.EpsilonCutoff },
	"eta_cutoff":                       func(g *Generation) any { return &g.EtaCutoff },
	"repetition_penalty":               func(g *Generation) any { return &g.RepetitionPenalty },
	"no_repeat_ngram_size":             func(g *Generation) any { return &g.NoRepeatNGramSize },
	"encoder_repetition_penalty":       func(g *Generation) any { return &g.Rules.EncoderRepetitionPenalty },
	"encoder_no_repeat_ngram_size":     func(g *Generation) any { return &g.Rules.EncoderNoRepeatNGramSize },
	"bad_words_ids":                    func(g *Generation) any { return &g.Rules.BadWords },
	"sequence_bias":                    func(g *Generation) any { return (*biases)(&g.Rules.SequenceBias) },
	"forced_bos_token_id":              func(g *Generation) any { return (*ids)(&g.Rules.ForcedBOS) },
	"forced_eos_token_id":              func(g *Generation) any { return (*ids)(&g.Rules.ForcedEOS) },
	"remove_invalid_values":            func(g *Generation) any { return &g.Rules.RemoveInvalidValues },
	"suppress_tokens":                  func(g *Generation) any { return &g.Rules.Suppress },
	"begin_suppress_tokens":            func(g *Generation) any { return &g.Rules.BeginSuppress },
	"exponential_decay_length_penalty": func(g *Generation) any { return (*decay)(&g.Rules) },
}

// texts are one string or a list of them.
type texts []string

func (l *texts) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = texts{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

// biases are pairs of a list of ids and a number.
type biases []sample.Bias

func (l *biases) UnmarshalJSON(data []byte) error {
	var pairs [][]json.RawMessage
	if err := json.Unmarshal(data, &pairs); err != nil {
		return err
	}
	for _, p := range pairs {
		var b sample.Bias
		if len(p) != 2 {
			return errors.New("each element is a list of token IDs and a number")
		}
		if err := errors.Join(json.Unmarshal(p[0], &b.IDs), json.Unmarshal(p[1], &b.Value)); err != nil {
			return err
		}
		*l = append(*l, b)
	}
	return nil
}

// decay is a pair of the length that it begins at and a factor.
type decay sample.Rules

func (d *decay) UnmarshalJSON(data []byte) error {
	var pair []float64
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 || pair[0] != float64(int32(pair[0])) || pair[1] <= 0 {
		return errors.New("it is a whole number and a factor above 0")
	}
	d.DecayStart, d.DecayFactor = int(pair[0]), pair[1]
	return nil
}

// ParseGeneration reads generation_config.json, or from config.json what older models keep there. vocab is how many
// ids there are.
func ParseGeneration(name string, data []byte, vocab int) (Generation, error) {
	var g Generation
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return g, fmt.Errorf("%w: read %s: %w", ErrBundle, name, err)
	}
	for key, value := range keys {
		if string(value) == "null" {
			continue
		}
		into, ok := generationKeys[key]
		if !ok {
			g.judge(name, key, value)
			continue
		}
		if err := json.Unmarshal(value, into(&g)); err != nil {
			return g, fmt.Errorf("%w: %s: %s is %s: %w", ErrBundle, name, key, shorten(value), err)
		}
		g.Set = append(g.Set, Setting{key, value})
	}
	slices.SortFunc(g.Set, func(a, b Setting) int { return strings.Compare(a.Key, b.Key) })
	slices.Sort(g.Notes)
	// The end of a text may not be a bad word.
	g.Rules.BadWords = slices.DeleteFunc(g.Rules.BadWords, func(w []int32) bool {
		return len(w) == 1 &&
			slices.Contains(g.EOS, w[0])
	})
	if err := g.check(vocab); err != nil {
		return g, fmt.Errorf("%w: %s: %w", ErrBundle, name, err)
	}
	return g, nil
}

// check holds what the file says to the bounds that params have, and ids to those of the model.
func (g *Generation) check(vocab int) error {
	number := func(p *float64) float64 {
		if p == nil {
			return 0
		}
		return *p
	}
	count := func(p *int) float64 {
		if p == nil {
			return 0
		}
		return float64(*p)
	}
	for _, p := range []struct {
		name    string
		x, most float64
	}{
		{"temperature", number(g.Temperature), 100}, {"top_k", count(g.TopK), 1 << 30}, {"top_p", number(g.TopP), 1},
		{"min_p", number(g.MinP), 1},
		{"top_h", number(g.TopH), 1}, {"typical_p", number(g.TypicalP), 1}, {"epsilon_cutoff", number(g.EpsilonCutoff), 1},
		{"eta_cutoff", number(g.EtaCutoff), 1},
		{"repetition_penalty", g.RepetitionPenalty, 100}, {"encoder_repetition_penalty", g.Rules.EncoderRepetitionPenalty,
			100},
		{"no_repeat_ngram_size", float64(g.NoRepeatNGramSize), 1 << 30},
		{"encoder_no_repeat_ngram_size", float64(g.Rules.EncoderNoRepeatNGramSize), 1 << 30},
		{"min_new_tokens", count(g.MinNewTokens), 1 << 30}, {"min_length", float64(g.MinLength), 1 << 30},
		{"max_new_tokens", float64(g.MaxNewTokens), 1 << 30}, {"max_length", float64(g.MaxLength), 1 << 30},
	} {
		if p.x < 0 || p.x > p.most {
			return fmt.Errorf("%s is %v; it can be 0 to %v", p.name, p.x, p.most)
		}
	}
	for name, p := range map[string]*float64{"top_h": g.TopH, "typical_p": g.TypicalP} {
		if p != nil && *p == 0 {
			return fmt.Errorf("%s is 0, which keeps nothing", name)
		}
	}
	if slices.Contains(g.Stop, "") {
		return errors.New("stop_strings has an empty string")
	}
	return g.checkIDs(vocab)
}

func (g *Generation) checkIDs(vocab int) error {
	check := func(name string, ids []int32) error {
		for _, id := range ids {
			if id < 0 || int(id) >= vocab {
				return fmt.Errorf("%s has the token ID %d; the model has 0 to %d", name, id, vocab-1)
			}
		}
		return nil
	}
	r := &g.Rules
	err := errors.Join(check("forced_bos_token_id", r.ForcedBOS), check("forced_eos_token_id", r.ForcedEOS))
	for _, w := range r.BadWords {
		err = errors.Join(err, check("bad_words_ids", w))
	}
	for _, b := range r.SequenceBias {
		if len(b.IDs) == 0 {
			err = errors.Join(err, errors.New("sequence_bias has an element without token IDs"))
		}
		err = errors.Join(err, check("sequence_bias", b.IDs))
	}
	if len(r.ForcedBOS) > 1 {
		err = errors.Join(err, errors.New("forced_bos_token_id is one token ID"))
	}
	for name, forced := range map[string][]int32{"forced_bos_token_id": r.ForcedBOS, "forced_eos_token_id": r.ForcedEOS} {
		if len(forced) > 0 && !slices.ContainsFunc(forced, func(id int32) bool { return !slices.Contains(r.Suppress, id) }) {
			err = errors.Join(err, fmt.Errorf("%s is forced, and suppress_tokens rules it out", name))
		}
	}
	return err
}

// shorten is a value as a line shows it.
func shorten(value []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(value), "?")), " ")
	if r := []rune(text); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return text
}
