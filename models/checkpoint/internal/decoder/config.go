// Package decoder builds the graph of a Llama-shaped text generator from a checkpoint.
package decoder

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ErrUnsupported is the class of architectures, and of settings of known ones, that cannot be built.
var ErrUnsupported = errors.New("the model cannot be imported")

// A family is how an architecture differs from Llama where config.json does not say it.
type family struct {
	qkvBias bool // q, k and v have biases, o has none
	qkNorm  bool // q and k are normalized per head before they are rotated
	window  bool // sliding_window counts without use_sliding_window
	// bidirectional tells that tokens see those behind them too; such a family embeds and generates nothing.
	bidirectional bool
}

// families are the architectures that can be built, as config.json names them.
var families = map[string]family{
	"LlamaForCausalLM":   {},
	"MistralForCausalLM": {window: true},
	"Qwen2ForCausalLM":   {qkvBias: true},
	"Qwen3ForCausalLM":   {qkNorm: true},
	"SmolLM3ForCausalLM": {},
}

// embedders are the decoders that can be built to embed, by model_type: whichever head a checkpoint has is left out.
var embedders = map[string]family{
	"llama":    families["LlamaForCausalLM"],
	"mistral":  families["MistralForCausalLM"],
	"qwen2":    families["Qwen2ForCausalLM"],
	"qwen3":    families["Qwen3ForCausalLM"],
	"eurobert": {bidirectional: true},
}

// Embeds tells whether models of the model_type can be built to embed.
func Embeds(modelType string) bool {
	_, ok := embedders[modelType]
	return ok
}

// Embedders lists the model types that can be built to embed.
func Embedders() []string { return slices.Sorted(maps.Keys(embedders)) }

// Supports tells whether the architecture is one of those that this package builds.
func Supports(architecture string) bool {
	_, ok := families[architecture]
	return ok
}

// Architectures lists what can be built.
func Architectures() []string { return slices.Sorted(maps.Keys(families)) }

// A Config is what config.json says, in Hugging Face's words.
type Config struct {
	Architectures  []string   `json:"architectures"`
	ModelType      string     `json:"model_type"`
	Causal         *bool      `json:"is_causal"`
	HiddenSize     int        `json:"hidden_size"`
	Layers         int        `json:"num_hidden_layers"`
	Heads          int        `json:"num_attention_heads"`
	KVHeads        int        `json:"num_key_value_heads"`
	HeadSize       int        `json:"head_dim"`
	Intermediate   int        `json:"intermediate_size"`
	VocabSize      int        `json:"vocab_size"`
	MaxPositions   int        `json:"max_position_embeddings"`
	Epsilon        float64    `json:"rms_norm_eps"`
	Activation     string     `json:"hidden_act"`
	Tied           *bool      `json:"tie_word_embeddings"`
	AttentionBias  bool       `json:"attention_bias"`
	MLPBias        bool       `json:"mlp_bias"`
	Window         *int       `json:"sliding_window"`
	UseWindow      bool       `json:"use_sliding_window"`
	WindowFrom     int        `json:"max_window_layers"`
	LayerTypes     []string   `json:"layer_types"`
	NoRotary       []int      `json:"no_rope_layers"` // 0 for layers that do not rotate
	Theta          float64    `json:"rope_theta"`
	Scaling        *ropeScale `json:"rope_scaling"`
	Parameters     *ropeScale `json:"rope_parameters"`
	PartialRotary  float64    `json:"partial_rotary_factor"`
	family         family
	headless       bool // it embeds
	rotaryDivisors []float32
}

// ParseConfig reads config.json of a model that generates, and refuses what cannot be built.
func ParseConfig(data []byte) (*Config, error) {
	c, err := read(data)
	if err != nil {
		return nil, err
	}
	if len(c.Architectures) != 1 || !Supports(c.Architectures[0]) {
		return nil, fmt.Errorf("%w: architecture %s; known are %s", ErrUnsupported, strings.Join(c.Architectures, ", "),
			strings.Join(Architectures(), ", "))
	}
	c.family = families[c.Architectures[0]]
	return c, c.complete()
}

// ParseEmbedder is ParseConfig for a model that embeds.
func ParseEmbedder(data []byte) (*Config, error) {
	c, err := read(data)
	if err != nil {
		return nil, err
	}
	if !Embeds(c.ModelType) {
		return nil, fmt.Errorf("%w: model_type %q; known are %s", ErrUnsupported, c.ModelType,
			strings.Join(Embedders(), ", "))
	}
	c.family, c.headless = embedders[c.ModelType], true
	if c.Causal != nil && !*c.Causal {
		c.family.bidirectional = true
	}
	return c, c.complete()
}

