// Package encoder builds the graph of a BERT-shaped text encoder from a checkpoint.
package encoder

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"textmill/models/checkpoint/onnxgraph"
)

// ErrUnsupported is the class of architectures, and of settings of known ones, that cannot be built.
var ErrUnsupported = errors.New("the model cannot be imported")

// A Config is what config.json says, in Hugging Face's words.
type Config struct {
	ModelType    string  `json:"model_type"`
	HiddenSize   int     `json:"hidden_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Intermediate int     `json:"intermediate_size"`
	VocabSize    int     `json:"vocab_size"`
	MaxPositions int     `json:"max_position_embeddings"`
	Kinds        int     `json:"type_vocab_size"`
	Epsilon      float64 `json:"layer_norm_eps"`
	Activation   string  `json:"hidden_act"`
	PositionType string  `json:"position_embedding_type"`
	PadID        *int    `json:"pad_token_id"`
	IsDecoder    bool    `json:"is_decoder"`
	family       family
	// embeddingSize is the width of the tables that tokens are looked up in; groups is how many kinds of layers there
	// are, each of which comes as often as another.
	embeddingSize, groups int
	positionOffset        int
	rotation              rotation
	// Which linear layers and norms have biases.
	attentionBias, upBias, downBias, normBias bool
}

// ParseConfig reads config.json and refuses what cannot be built.
func ParseConfig(data []byte) (*Config, error) {
	c := &Config{Epsilon: 1e-12, Activation: "gelu", PositionType: "absolute"}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("read config.json: %w", err)
	}
	if !Supports(c.ModelType) {
		return nil, fmt.Errorf("%w: model_type %q; known encoders are %v", ErrUnsupported, c.ModelType, ModelTypes())
	}
	c.family = families[c.ModelType]
	c.attentionBias, c.upBias, c.downBias, c.normBias = true, true, true, true
	if c.family.read != nil {
		if err := c.family.read(c, data); err != nil {
			return nil, err
		}
	}
	if c.embeddingSize == 0 {
		c.embeddingSize = c.HiddenSize
	}
	if c.groups == 0 {
		c.groups = c.Layers
	}
	if c.family.kind == "" {
		c.Kinds = 0
	}
	if c.family.afterPad {
		c.positionOffset = 2
		if c.PadID != nil {
			c.positionOffset = *c.PadID + 1
		}
	}
	return c, c.check()
}

// activations are those that ONNX Runtime has exactly.
var activations = map[string]activation{
	"gelu": {op: "Gelu", biased: "BiasGelu"}, "gelu_new": fastGelu, "gelu_pytorch_tanh": fastGelu, "gelu_fast": fastGelu,
	"silu": {op: "QuickGelu", attrs: []onnxgraph.Attr{onnxgraph.Float("alpha", 1)}},
}

// An activation is an operator, and the one that also adds a bias, "" where there is none.
type activation struct {
	op, biased string
	attrs      []onnxgraph.Attr
}

var fastGelu = activation{op: "FastGelu", biased: "FastGelu"}

const (
	maxSize   = 1 << 24
	maxLayers = 1024
)

func (c *Config) check() error {
	for _, s := range []struct {
		key string
		n   int
	}{
		{"hidden_size", c.HiddenSize}, {"num_hidden_layers", c.Layers}, {"num_attention_heads", c.Heads},
		{"intermediate_size", c.Intermediate}, {"vocab_size", c.VocabSize}, {"embedding_size", c.embeddingSize}, {"num_hidden_groups", c.groups}, {"max_position_embeddings", c.MaxPositions},
	} {
		if s.n < 1 || s.n > maxSize {
			return fmt.Errorf("%w: %s is %d", ErrUnsupported, s.key, s.n)
		}
	}
	does, known := activations[c.Activation]
	known = known && (c.family.gate != noGate || does.biased != "")
	switch {
	case c.Layers > maxLayers:
		return fmt.Errorf("%w: num_hidden_layers is %d", ErrUnsupported, c.Layers)
	case c.Layers%c.groups != 0:
		return fmt.Errorf("%w: num_hidden_layers %d is no multiple of num_hidden_groups %d", ErrUnsupported, c.Layers, c.groups)
	case c.HiddenSize%c.Heads != 0:
		return fmt.Errorf("%w: hidden_size %d is no multiple of %d heads", ErrUnsupported, c.HiddenSize, c.Heads)
	case c.Kinds < 0 || c.Kinds > maxSize:
		return fmt.Errorf("%w: type_vocab_size is %d", ErrUnsupported, c.Kinds)
	case !known:
		return fmt.Errorf("%w: hidden_act is %q; known are %v", ErrUnsupported, c.Activation,
			slices.Sorted(maps.Keys(activations)))
	case c.PositionType != "absolute":
		return fmt.Errorf("%w: position_embedding_type is %q, absolute is known", ErrUnsupported, c.PositionType)
	case !(c.Epsilon >= 0):
		return fmt.Errorf("%w: the norms' epsilon is %v", ErrUnsupported, c.Epsilon)
	case c.IsDecoder:
		return fmt.Errorf("%w: is_decoder is set, this is no encoder", ErrUnsupported)
	case c.positionOffset < 0 || c.positionOffset >= c.MaxPositions:
		return fmt.Errorf("%w: pad_token_id leaves no position of %d", ErrUnsupported, c.MaxPositions)
	}
	return c.rotation.check(c)
}
