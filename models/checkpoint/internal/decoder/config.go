// Package decoder builds the graph of a Llama-shaped text generator from a checkpoint.
package decoder

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// ErrUnsupported is the class of architectures, and of settings of known ones, that cannot be built.
var ErrUnsupported = errors.New("the model cannot be imported")

// A Config is what config.json says, in Hugging Face's words.
type Config struct {
	Architectures       []string        `json:"architectures"`
	ModelType           string          `json:"model_type"`
	Causal              *bool           `json:"is_causal"`
	HiddenSize          int             `json:"hidden_size"`
	Layers              int             `json:"num_hidden_layers"`
	Heads               int             `json:"num_attention_heads"`
	KVHeads             int             `json:"num_key_value_heads"`
	HeadSize            int             `json:"head_dim"`
	Intermediate        int             `json:"intermediate_size"`
	VocabSize           int             `json:"vocab_size"`
	MaxPositions        int             `json:"max_position_embeddings"`
	Epsilon             float64         `json:"rms_norm_eps"`
	Activation          string          `json:"hidden_act"`
	HiddenActivation    string          `json:"hidden_activation"` // Gemma's word for it
	Tied                *bool           `json:"tie_word_embeddings"`
	AttentionBias       bool            `json:"attention_bias"`
	MLPBias             bool            `json:"mlp_bias"`
	Window              *int            `json:"sliding_window"`
	UseWindow           bool            `json:"use_sliding_window"`
	WindowFrom          int             `json:"max_window_layers"`
	Every               pattern         `json:"sliding_window_pattern"`
	LayerTypes          []string        `json:"layer_types"`
	NoRotary            []int           `json:"no_rope_layers"` // 0 for layers that do not rotate
	Bidirectional       bool            `json:"use_bidirectional_attention"`
	Theta               float64         `json:"rope_theta"`
	LocalTheta          float64         `json:"rope_local_base_freq"`
	Scaling             *ropeScale      `json:"rope_scaling"`
	Parameters          *ropeParameters `json:"rope_parameters"`
	PartialRotary       float64         `json:"partial_rotary_factor"`
	QueryScalar         float64         `json:"query_pre_attn_scalar"`
	EmbeddingMultiplier *float64        `json:"embedding_multiplier"`
	AttentionMultiplier *float64        `json:"attention_multiplier"`
	ResidualMultiplier  *float64        `json:"residual_multiplier"`
	LogitsScaling       *float64        `json:"logits_scaling"`
	Original            int             `json:"original_max_position_embeddings"`
	AttentionCap        *float64        `json:"attn_logit_softcapping"`
	shapes
	reminders
	convolutions
	deltas
	LogitsCap *float64 `json:"final_logit_softcapping"`
	family    family
	headless  bool // it embeds
	numbers   numbers
	span      int // max_position_embeddings, where MaxPositions is less
	original  int // texts of more tokens rotate in another way, from their first token on; 0 for none
	baked     Baked
}

// ParseConfig reads config.json of a model that generates, and refuses what cannot be built.
func ParseConfig(data []byte) (*Config, error) {
	var outer struct {
		Architectures []string `json:"architectures"`
	}
	if err := json.Unmarshal(data, &outer); err != nil {
		return nil, fmt.Errorf("read config.json: %w", err)
	}
	if len(outer.Architectures) != 1 || !Supports(outer.Architectures[0]) {
		return nil, fmt.Errorf("%w: architecture %s; known are %s", ErrUnsupported, strings.Join(outer.Architectures, ", "),
			strings.Join(Architectures(), ", "))
	}
	c, err := read(data, families[outer.Architectures[0]])
	if err != nil {
		return nil, err
	}
	c.Architectures = outer.Architectures
	return c, c.complete()
}

// ParseEmbedder is ParseConfig for a model that embeds.
func ParseEmbedder(data []byte) (*Config, error) {
	var outer struct {
		ModelType string `json:"model_type"`
	}
	if err := json.Unmarshal(data, &outer); err != nil {
		return nil, fmt.Errorf("read config.json: %w", err)
	}
	if !Embeds(outer.ModelType) {
		return nil, fmt.Errorf("%w: model_type %q; known are %s", ErrUnsupported, outer.ModelType,
			strings.Join(Embedders(), ", "))
	}
	c, err := read(data, embedders[outer.ModelType])
	if err != nil {
		return nil, err
	}
	c.headless = true
	if c.Causal != nil && !*c.Causal {
		c.family.bidirectional = true
	}
	if err := c.seeBothWays(); err != nil {
		return nil, err
	}
	return c, c.complete()
}

// seeBothWays has a Gemma that sees both ways have half of its window on either side.
func (c *Config) seeBothWays() error {
	if !c.Bidirectional {
		return nil
	}
	c.family.bidirectional = true
	if c.Window == nil {
		return nil
	}
	half := *c.Window / 2
	if c.Window = &half; half < 1 {
		return fmt.Errorf("%w: sliding_window leaves nothing to see on both sides", ErrUnsupported)
	}
	return nil
}

