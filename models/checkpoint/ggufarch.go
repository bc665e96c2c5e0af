package checkpoint

import (
	"fmt"
	"math"
)

// A ggufArchitecture is what general.architecture means in Hugging Face's words.
type ggufArchitecture struct {
	architecture, modelType string
	// interleaved tells that llama.cpp's converter reorders the rows of q and k.
	interleaved bool
	// sparseRotary tells that every fourth layer does not rotate.
	sparseRotary bool
	// plainO tells that biases of attention are those of q, k and v alone.
	plainO bool
	// partial tells that rope.dimension_count may be less than a head.
	partial bool
	// unwindowed tells that without a key there is no window.
	unwindowed bool
	// slides is the architecture's name where the file has a window.
	slides string
	// plusOne tells that the converter adds 1 to the weights of norms.
	plusOne bool
	// gelu tells that gates are GELU's by tanh, not SiLU's.
	gelu bool
	// names are the tensors of a layer whose names are not those of Llama.
	names map[string]string
	// layers is what the names of a layer's tensors begin with, where it is not Llama's.
	layers string
	// encoder tells that it is one: it normalizes by layer norms, and sees both ways.
	encoder bool
	// bothWays tells that tokens see those behind them too where no key says so.
	bothWays bool
	// scale finds query_pre_attn_scalar, which the file has no key for.
	scale func(g *ggufModel, name string) int64
}

// gemmaNames are those of a layer with four norms.
var gemmaNames = map[string]string{
	"post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
	"post_feedforward_layernorm": "post_ffw_norm",
}

// lfm2Names are LFM2's own words for tensors.
var lfm2Names = map[string]string{
	"operator_norm": "attn_norm", "ffn_norm": "ffn_norm", "self_attn.q_layernorm": "attn_q_norm",
	"self_attn.k_layernorm": "attn_k_norm", "self_attn.out_proj": "attn_output", "feed_forward.w1": "ffn_gate",
	"feed_forward.w3": "ffn_up", "feed_forward.w2": "ffn_down", "conv.conv": "shortconv.conv",
	"conv.in_proj": "shortconv.in_proj", "conv.out_proj": "shortconv.out_proj", "model.embedding_norm": "token_embd_norm",
}

// deltaNames are those of Qwen3.5, also of its layers with a delta rule: two with what follows the last dot.
var deltaNames = map[string]string{
	"post_attention_layernorm": "post_attention_norm", "linear_attn.in_proj_qkv": "attn_qkv",
	"linear_attn.in_proj_z": "attn_gate", "linear_attn.in_proj_b": "ssm_beta", "linear_attn.in_proj_a": "ssm_alpha",
	"linear_attn.conv1d": "ssm_conv1d", "linear_attn.norm": "ssm_norm", "linear_attn.out_proj": "ssm_out",
	"linear_attn.A_log": "ssm_a", "linear_attn.dt_bias": "ssm_dt.bias",
}

var (
	// afterNames are those of a layer whose norms follow attention and MLP.
	afterNames = map[string]string{
		"post_attention_layernorm": "post_attention_norm", "post_feedforward_layernorm": "post_ffw_norm",
	}
	packedNames = map[string]string{"self_attn.qkv_proj": "attn_qkv", "mlp.gate_up_proj": "ffn_up"}
	glmNames    = map[string]string{
		"post_self_attn_layernorm": "post_attention_norm", "post_attention_layernorm": "ffn_norm",
		"post_mlp_layernorm": "post_ffw_norm", "mlp.gate_up_proj": "ffn_up",
	}
)

// ggufNumbers are keys of numbers that only some architectures have.
var ggufNumbers = map[string]string{
	"attn_logit_softcapping": "attn_logit_softcapping", "final_logit_softcapping": "final_logit_softcapping",
	"embedding_scale": "embedding_multiplier", "residual_scale": "residual_multiplier",
	"attention.scale": "attention_multiplier", "logit_scale": "logits_scaling",
}

