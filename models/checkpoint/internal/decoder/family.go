package decoder

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// A family is how an architecture differs from Llama where config.json does not say it.
type family struct {
	title    string // by which people know it
	defaults string // config.json of keys that checkpoints leave out

	bidirectional bool // tokens see those behind them too; such a family embeds and generates nothing

	qkvBias bool // q, k and v have biases, o has none
	plainO  bool // attention_bias is of q, k and v alone
	packs   []pack
	names   map[string]string // of tensors that have other names than Llama's
	norms   norms
	plusOne bool // norms multiply with 1 + weight
	qkNorm  span // q and k are normalized before they are rotated
	vNorm   bool // each head of v is normalized, by no weights

	window      bool // sliding_window counts without use_sliding_window
	every       int  // where nothing says which layers slide, all but every so manyth do; 0 for none
	ownRotation bool // sliding layers rotate by rope_local_base_freq or rope_theta, whatever scales the others
	fullUnmoved bool // where some layers slide, those that do not do not rotate either
	partial     bool // partial_rotary_factor counts
	convolves   bool // layers of type conv have a short convolution in the place of attention
	deltas      bool // layers of type linear_attention have a gated delta rule in the place of attention
	gated       bool // what attention gives each head is gated, by what q has behind the head's query
	longTexts   bool // a text that outgrows the positions of longrope's short factors is computed anew with the others
	fullShape   bool // heads of layers that see everything have another size, and there are other numbers of keys
	reminders   bool // every layer is told anew which tokens there are
	neighbours  bool // each dimension rotates with the one beside it, not with one of the other half
	numbers     func(c *Config) numbers
}

// A pack is a matrix that holds others, one below the other.
type pack struct {
	whole string
	parts []string
}

var (
	packedQKV = pack{"self_attn.qkv_proj", []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}}
	packedMLP = pack{"mlp.gate_up_proj", []string{"mlp.gate_proj", "mlp.up_proj"}}
)

// norms are the names of what attention and MLP read through, and of what their results join the stream through.
type norms struct{ attention, afterAttention, mlp, afterMLP string }

// span is what a norm is taken over: each head, or all of them.
type span int

const (
	noNorm span = iota
	headNorm
	rowNorm
)

// numbers are what values are multiplied with, and what caps them; 0 caps nothing.
type numbers struct{ embedding, attention, attentionCap, residual, logits, logitsCap float64 }

var llama = numbers{embedding: 1, residual: 1, logits: 1} // attention 0 stands for the root of a head's size

var (
	beforeEach     = norms{attention: "input_layernorm", mlp: "post_attention_layernorm"}
	beforeAndAfter = norms{"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
		"post_feedforward_layernorm"}
	afterEach = norms{afterAttention: "post_attention_layernorm", afterMLP: "post_feedforward_layernorm"}
	glmNorms  = norms{"input_layernorm", "post_self_attn_layernorm", "post_attention_layernorm",
		"post_mlp_layernorm"}
)

// families are the architectures that can be built, as config.json names them.
var families = map[string]family{
	"LlamaForCausalLM":   {title: "Llama", norms: beforeEach},
	"MistralForCausalLM": {title: "Mistral", norms: beforeEach, window: true},
	"Qwen2ForCausalLM":   {title: "Qwen2", norms: beforeEach, qkvBias: true},
	"Qwen3ForCausalLM":   {title: "Qwen3", norms: beforeEach, qkNorm: headNorm},
	"SmolLM3ForCausalLM": {title: "SmolLM", norms: beforeEach},
	"Gemma2ForCausalLM": {title: "Gemma 2", defaults: gemma2, norms: beforeAndAfter, plusOne: true, every: 2,
		numbers: gemma},
	"Gemma3ForCausalLM": gemma3Family,
	// The part of it that reads texts.
	"Gemma3ForConditionalGeneration": gemma3Family,
	"Phi3ForCausalLM": {title: "Phi-3 and Phi-4", defaults: `{"rms_norm_eps": 1e-5}`, norms: beforeEach,
		packs: []pack{packedQKV, packedMLP}, window: true, partial: true, longTexts: true},
	"GraniteForCausalLM": {title: "Granite", norms: beforeEach, numbers: granite},
	"Olmo2ForCausalLM":   {title: "OLMo 2", defaults: `{"rms_norm_eps": 1e-5}`, norms: afterEach, qkNorm: rowNorm},
	"Olmo3ForCausalLM": {title: "OLMo 3", defaults: `{"rms_norm_eps": 1e-5, "rope_theta": 500000, "sliding_window": 4096}`,
		norms: afterEach, qkNorm: rowNorm, every: 4, ownRotation: true},
	"Glm4ForCausalLM": {title: "GLM-4-0414", defaults: `{"rms_norm_eps": 1.5625e-7, "partial_rotary_factor": 0.5,
"attention_bias": true, "num_key_value_heads": 2, "head_dim": 128}`, norms: glmNorms, plainO: true,
		packs: []pack{packedMLP}, partial: true, neighbours: true},
	"Exaone4ForCausalLM": {title: "EXAONE 4", defaults: `{"rms_norm_eps": 1e-5, "sliding_window": 4096}`, norms: afterEach,
		qkNorm: headNorm, every: 4, fullUnmoved: true},
	"Lfm2ForCausalLM":    {title: "LFM2", defaults: lfm2, norms: beforeEach, qkNorm: headNorm, names: lfm2Names, convolves: true},
	"Qwen3_5ForCausalLM": qwen3_5Family,
	// The part of it that reads texts.
	"Qwen3_5ForConditionalGeneration": qwen3_5Family,
}