// read takes what config.json says, and what the family has for keys that it leaves out. text_config is that of the
// part of a model that reads texts.
func read(data []byte, f family) (*Config, error) {
	var outer struct {
		Text json.RawMessage `json:"text_config"`
	}
	if err := json.Unmarshal(data, &outer); err != nil {
		return nil, fmt.Errorf("read config.json: %w", err)
	}
	c := &Config{Epsilon: 1e-6, Activation: "silu", PartialRotary: 1, family: f}
	for _, part := range [][]byte{[]byte(f.defaults), data, outer.Text} {
		if len(part) == 0 {
			continue
		}
		if err := json.Unmarshal(part, c); err != nil {
			return nil, fmt.Errorf("read config.json: %w", err)
		}
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
	if c.Theta == 0 {
		c.Theta = 10000
	}
	if c.Parameters != nil && c.Parameters.Partial != 0 {
		c.PartialRotary = c.Parameters.Partial
	}
	c.settleConvolutions()
	c.settleDeltas()
	if err := c.settleShapes(); err != nil {
		return err
	}
	if r := c.rotation(false); r.Type == longrope && r.Original > 0 {
		c.settleLong(r.Original)
	}
	if c.numbers = llama; c.family.numbers != nil {
		c.numbers = c.family.numbers(c)
	}
	return c.check()
}

const fullAttention = "full_attention" // a type of layers

// maxSize bounds every size in a configuration, so that products of two fit; maxRotary bounds the table of rotations.
const (
	maxSize   = 1 << 24
	maxLayers = 1024
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
	case c.Layers > maxLayers:
		return fmt.Errorf("%w: num_hidden_layers is %d", ErrUnsupported, c.Layers)
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("%w: %d attention heads do not share %d key-value heads evenly", ErrUnsupported, c.Heads,
			c.KVHeads)
	case c.HeadSize%16 != 0:
		return fmt.Errorf("%w: head_dim is %d, ONNX Runtime rotates multiples of 16", ErrUnsupported, c.HeadSize)
	case c.HeadSize > maxHead || c.MaxPositions > maxRotary/c.HeadSize:
		return fmt.Errorf("%w: head_dim %d with max_position_embeddings %d", ErrUnsupported, c.HeadSize, c.MaxPositions)
	case activations[c.activation()] == nil:
		return fmt.Errorf("%w: hidden_act is %q, silu and gelu_pytorch_tanh are known", ErrUnsupported, c.activation())
	case c.Bidirectional && !c.headless:
		return fmt.Errorf("%w: use_bidirectional_attention is set, and what sees what follows it cannot generate",
			ErrUnsupported)
	case !(c.Epsilon >= 0):
		return fmt.Errorf("%w: rms_norm_eps is %v", ErrUnsupported, c.Epsilon)
	case c.PartialRotary != 1 && !c.family.partial, !(c.PartialRotary > 0 && c.PartialRotary <= 1):
		return fmt.Errorf("%w: partial_rotary_factor is %v", ErrUnsupported, c.PartialRotary)
	case c.rotation(false).dims%16 != 0:
		return fmt.Errorf("%w: partial_rotary_factor %v of head_dim %d, ONNX Runtime rotates multiples of 16", ErrUnsupported,
			c.PartialRotary, c.HeadSize)
	case len(c.NoRotary) > 0 && len(c.NoRotary) != c.Layers:
		return fmt.Errorf("%w: no_rope_layers has %d entries for %d layers", ErrUnsupported, len(c.NoRotary), c.Layers)
	case len(c.LayerTypes) > 0 && len(c.LayerTypes) != c.Layers:
		return fmt.Errorf("%w: layer_types has %d entries for %d layers", ErrUnsupported, len(c.LayerTypes), c.Layers)
	}
	if err := c.checkLayers(); err != nil {
		return err
	}
	if err := c.numbers.check(); err != nil {
		return err
	}
	if err := cmp.Or(c.checkReminders(), c.checkConvolutions(), c.checkDeltas(), c.checkAttention()); err != nil {
		return err
	}
	for _, sliding := range []bool{false, true} {
		if _, err := c.tables(c.rotation(sliding)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) checkLayers() error {
	for _, t := range c.LayerTypes {
		if t != fullAttention && t != "sliding_attention" && (t != conv || !c.family.convolves) &&
			(t != linearAttention || !c.family.deltas) {
			return fmt.Errorf("%w: layer type %q", ErrUnsupported, t)
		}
	}
	return nil
}

func (c *Config) activation() string {
	if c.HiddenActivation != "" {
		return c.HiddenActivation
	}
	return c.Activation
}

func (c *Config) tied() bool { return c.Tied != nil && *c.Tied }

// window is how many tokens, its own counted, a token of the layer sees, or how far it sees both ways; 0 for all.
func (c *Config) window(layer int) int {
	if c.Window == nil || *c.Window <= 0 {
		return 0
	}
	if !c.slides(layer) {
		return 0
	}
	return *c.Window
}

// slides tells whether the layer is one of those with a window.
func (c *Config) slides(layer int) bool {
	every := c.family.every
	if every > 0 && c.Every > 0 {
		every = int(c.Every)
	}
	switch {
	case len(c.LayerTypes) > 0:
		return c.LayerTypes[layer] == "sliding_attention"
	case every > 0:
		return (layer+1)%every != 0
	}
	return c.family.window || c.UseWindow && layer >= c.WindowFrom
}

func (c *Config) rotates(layer int) bool {
	if c.family.fullUnmoved && c.Window != nil && *c.Window > 0 {
		return c.slides(layer)
	}
	return len(c.NoRotary) == 0 || c.NoRotary[layer] != 0
}
