package encoder

import (
	"errors"
	"strings"
	"testing"
)

const (
	plain  = `{"model_type":"bert","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":40,"vocab_size":64,"max_position_embeddings":64,"type_vocab_size":2`
	modern = `{"model_type":"modernbert","hidden_size":32,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":40,"vocab_size":64,"max_position_embeddings":64`
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
		{"gate", modern + `,"hidden_activation":"silu"}`, `hidden_act is "silu"`},
		{"scaling", modern + `,"rope_scaling":{"rope_type":"yarn"}}`, `"yarn"`},
		{"new scaling", modern + `,"rope_parameters":{"sliding_attention":{"rope_type":"linear"}}}`, `"linear" for sliding_attention`},
		{"theta", modern + `,"global_rope_theta":-1}`, "rope_theta is -1"},
		{"layer types", modern + `,"layer_types":["full_attention","chunked_attention"]}`, "chunked_attention"},
		{"too few layer types", modern + `,"layer_types":["full_attention"]}`, "speaks of 1 layers"},
		{"never global", modern + `,"global_attn_every_n_layers":0}`, "global_attn_every_n_layers"},
		{"window", modern + `,"local_attention":-4}`, "local_attention"},
		{"buckets", plain + `,"model_type":"mpnet","relative_attention_num_buckets":64}`, "relative_attention_num_buckets is 64"},
		{"other padding", plain + `,"model_type":"mpnet","pad_token_id":0}`, "pad_token_id is 0"},
		{"odd heads", modern + `,"num_attention_heads":8}`, "heads of 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseConfig([]byte(c.config))
			if !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want it to name %q", err, c.want)
			}
		})
	}
	for _, good := range []string{plain, modern} {
		if _, err := ParseConfig([]byte(good + "}")); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(plain + "}")
	f.Add(modern + "}")
	f.Add(modern + `,"layer_types":["full_attention","sliding_attention"],"rope_parameters":{"full_attention":{"rope_theta":2}},"global_rope_theta":3}`)
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