func read(data []byte) (*Config, error) {
	c := &Config{Epsilon: 1e-6, Activation: "silu", PartialRotary: 1}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("read config.json: %w", err)
	}
	return c, nil
}

// complete fills in what a configuration leaves to its defaults, and checks it.
func (c *Config) complete() error {
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.HeadSize == 0 && c.Heads > 0 {
		c.HeadSize = c.HiddenSize / c.Heads
	}
	if c.Parameters != nil && c.Parameters.Theta > 0 {
		c.Theta = c.Parameters.Theta
	}
	if c.Theta == 0 {
		c.Theta = 10000
	}
	return c.check()
}

// maxSize bounds every size in a configuration, so that products of two fit; maxRotary bounds the table of rotations.
const (
	maxSize   = 1 << 24
	maxHead   = 1 << 12
	maxRotary = 1 << 29
)

func (c *Config) check() error {
	for _, s := range []struct {
		key string
		n   int
	}{
		{"hidden_size", c.HiddenSize}, {"num_hidden_layers", c.Layers}, {"num_attention_heads", c.Heads},
		{"num_key_value_heads", c.KVHeads}, {"head_dim", c.HeadSize}, {"intermediate_size", c.Intermediate},
		{"vocab_size", c.VocabSize}, {"max_position_embeddings", c.MaxPositions},
	} {
		if s.n < 1 || s.n > maxSize {
			return fmt.Errorf("%w: %s is %d", ErrUnsupported, s.key, s.n)
		}
	}
	switch {
	case c.Layers > 1024:
		return fmt.Errorf("%w: num_hidden_layers is %d", ErrUnsupported, c.Layers)
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("%w: %d attention heads do not share %d key-value heads evenly", ErrUnsupported, c.Heads,
			c.KVHeads)
	case c.HeadSize%16 != 0:
		return fmt.Errorf("%w: head_dim is %d, ONNX Runtime rotates multiples of 16", ErrUnsupported, c.HeadSize)
	case c.HeadSize > maxHead || c.MaxPositions > maxRotary/c.HeadSize:
		return fmt.Errorf("%w: head_dim %d with max_position_embeddings %d", ErrUnsupported, c.HeadSize, c.MaxPositions)
	case c.Activation != "silu" && c.Activation != "swish":
		return fmt.Errorf("%w: hidden_act is %q, silu is known", ErrUnsupported, c.Activation)
	case !(c.Theta > 0):
		return fmt.Errorf("%w: rope_theta is %v", ErrUnsupported, c.Theta)
	case !(c.Epsilon >= 0):
		return fmt.Errorf("%w: rms_norm_eps is %v", ErrUnsupported, c.Epsilon)
	case c.PartialRotary != 1:
		return fmt.Errorf("%w: partial_rotary_factor is %v", ErrUnsupported, c.PartialRotary)
	case len(c.NoRotary) > 0 && len(c.NoRotary) != c.Layers:
		return fmt.Errorf("%w: no_rope_layers has %d entries for %d layers", ErrUnsupported, len(c.NoRotary), c.Layers)
	case len(c.LayerTypes) > 0 && len(c.LayerTypes) != c.Layers:
		return fmt.Errorf("%w: layer_types has %d entries for %d layers", ErrUnsupported, len(c.LayerTypes), c.Layers)
	}
	for _, t := range c.LayerTypes {
		if t != "full_attention" && t != "sliding_attention" {
			return fmt.Errorf("%w: layer type %q", ErrUnsupported, t)
		}
	}
	_, err := c.divisors()
	return err
}

func (c *Config) tied() bool { return c.Tied != nil && *c.Tied }

// window is how many tokens, its own counted, a token of the layer sees; 0 for all.
func (c *Config) window(layer int) int {
	if c.Window == nil || *c.Window <= 0 {
		return 0
	}
	sliding := c.family.window || c.UseWindow && layer >= c.WindowFrom
	if len(c.LayerTypes) > 0 {
		sliding = c.LayerTypes[layer] == "sliding_attention"
	}
	if !sliding {
		return 0
	}
	return *c.Window
}

func (c *Config) rotates(layer int) bool { return len(c.NoRotary) == 0 || c.NoRotary[layer] != 0 }
