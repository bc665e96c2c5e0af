package decoder

import (
	"errors"
	"strings"
	"testing"
)

const good = `{"architectures":["LlamaForCausalLM"],"hidden_size":32,"num_hidden_layers":2,"num_attention_heads":2,
"intermediate_size":40,"vocab_size":64,"max_position_embeddings":64`

func TestConfigurationsThatCannotBeBuiltAreNamed(t *testing.T) {
	for _, c := range []struct{ name, more, want string }{
		{"unknown architecture", `,"architectures":["MambaForCausalLM"]}`, "MambaForCausalLM"},
		{"two architectures", `,"architectures":["LlamaForCausalLM","X"]}`, "LlamaForCausalLM, X"},
		{"activation", `,"hidden_act":"relu"}`, `hidden_act is "relu"`},
		{"no layers", `,"num_hidden_layers":0}`, "num_hidden_layers is 0"},
		{"too many layers", `,"num_hidden_layers":5000}`, "num_hidden_layers is 5000"},
		{"negative size", `,"vocab_size":-1}`, "vocab_size is -1"},
		{"uneven heads", `,"num_attention_heads":3,"num_key_value_heads":2,"head_dim":16}`, "3 attention heads"},
		{"odd heads", `,"head_dim":12}`, "head_dim is 12"},
		{"scaling", `,"rope_scaling":{"rope_type":"dynamic","factor":2}}`, `"dynamic"`},
		{"scaling down", `,"rope_scaling":{"type":"linear","factor":0}}`, "factor 0"},
		{"impossible magnitude", `,"rope_scaling":{"rope_type":"yarn","factor":2,"attention_factor":-1}}`, "scaled by -1"},
		{"negative theta", `,"rope_theta":-10000}`, "rope_theta is -10000"},
		{"negative epsilon", `,"rms_norm_eps":-1}`, "rms_norm_eps is -1"},
		{"half rotation", `,"partial_rotary_factor":0.5}`, "partial_rotary_factor"},
		{"layer types", `,"layer_types":["full_attention","linear_attention"]}`, "linear_attention"},
		{"too few layer types", `,"layer_types":["full_attention"]}`, "layer_types has 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseConfig([]byte(good + c.more))
			if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %q", err, c.want)
			}
		})
	}
	if _, err := ParseConfig([]byte(good + "}")); err != nil {
		t.Error(err)
	}
}

