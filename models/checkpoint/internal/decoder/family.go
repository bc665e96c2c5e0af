package decoder

import (
	"maps"
	"math"
	"slices"
)

// A family is how an architecture differs from Llama where config.json does not say it.
type family struct {
	defaults string // config.json of keys that checkpoints leave out

	bidirectional bool // tokens see those behind them too; such a family embeds and generates nothing

	qkvBias bool // q, k and v have biases, o has none
	norms   norms
	plusOne bool // norms multiply with 1 + weight
	qkNorm  span // q and k are normalized before they are rotated

	window      bool // sliding_window counts without use_sliding_window
	every       int  // where nothing says which layers slide, all but every so manyth do; 0 for none
	ownRotation bool // sliding layers rotate by rope_local_base_freq or rope_theta, whatever scales the others
	numbers     func(c *Config) numbers
}

// norms are the names of what attention and MLP read through, and of what their results join the stream through.
type norms struct{ attention, afterAttention, mlp, afterMLP string }

// span is what a norm is taken over: each head, or all of them.
type span int

const (
	noNorm span = iota
	headNorm
)

// numbers are what values are multiplied with, and what caps them; 0 caps nothing.
type numbers struct{ embedding, attention, attentionCap, logitsCap float64 }

var (
	beforeEach     = norms{attention: "input_layernorm", mlp: "post_attention_layernorm"}
	beforeAndAfter = norms{"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
		"post_feedforward_layernorm"}
)

// families are the architectures that can be built, as config.json names them.
var families = map[string]family{
	"LlamaForCausalLM":   {norms: beforeEach},
	"MistralForCausalLM": {norms: beforeEach, window: true},
	"Qwen2ForCausalLM":   {norms: beforeEach, qkvBias: true},
	"Qwen3ForCausalLM":   {norms: beforeEach, qkNorm: headNorm},
	"SmolLM3ForCausalLM": {norms: beforeEach},
	"Gemma2ForCausalLM":  {defaults: gemma2, norms: beforeAndAfter, plusOne: true, every: 2, numbers: gemma},
	"Gemma3ForCausalLM":  gemma3Family,
	// The part of it that reads texts.
	"Gemma3ForConditionalGeneration": gemma3Family,
}

var gemma3Family = family{defaults: gemma3, norms: beforeAndAfter, plusOne: true, qkNorm: headNorm, every: 6,
	ownRotation: true, numbers: gemma}

// What Gemma's configurations leave out.
const (
	gemma2 = `{"hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": true, "vocab_size": 256000,
"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 8192,
"query_pre_attn_scalar": 256, "sliding_window": 4096, "final_logit_softcapping": 30, "attn_logit_softcapping": 50}`
	gemma3 = `{"hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": true, "vocab_size": 262208,
"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 131072,
"query_pre_attn_scalar": 256, "sliding_window": 4096, "rope_theta": 1000000, "rope_local_base_freq": 10000}`
)

// gemma has embeddings times the root of their size, rounded as whatever computes with it is.
func gemma(c *Config) numbers {
	n := numbers{embedding: math.Sqrt(float64(c.HiddenSize)), attention: 1 / math.Sqrt(c.QueryScalar)}
	if c.AttentionCap != nil && c.family.qkNorm == noNorm { // Gemma 3 has the key and leaves it alone
		n.attentionCap = *c.AttentionCap
	}
	if c.LogitsCap != nil {
		n.logitsCap = *c.LogitsCap
	}
	return n
}

// embedders are the decoders that can be built to embed, by model_type: whichever head a checkpoint has is left out.
var embedders = map[string]family{
	"llama":    families["LlamaForCausalLM"],
	"mistral":  families["MistralForCausalLM"],
	"qwen2":    families["Qwen2ForCausalLM"],
	"qwen3":    families["Qwen3ForCausalLM"],
	"eurobert": {norms: beforeEach, bidirectional: true},
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
