// Package encoder builds the graph of a BERT-shaped text encoder from a checkpoint.
package encoder

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// ErrUnsupported is the class of architectures, and of settings of known ones, that cannot be built.
var ErrUnsupported = errors.New("the model cannot be imported")

// A family is how a kind of encoder names its tensors, and where its layers differ from BERT's. A name is "" for what
// it lacks.
type family struct {
	word, position, kind, embeddingNorm      string
	layer                                    string
	query, key, value, output, attentionNorm string
	up, down, outputNorm                     string
	// qkv is query, key and value one below the other, in place of the three.
	qkv string
	// finalNorm belongs to families that normalize what goes into attention and MLP, but for the first attention, instead
	// of what comes out; attentionNorm and outputNorm are those norms.
	finalNorm string
	// gated tells that up has a second half, which multiplies the activated first one.
	gated bool
	// afterPad tells that positions count from the one after the pad id.
	afterPad bool
}

var bert = family{
	word: "embeddings.word_embeddings", position: "embeddings.position_embeddings",
	kind:          "embeddings.token_type_embeddings",
	embeddingNorm: "embeddings.LayerNorm", layer: "encoder.layer.%d.",
	query: "attention.self.query", key: "attention.self.key", value: "attention.self.value",
	output: "attention.output.dense", attentionNorm: "attention.output.LayerNorm",
	up: "intermediate.dense", down: "output.dense", outputNorm: "output.LayerNorm",
}

var distilbert = family{
	word: "embeddings.word_embeddings", position: "embeddings.position_embeddings",
	embeddingNorm: "embeddings.LayerNorm", layer: "transformer.layer.%d.",
	query: "attention.q_lin", key: "attention.k_lin", value: "attention.v_lin",
	output: "attention.out_lin", attentionNorm: "sa_layer_norm",
	up: "ffn.lin1", down: "ffn.lin2", outputNorm: "output_layer_norm",
}

func roberta() family {
	f := bert
	f.afterPad = true
	return f
}

var modernbert = family{
	word: "embeddings.tok_embeddings", embeddingNorm: "embeddings.norm", layer: "layers.%d.",
	qkv: "attn.Wqkv", output: "attn.Wo", attentionNorm: "attn_norm",
	up: "mlp.Wi", down: "mlp.Wo", outputNorm: "mlp_norm", finalNorm: "final_norm", gated: true,
}

// families are the kinds of encoders that can be built, by model_type.
var families = map[string]family{
	"bert": bert, "roberta": roberta(), "xlm-roberta": roberta(), "camembert": roberta(), "distilbert": distilbert,
	"modernbert": modernbert,
}

// prefixes are what a checkpoint with a head on top may put before the encoder's tensors.
var prefixes = []string{"", "bert.", "roberta.", "distilbert.", "model."}

// Supports tells whether encoders of the model_type can be built.
func Supports(modelType string) bool {
	_, ok := families[modelType]
	return ok
}

// ModelTypes lists what can be built.
func ModelTypes() []string { return slices.Sorted(maps.Keys(families)) }

// A Config is what config.json says, in Hugging Face's words.
type Config struct {
	ModelType      string  `json:"model_type"`
	HiddenSize     int     `json:"hidden_size"`
	Layers         int     `json:"num_hidden_layers"`
	Heads          int     `json:"num_attention_heads"`
	Intermediate   int     `json:"intermediate_size"`
	VocabSize      int     `json:"vocab_size"`
	MaxPositions   int     `json:"max_position_embeddings"`
	Kinds          int     `json:"type_vocab_size"`
	Epsilon        float64 `json:"layer_norm_eps"`
	Activation     string  `json:"hidden_act"`
	PositionType   string  `json:"position_embedding_type"`
	PadID          *int    `json:"pad_token_id"`
	IsDecoder      bool    `json:"is_decoder"`
	family         family
	positionOffset int
	rotation       rotation
	// Which linear layers and norms have biases.
	attentionBias, mlpBias, normBias bool
}

// distilNames are DistilBERT's words for the same.
type distilNames struct {
	Dim        int    `json:"dim"`
	HiddenDim  int    `json:"hidden_dim"`
	Layers     int    `json:"n_layers"`
	Heads      int    `json:"n_heads"`
	Activation string `json:"activation"`
	Sinusoidal bool   `json:"sinusoidal_pos_embds"`
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
	c.attentionBias, c.mlpBias, c.normBias = true, true, true
	switch c.ModelType {
	case "modernbert":
		if err := c.readModern(data); err != nil {
			return nil, err
		}
	case "distilbert":
		var d distilNames
		if err := json.Unmarshal(data, &d); err != nil {
			return nil, fmt.Errorf("read config.json: %w", err)
		}
		c.HiddenSize, c.Intermediate, c.Layers, c.Heads, c.Activation = d.Dim, d.HiddenDim, d.Layers, d.Heads, d.Activation
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

// activations are those that ONNX Runtime has exactly: the operator, and the one that also adds a bias.
var activations = map[string][2]string{
	"gelu": {"Gelu", "BiasGelu"}, "gelu_new": {"FastGelu", "FastGelu"}, "gelu_pytorch_tanh": {"FastGelu", "FastGelu"},
	"gelu_fast": {"FastGelu", "FastGelu"},
}

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
		{"intermediate_size", c.Intermediate}, {"vocab_size", c.VocabSize}, {"max_position_embeddings", c.MaxPositions},
	} {
		if s.n < 1 || s.n > maxSize {
			return fmt.Errorf("%w: %s is %d", ErrUnsupported, s.key, s.n)
		}
	}
	_, known := activations[c.Activation]
	switch {
	case c.Layers > maxLayers:
		return fmt.Errorf("%w: num_hidden_layers is %d", ErrUnsupported, c.Layers)
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