func TestFamiliesSettingsThatCannotBeBuiltAreNamed(t *testing.T) {
	for _, c := range []struct{ name, architecture, more, want string }{
		{"gate", "Gemma3ForCausalLM", `,"hidden_activation":"relu"`, `hidden_act is "relu"`},
		{"both ways", "Gemma3ForCausalLM", `,"use_bidirectional_attention":true`, "use_bidirectional_attention"},
		{"scale of scores", "Gemma2ForCausalLM", `,"query_pre_attn_scalar":-1`, "what scores are multiplied with"},
		{"cap of scores", "Gemma2ForCausalLM", `,"attn_logit_softcapping":-50`, "attn_logit_softcapping is -50"},
		{"cap of logits", "Gemma2ForCausalLM", `,"final_logit_softcapping":-30`, "final_logit_softcapping is -30"},
		{"local rotation", "Gemma3ForCausalLM", `,"rope_local_base_freq":-1`, "rope_theta is -1"},
		{"one kind's scaling", "Olmo3ForCausalLM", `,"rope_parameters":{"full_attention":{"rope_type":"dynamic","factor":2}}`, `"dynamic"`},
		{"few rotated dimensions", "Glm4ForCausalLM", `,"head_dim":16`, "partial_rotary_factor 0.5 of head_dim 16"},
		{"too much rotation", "Phi3ForCausalLM", `,"partial_rotary_factor":2`, "partial_rotary_factor is 2"},
		{"too few factors", "Phi3ForCausalLM", `,"rope_scaling":{"type":"longrope","short_factor":[1],"long_factor":[1]}`, "short_factor has 1"},
		{"a factor that is none", "Phi3ForCausalLM", `,"rope_scaling":{"type":"longrope","short_factor":[1,1,1,1,1,1,1,0]}`, "frequency 7 is divided by 0"},
		{"a base below zero", "Phi3ForCausalLM", `,"rope_parameters":{"rope_type":"default","rope_theta":-3}`, "rope_theta is -3"},
		{"a part below zero", "Phi3ForCausalLM", `,"rope_parameters":{"partial_rotary_factor":-3}`, "partial_rotary_factor is -3"},
		{"a range upside down", "Exaone4ForCausalLM", `,"rope_parameters":{"rope_type":"llama3","factor":4,"low_freq_factor":4,"high_freq_factor":1}`,
			"low_freq_factor is 4, high_freq_factor 1"},
		{"no length", "Olmo3ForCausalLM", `,"rope_scaling":{"rope_type":"yarn","factor":4,"original_max_position_embeddings":-3}`,
			"original_max_position_embeddings is -3"},
		{"no logits", "GraniteForCausalLM", `,"logits_scaling":0`, "logits_scaling is 0"},
		{"no stream", "GraniteForCausalLM", `,"residual_multiplier":-1`, "residual_multiplier is -1"},
		{"kernel", "Lfm2ForCausalLM", `,"conv_L_cache":1,"full_attn_idxs":[0]`, "conv_L_cache is 1"},
		{"nothing but convolutions", "Lfm2ForCausalLM", `,"full_attn_idxs":[]`, "no layer has attention"},
		{"others' rules", "LlamaForCausalLM", `,"layer_types":["linear_attention","full_attention"]`, `"linear_attention"`},
		{"uneven value heads", "Qwen3_5ForCausalLM", `,"linear_num_value_heads":24`, "24 value heads do not share 16 key heads"},
		{"no value heads", "Qwen3_5ForCausalLM", `,"linear_num_value_heads":0`, "linear_num_value_heads is 0"},
		{"large states", "Qwen3_5ForCausalLM", `,"linear_key_head_dim":4096,"linear_value_head_dim":4096`, "32 heads of 4096 × 4096"},
		{"kernel of a rule", "Qwen3_5ForCausalLM", `,"linear_conv_kernel_dim":65`, "linear_conv_kernel_dim is 65"},
		{"nothing but rules", "Qwen3_5ForCausalLM", `,"full_attention_interval":3`, "no layer has attention"},
		{"no interval", "Qwen3_5ForCausalLM", `,"full_attention_interval":0`, "full_attention_interval is 0"},
		{"another gate", "Qwen3_5ForCausalLM", `,"hidden_act":"gelu_pytorch_tanh"`, "with linear attention silu is known"},
		{"others' convolutions", "LlamaForCausalLM", `,"layer_types":["conv","full_attention"]`, `"conv"`},
		{"pattern", "Exaone4ForCausalLM", `,"sliding_window_pattern":"LGLG"`, `sliding_window_pattern is "LGLG"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(good, "LlamaForCausalLM", c.architecture, 1)
			_, err := ParseConfig([]byte(text + `,"num_key_value_heads":2` + c.more + "}"))
			if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %q", err, c.want)
			}
		})
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(good + "}")
	f.Add(good + `,"rope_scaling":{"rope_type":"yarn","factor":4},"sliding_window":4,"layer_types":["full_attention","sliding_attention"]}`)
	f.Add(good + `,"rope_parameters":{"rope_type":"llama3","rope_theta":1e4,"factor":4,"low_freq_factor":1,"high_freq_factor":4}}`)
	for name := range families {
		f.Add(strings.Replace(good, "LlamaForCausalLM", name, 1) + `,"sliding_window":4,"sliding_window_pattern":"LG"}`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConfig([]byte(text))
		if err != nil {
			return
		}
		for i := range c.Layers {
			_, _ = c.window(i), c.rotates(i)
		}
	})
}

const goodGemma2 = `{"model_type":"embedding_gemma2_text","hidden_size":32,"num_hidden_layers":4,"num_attention_heads":2,"head_dim":16,
"num_key_value_heads":1,"intermediate_size":40,"vocab_size":64,"max_position_embeddings":64,"layer_types":["sliding_attention",
"full_attention","sliding_attention","full_attention"]`

func TestShapesThatCannotBeBuiltAreNamed(t *testing.T) {
	for _, c := range []struct{ name, more, want string }{
		{"a layer that slides", `,"per_layer_config":{"0":{"head_dim":32,"num_key_value_heads":1}}`, `entry "0"`},
		{"no layer", `,"per_layer_config":{"04":{"head_dim":32,"num_key_value_heads":1}}`, `entry "04"`},
		{"no number", `,"per_layer_config":{"one":{"head_dim":32,"num_key_value_heads":1}}`, `entry "one"`},
		{"one left out", `,"per_layer_config":{"1":{"head_dim":32,"num_key_value_heads":1}}`, "one shape"},
		{"two shapes", `,"per_layer_config":{"1":{"head_dim":32,"num_key_value_heads":1},"3":{"head_dim":16,"num_key_value_heads":1}}`, "one shape"},
		{"odd heads", `,"global_head_dim":24`, "head_dim 24"},
		{"uneven heads", `,"num_global_key_value_heads":3`, "3 key-value heads"},
		{"no vectors", `,"embedding_dim":0`, "embedding_dim is 0"},
		{"nothing told", `,"hidden_size_per_layer_input":-1`, "hidden_size_per_layer_input is -1"},
		{"few layer types", `,"num_hidden_layers":5`, "layer_types has 4"},
		{"much rotation", `,"rope_parameters":{"full_attention":{"rope_type":"proportional","partial_rotary_factor":1.5}}`, "partial_rotary_factor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseEmbedder([]byte(goodGemma2 + c.more + "}"))
			if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %q", err, c.want)
			}
		})
	}
	c, err := ParseEmbedder([]byte(goodGemma2 + `,"per_layer_config":{"01":{"head_dim":32,"num_key_value_heads":2},"03":{"head_dim":32,"num_key_value_heads":2}}}`))
	if err != nil || c.headSize(0) != 16 || c.headSize(3) != 32 || c.kvHeads(3) != 2 {
		t.Error(c, err)
	}
}
