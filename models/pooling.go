package models

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Poolings that textmill computes. Several of one token's length make one vector where PoolJoint stands between them.
const (
	PoolMean     = "mean"          // sum of the token vectors divided by their number
	PoolCLS      = "cls"           // the first token's vector
	PoolLast     = "last"          // the last token's vector
	PoolMax      = "max"           // the greatest value of each dimension
	PoolMeanSqrt = "mean_sqrt_len" // sum of the token vectors divided by the square root of their number
	PoolWeighted = "weightedmean"  // mean of the token vectors, each weighted by its place, from 1 on
	PoolNone     = "none"          // every token's vector

	PoolJoint = "+"
)

// sentencePoolings are sentence-transformers' names for them, in the order in which flags of files of before count.
var sentencePoolings = []struct{ flag, mode, own string }{
	{"pooling_mode_cls_token", "cls", PoolCLS},
	{"pooling_mode_max_tokens", "max", PoolMax},
	{"pooling_mode_mean_tokens", "mean", PoolMean},
	{"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", PoolMeanSqrt},
	{"pooling_mode_weightedmean_tokens", "weightedmean", PoolWeighted},
	{"pooling_mode_lasttoken", "lasttoken", PoolLast},
}

// Poolings lists the names of single ones, PoolNone last.
func Poolings() []string {
	return []string{PoolMean, PoolCLS, PoolLast, PoolMax, PoolMeanSqrt, PoolWeighted, PoolNone}
}

// poolingConfig is the pooling module's config.json.
type poolingConfig struct {
	Dimension     int             `json:"word_embedding_dimension"`
	EmbeddingDim  int             `json:"embedding_dimension"`
	Mode          json.RawMessage `json:"pooling_mode"` // a name or several; files of before have flags
	IncludePrompt *bool           `json:"include_prompt"`
	flags         map[string]json.RawMessage
}

// modes are our names of what the file asks for.
func (p poolingConfig) modes() ([]string, error) {
	if len(p.Mode) > 0 {
		return namedModes(p.Mode)
	}
	var modes []string
	known := map[string]bool{}
	for _, s := range sentencePoolings {
		known[s.flag] = true
		raw, ok := p.flags[s.flag]
		if !ok {
			continue
		}
		var on bool
		if err := json.Unmarshal(raw, &on); err != nil {
			return nil, fmt.Errorf("%s: %w", s.flag, err)
		}
		if on {
			modes = append(modes, s.own)
		}
	}
	for flag, raw := range p.flags {
		if strings.HasPrefix(flag, "pooling_mode_") && !known[flag] && string(raw) == "true" {
			return nil, fmt.Errorf("%s is no pooling that sentence-transformers knows", flag)
		}
	}
	if len(modes) == 0 {
		modes = []string{PoolMean}
	}
	return modes, nil
}

func namedModes(raw json.RawMessage) ([]string, error) {
	var names []string
	var one string
	if err := json.Unmarshal(raw, &one); err == nil {
		names = []string{one}
	} else if err := json.Unmarshal(raw, &names); err != nil || len(names) == 0 {
		return nil, fmt.Errorf("pooling_mode is %s, neither a name nor a list of names", raw)
	}
	modes := make([]string, len(names))
	for i, name := range names {
		if modes[i] = PoolNone; name == PoolNone { // ours alone, of GGUF files that say so
			continue
		}
		at := slices.IndexFunc(sentencePoolings, func(s struct{ flag, mode, own string }) bool { return s.mode == name })
		if at < 0 {
			return nil, fmt.Errorf("pooling_mode is %q; textmill knows cls, max, mean, mean_sqrt_len_tokens, weightedmean, "+
				"lasttoken and none", name)
		}
		modes[i] = sentencePoolings[at].own
	}
	return modes, nil
}

// DimOf is how long vectors of a pooling are, each token's for PoolNone, or why the model cannot pool so.
func (s *Spec) DimOf(pooling string) (int, error) {
	if pooling == PoolNone || s.PooledInGraph {
		return s.Hidden, nil
	}
	dim := 0
	for mode := range strings.SplitSeq(pooling, PoolJoint) {
		if mode == PoolNone || !slices.Contains(Poolings(), mode) {
			return 0, fmt.Errorf("pooling %q is none of %s, and no two or more of the others with %s between", pooling,
				strings.Join(Poolings(), ", "), PoolJoint)
		}
		dim += s.Hidden
	}
	for _, step := range s.Steps {
		if step.In != 0 && step.In != dim {
			return 0, fmt.Errorf("pooling %q: %d values come to the module %s of %s, which takes %d", pooling, dim, step.Kind, s.Name,
				step.In)
		}
		if step.Out != 0 {
			dim = step.Out
		}
	}
	return dim, nil
}

// CheckPooling tells whether the model can pool in that way; "" is its own.
func (s *Spec) CheckPooling(name string) error {
	if name == "" || name == s.Pooling {
		return nil
	}
	if s.PooledInGraph {
		return fmt.Errorf("pooling %q: %s pools inside its graph and can do no other", name, s.Name)
	}
	_, err := s.DimOf(name)
	return err
}
