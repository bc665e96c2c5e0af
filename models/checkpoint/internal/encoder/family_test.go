package encoder

import (
	"errors"
	"strings"
	"testing"
)

const (
	plain   = `{"model_type":"bert","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":40,"vocab_size":64,"max_position_embeddings":64,"type_vocab_size":2`
	ofNomic = `{"model_type":"nomic_bert","n_embd":32,"n_layer":2,"n_head":2,"n_inner":40,"n_positions":64,"vocab_size":64,"activation_function":"swiglu","rotary_emb_fraction":1`
	ofNew   = `{"model_type":"new","position_embedding_type":"rope","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":40,"vocab_size":64,"max_position_embeddings":64`
	modern  = `{"model_type":"modernbert","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":40,"vocab_size":64,"max_position_embeddings":64`
)

func TestConfigurationsThatCannotBeBuiltAreNamed(t *testing.T) {
	for _, c := range []struct{ name, config, want string }{
		{"unknown type", plain + `,"model_type":"deberta-v2"}`, "deberta-v2"},
		{"activation", plain + `,"hidden_act":"relu"}`, `hidden_act is "relu"`},
		{"positions", plain + `,"position_embedding_type":"relative_key"}`, "relative_key"},
		{"decoder", plain + `,"is_decoder":true}`, "is_decoder"},
		{"no layers", plain + `,"num_hidden_layers":0}`, "num_hidden_layers is 0"},
		{"too many layers", modern + `,"num_hidden_layers":16000000}`, "num_hidden_layers is 16000000"},
		{"uneven heads", plain + `,"num_attention_heads":3}`, "3 heads"},
		{"epsilon", plain + `,"layer_norm_eps":-1}`, "epsilon is -1"},
		{"gate", modern + `,"hidden_activation":"relu"}`, `hidden_act is "relu"`},
		{"scaling", modern + `,"rope_scaling":{"rope_type":"yarn"}}`, `"yarn"`},
		{"new scaling", modern + `,"rope_parameters":{"sliding_attention":{"rope_type":"linear"}}}`, `"linear" for sliding_attention`},
		{"theta", modern + `,"global_rope_theta":-1}`, "rope_theta is -1"},
		{"layer types", modern + `,"layer_types":["full_attention","chunked_attention"]}`, "chunked_attention"},
		{"too few layer types", modern + `,"layer_types":["full_attention"]}`, "speaks of 1 layers"},
		{"never global", modern + `,"global_attn_every_n_layers":0}`, "global_attn_every_n_layers"},
		{"window", modern + `,"local_attention":-4}`, "local_attention"},
		{"buckets", plain + `,"model_type":"mpnet","relative_attention_num_buckets":64}`, "relative_attention_num_buckets is 64"},
		{"other padding", plain + `,"model_type":"mpnet","pad_token_id":0}`, "pad_token_id is 0"},
		{"interleaved", ofNomic + `,"rotary_emb_interleaved":true}`, "rotary_emb_interleaved"},
		{"experts", ofNomic + `,"moe_every_n_layers":2}`, "moe_every_n_layers"},
		{"normalized before", ofNomic + `,"prenorm":true}`, "prenorm"},
		{"part of a head", ofNomic + `,"rotary_emb_fraction":0.5}`, "rotary_emb_fraction is 0.5"},
		{"ungated", ofNomic + `,"activation_function":"gelu"}`, `activation_function is "gelu"`},
		{"shrunk", ofNomic + `,"rotary_scaling_factor":0.5}`, "factor 0.5"},
		{"never trained", ofNomic + `,"rotary_scaling_factor":2,"max_trained_positions":0}`, "max_trained_positions is 0"},
		{"swiglu without a gate", plain + `,"hidden_act":"silu"}`, `hidden_act is "silu"`},
		{"norm", ofNew + `,"layer_norm_type":"rms_norm"}`, `"rms_norm"`},
		{"three matrices", ofNew + `,"pack_qkv":false}`, "pack_qkv"},
		{"scaled attention", ofNew + `,"logn_attention_scale":true}`, "logn_attention_scale"},
		{"learned positions", ofNew + `,"position_embedding_type":"absolute"}`, `"absolute"`},
		{"mixed", ofNew + `,"rope_scaling":{"type":"ntk","factor":2,"mixed_b":0.6}}`, "mixed_b"},
		{"some of a head", ofNew + `,"rope_parameters":{"partial_rotary_factor":0.5}}`, "partial_rotary_factor is 0.5"},
		{"uneven groups", plain + `,"model_type":"albert","embedding_size":8,"num_hidden_layers":3,"num_hidden_groups":2}`, "num_hidden_groups 2"},
		{"groups within groups", plain + `,"model_type":"albert","inner_group_num":2}`, "inner_group_num is 2"},
		{"no embedding", plain + `,"model_type":"electra","embedding_size":-1}`, "embedding_size is -1"},
		{"odd heads", modern + `,"num_attention_heads":8}`, "heads of 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseConfig([]byte(c.config))
			if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %q", err, c.want)
			}
		})
	}
	for _, good := range []string{plain, modern, ofNomic, ofNew, ofNew + `,"model_type":"gte"`} {
		if _, err := ParseConfig([]byte(good + "}")); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(plain + "}")
	f.Add(modern + "}")
	f.Add(modern + `,"layer_types":["full_attention","sliding_attention"],"rope_parameters":{"full_attention":{"rope_theta":2}},"global_rope_theta":3}`)
	f.Add(ofNomic + `,"rotary_scaling_factor":2,"max_trained_positions":32}`)
	f.Add(ofNew + `,"rope_scaling":{"type":"ntk","factor":2},"rope_theta":20000}`)
	f.Add(plain + `,"model_type":"albert","embedding_size":8,"num_hidden_groups":2}`)
	f.Add(plain + `,"model_type":"mpnet","pad_token_id":1,"relative_attention_num_buckets":32}`)
	f.Add(`{"model_type":"distilbert","dim":32,"hidden_dim":40,"n_layers":2,"n_heads":2,"vocab_size":64,"max_position_embeddings":64}`)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseConfig([]byte(text))
		if err != nil || !c.rotation.on {
			return
		}
		for i := range c.Layers {
			if c.rotation.theta[c.rotation.kind(i)] <= 0 {
				t.Error(c.rotation)
			}
		}
	})
}