// gemmaScale is the size of a head, but for the largest models, which llama.cpp knows by the number of their layers.
func gemmaScale(g *ggufModel, name string) int64 {
	layers, _ := g.Int(name + ".block_count")
	heads, _ := g.Int(name + ".attention.head_count")
	if hidden, _ := g.Int(name + ".embedding_length"); heads > 0 && (name == "gemma2" && layers == 46 ||
		name == "gemma3" && layers == 62) {
		return hidden / heads
	}
	head, _ := g.Int(name + ".attention.key_length")
	return head
}

// bertNames are those of BERT and of encoders with its names.
var bertNames = map[string]string{
	"embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
	"embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm",
	"attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
	"attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
	"intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm",
}

var nomicNames = map[string]string{
	"embeddings.word_embeddings": "token_embd", "embeddings.token_type_embeddings": "token_types", "emb_ln": "token_embd_norm",
	"attn.Wqkv": "attn_qkv", "attn.out_proj": "attn_output", "norm1": "attn_output_norm", "mlp.fc11": "ffn_up",
	"mlp.fc12": "ffn_gate", "mlp.fc2": "ffn_down", "norm2": "layer_output_norm",
}

var ggufArchitectures = map[string]ggufArchitecture{
	"bert": {architecture: "BertModel", modelType: "bert", names: bertNames, layers: "encoder.layer.", encoder: true},
	"nomic-bert": {architecture: "NomicBertModel", modelType: "nomic_bert", names: nomicNames, layers: "encoder.layers.",
		encoder: true},
	"gemma-embedding": {architecture: "Gemma3TextModel", modelType: "gemma3_text", plusOne: true, gelu: true, names: gemmaNames,
		scale: gemmaScale, bothWays: true},
	"llama": {architecture: "LlamaForCausalLM", modelType: "llama", interleaved: true},
	"qwen2": {architecture: "Qwen2ForCausalLM", modelType: "qwen2"},
	"qwen3": {architecture: "Qwen3ForCausalLM", modelType: "qwen3"},
	"gemma2": {architecture: "Gemma2ForCausalLM", modelType: "gemma2", plusOne: true, gelu: true, names: gemmaNames,
		scale: gemmaScale},
	"gemma3": {architecture: "Gemma3ForCausalLM", modelType: "gemma3_text", plusOne: true, gelu: true, names: gemmaNames,
		scale: gemmaScale},
	"phi3":    {architecture: "Phi3ForCausalLM", modelType: "phi3", names: packedNames, partial: true},
	"granite": {architecture: "GraniteForCausalLM", modelType: "granite", interleaved: true},
	"olmo2":   {architecture: "Olmo2ForCausalLM", modelType: "olmo2", names: afterNames, slides: "Olmo3ForCausalLM"},
	"glm4":    {architecture: "Glm4ForCausalLM", modelType: "glm4", names: glmNames, partial: true, plainO: true},
	"exaone4": {architecture: "Exaone4ForCausalLM", modelType: "exaone4", names: afterNames, unwindowed: true},
	"lfm2":    {architecture: "Lfm2ForCausalLM", modelType: "lfm2", names: lfm2Names},
	"qwen35": {architecture: "Qwen3_5ForCausalLM", modelType: "qwen3_5_text", names: deltaNames, plusOne: true,
		partial: true},
	"smollm3": {architecture: "SmolLM3ForCausalLM", modelType: "smollm3", interleaved: true, sparseRotary: true},
}