var qwen3_5Family = family{title: "Qwen3.5", defaults: qwen3_5, norms: beforeEach, plusOne: true, qkNorm: headNorm,
	partial: true, deltas: true, gated: true}

var gemma3Family = family{title: "Gemma 3", defaults: gemma3, norms: beforeAndAfter, plusOne: true, qkNorm: headNorm,
	every: 6, ownRotation: true, numbers: gemma}

var embeddingGemma2Family = family{title: "EmbeddingGemma 2", defaults: embeddingGemma2, bidirectional: true,
	norms: beforeAndAfter, qkNorm: headNorm, vNorm: true, every: 6, ownRotation: true, fullShape: true,
	reminders: true, numbers: embeddingGemma}

// What Gemma's configurations leave out.
const (
	embeddingGemma2 = `{"hidden_activation": "gelu_pytorch_tanh", "vocab_size": 262144, "hidden_size": 512,
"intermediate_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 256,
"global_head_dim": 512, "num_global_key_value_heads": 1, "max_position_embeddings": 262144, "sliding_window": 512,
"rope_theta": 1000000, "rope_local_base_freq": 10000, "hidden_size_per_layer_input": 512, "embedding_dim": 768}`
	gemma2 = `{"hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": true, "vocab_size": 256000,
"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 8192,
"query_pre_attn_scalar": 256, "sliding_window": 4096, "final_logit_softcapping": 30, "attn_logit_softcapping": 50}`
	gemma3 = `{"hidden_activation": "gelu_pytorch_tanh", "tie_word_embeddings": true, "vocab_size": 262208,
"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "max_position_embeddings": 131072,
"query_pre_attn_scalar": 256, "sliding_window": 4096, "rope_theta": 1000000, "rope_local_base_freq": 10000}`
)

func (n numbers) check() error {
	for name, v := range map[string]float64{"what embeddings are multiplied with": n.embedding,
		"residual_multiplier": n.residual, "logits_scaling": n.logits} {
		if !(v > 0) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: %s is %v", ErrUnsupported, name, v)
		}
	}
	for name, v := range map[string]float64{"what scores are multiplied with": n.attention,
		"attn_logit_softcapping": n.attentionCap, "final_logit_softcapping": n.logitsCap} {
		if !(v >= 0) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: %s is %v", ErrUnsupported, name, v)
		}
	}
	return nil
}

// gemma has embeddings times the root of their size, rounded as whatever computes with it is.
func gemma(c *Config) numbers {
	n := llama
	n.embedding, n.attention = math.Sqrt(float64(c.HiddenSize)), 1/math.Sqrt(c.QueryScalar)
	if c.AttentionCap != nil && c.family.qkNorm == noNorm { // Gemma 3 has the key and leaves it alone
		n.attentionCap = *c.AttentionCap
	}
	if c.LogitsCap != nil {
		n.logitsCap = *c.LogitsCap
	}
	return n
}

// embeddingGemma has scores that nothing scales: queries and keys are normed.
func embeddingGemma(c *Config) numbers {
	n := llama
	n.embedding, n.attention = math.Sqrt(float64(c.HiddenSize)), 1
	return n
}

func granite(c *Config) numbers {
	n := llama
	for to, key := range map[*float64]*float64{&n.embedding: c.EmbeddingMultiplier, &n.residual: c.ResidualMultiplier,
		&n.logits: c.LogitsScaling} {
		if key != nil {
			*to = *key
		}
	}
	if n.attention = 1; c.AttentionMultiplier != nil {
		n.attention = *c.AttentionMultiplier
	}
	return n
}

// embedders are the decoders that can be built to embed, by model_type: whichever head a checkpoint has is left out.
var embedders = map[string]family{
	"llama":       called("Llama", families["LlamaForCausalLM"]),
	"mistral":     called("Mistral (e5-mistral)", families["MistralForCausalLM"]),
	"qwen2":       called("Qwen2 (gte-Qwen2)", families["Qwen2ForCausalLM"]),
	"qwen3":       called("Qwen3 (Qwen3-Embedding)", families["Qwen3ForCausalLM"]),
	"gemma3_text": called("Gemma 3 (EmbeddingGemma)", gemma3Family),
	"eurobert":    {title: "EuroBERT", norms: beforeEach, bidirectional: true},
	// The part of it that reads texts, and the whole.
	"embedding_gemma2_text": embeddingGemma2Family,
	"embedding_gemma2":      embeddingGemma2Family,
}

// called is a family under the name of what embeds.
func called(title string, f family) family {
	f.title = title
	return f
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

// Titles are the names by which people know what can be built to generate.
func Titles() []string { return titles(families) }

// EmbedderTitles are the names by which people know what can be built to embed.
func EmbedderTitles() []string { return titles(embedders) }

func titles(of map[string]family) []string {
	var names []string
	for _, f := range of {
		names = append(names, f.title)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Architectures lists what can be built.
func Architectures() []string { return slices.Sorted(maps.Keys(families)) }