// readLayers finds which layers slide.
func (g *ggufModel) readLayers(name string, c map[string]any) {
	if n, ok := g.Int(name + ".attention.sliding_window"); ok && n > 0 && g.arch.slides != "" {
		c["architectures"], c["model_type"] = []string{g.arch.slides}, "olmo3"
	} else if !ok && g.arch.unwindowed {
		c["sliding_window"] = 0
	}
	key := name + ".attention.sliding_window_pattern"
	if n, ok := g.Int(key); ok && n > 0 {
		c["sliding_window_pattern"] = n
	}
	if slides, ok := g.Bools(key); ok {
		types := make([]string, len(slides))
		for i, s := range slides {
			if types[i] = "full_attention"; s {
				types[i] = "sliding_attention"
			}
		}
		c["layer_types"] = types
	}
}

// readConvolutions finds which layers have a convolution in the place of attention: those without key-value heads.
func (g *ggufModel) readConvolutions(name string, c map[string]any) {
	kernel, ok := g.Int(name + ".shortconv.l_cache")
	if !ok {
		return
	}
	c["conv_L_cache"], c["block_auto_adjust_ff_dim"], c["norm_eps"] = kernel, false, c["rms_norm_eps"]
	heads, _ := g.Ints(name + ".attention.head_count_kv")
	types := make([]string, len(heads))
	for i, n := range heads {
		if types[i] = "conv"; n > 0 {
			types[i], c["num_key_value_heads"] = "full_attention", n
		}
	}
	c["layer_types"] = types
}

// readDeltas finds the sizes of delta rules. Layers that predict further tokens lie behind the model's own.
func (g *ggufModel) readDeltas(name string, c map[string]any) error {
	if !g.hasDeltas(name) {
		return nil
	}
	sizes := map[string]int64{}
	for _, key := range []string{"ssm.conv_kernel", "ssm.state_size", "ssm.group_count", "ssm.time_step_rank",
		"ssm.inner_size", "full_attention_interval"} {
		n, ok := g.Int(name + "." + key)
		if !ok || n < 1 {
			return fmt.Errorf("%w: %s.%s is missing, or no number above zero", ErrUnsupported, name, key)
		}
		sizes[key] = n
	}
	heads, values := sizes["ssm.time_step_rank"], sizes["ssm.inner_size"]
	if values%heads != 0 {
		return fmt.Errorf("%w: %s.ssm.inner_size is %d, of %d heads", ErrUnsupported, name, values, heads)
	}
	c["linear_conv_kernel_dim"], c["linear_key_head_dim"] = sizes["ssm.conv_kernel"], sizes["ssm.state_size"]
	c["linear_num_key_heads"], c["linear_num_value_heads"] = sizes["ssm.group_count"], heads
	c["linear_value_head_dim"], c["full_attention_interval"] = values/heads, sizes["full_attention_interval"]
	layers, _ := g.Int(name + ".block_count")
	further, _ := g.Int(name + ".nextn_predict_layers")
	c["num_hidden_layers"] = layers - further
	return nil
}

func (g *ggufModel) hasDeltas(name string) bool { return g.Has(name + ".ssm.conv_kernel") }

// readLongRope finds the two sets of divisors of Phi-3 and its kin.
func (g *ggufModel) readLongRope(name string, c map[string]any) error {
	scaling := map[string]any{"rope_type": "longrope"}
	for own, hf := range map[string]string{"rope_factors_short.weight": "short_factor",
		"rope_factors_long.weight": "long_factor"} {
		factors, err := g.headFactors(own)
		if err != nil {
			return err
		}
		if factors == nil {
			continue
		}
		for _, f := range factors {
			if f-f != 0 {
				return fmt.Errorf("%w: tensor %s holds the value %v", ErrUnsupported, own, f)
			}
		}
		scaling[hf] = factors
	}
	if len(scaling) == 1 {
		return nil
	}
	if f, ok := g.Float(name + ".rope.scaling.attn_factor"); ok && !math.IsNaN(f) && !math.IsInf(f, 0) {
		scaling["attention_factor"] = f
	}
	if n, ok := g.Int(name + ".rope.scaling.original_context_length"); ok && n > 0 {
		c["original_max_position_embeddings"] = n
	}
	c["rope_scaling"] = scaling
	return nil
}
