package checkpoint

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
)

const kvHeads = "attention.head_count_kv"

// readConfig writes config.json in Hugging Face's words from the file's keys.
func (g *ggufModel) readConfig() error {
	name := g.Text("general.architecture")
	arch, ok := ggufArchitectures[name]
	if !ok {
		return fmt.Errorf("%w: general.architecture is %q; known are %v", ErrUnsupported, name,
			slices.Sorted(maps.Keys(ggufArchitectures)))
	}
	if n, ok := g.Int(name + ".expert_count"); ok && n > 0 {
		return fmt.Errorf("%w: %s with %d experts", ErrUnsupported, name, n)
	}
	g.arch = arch
	c := map[string]any{"architectures": []string{arch.architecture}, "model_type": arch.modelType, "hidden_act": "silu",
		"torch_dtype": "float32"}
	if arch.gelu {
		delete(c, "hidden_act")
		c["hidden_activation"] = "gelu_pytorch_tanh"
	}
	for _, k := range []struct {
		key, hf  string
		required bool
	}{
		{"block_count", "num_hidden_layers", true}, {"context_length", "max_position_embeddings", true},
		{"embedding_length", "hidden_size", true}, {"feed_forward_length", "intermediate_size", true},
		{"attention.head_count", "num_attention_heads", true}, {kvHeads, "num_key_value_heads", false},
		{"attention.key_length", "head_dim", false}, {"attention.sliding_window", "sliding_window", false},
	} {
		if n, ok := g.Int(name + "." + k.key); ok {
			c[k.hf] = n
		} else if k.required || g.Has(name+"."+k.key) && !(k.key == kvHeads && g.Has(name+".shortconv.l_cache")) {
			return fmt.Errorf("%w: %s.%s is no single number", ErrUnsupported, name, k.key)
		}
	}
	if err := cmp.Or(g.readNumbers(name, c), g.readPooling(name, c)); err != nil {
		return err
	}
	if arch.scale != nil {
		c["query_pre_attn_scalar"] = arch.scale(g, name)
	}
	g.readLayers(name, c)
	g.readConvolutions(name, c)
	if err := cmp.Or(g.readDeltas(name, c), g.readRotary(name, c)); err != nil {
		return err
	}
	g.readShapes(c)
	for key, v := range c {
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return fmt.Errorf("%w: %s (%s) is %v", ErrUnsupported, key, name, f)
		}
	}
	var err error
	g.configJSON, err = json.MarshalIndent(c, "", "  ")
	return err
}

// readNumbers takes the epsilon of norms, and numbers that some architectures have.
func (g *ggufModel) readNumbers(name string, c map[string]any) error {
	epsilon, hf := ".attention.layer_norm_rms_epsilon", "rms_norm_eps"
	if g.arch.encoder {
		epsilon, hf = ".attention.layer_norm_epsilon", "layer_norm_eps"
	}
	var ok bool
	if c[hf], ok = g.Float(name + epsilon); !ok {
		return fmt.Errorf("%w: %s%s is missing", ErrUnsupported, name, epsilon)
	}
	for own, hf := range ggufNumbers {
		if f, ok := g.Float(name + "." + own); ok {
			c[hf] = f
		}
	}
	return nil
}

// readRotary takes how positions are rotated.
func (g *ggufModel) readRotary(name string, c map[string]any) error {
	for own, hf := range map[string]string{"freq_base": "rope_theta", "freq_base_swa": "rope_local_base_freq"} {
		if theta, ok := g.Float(name + ".rope." + own); ok {
			c[hf] = theta
		}
	}
	head, hasHead := g.Int(name + ".attention.key_length")
	if heads, _ := g.Int(name + ".attention.head_count"); !hasHead && heads > 0 {
		hidden, _ := g.Int(name + ".embedding_length")
		head, hasHead = hidden/heads, g.arch.partial
	}
	if d, ok := g.Int(name + ".rope.dimension_count"); ok && hasHead && d != head {
		if !g.arch.partial || head <= 0 {
			return fmt.Errorf("%w: %d of a head's %d dimensions rotate", ErrUnsupported, d, head)
		}
		c["partial_rotary_factor"] = float64(d) / float64(head)
	} else if g.arch.partial {
		c["partial_rotary_factor"] = 1.0
	}
	if err := g.readLongRope(name, c); err != nil {
		return err
	}
	switch kind := g.Text(name + ".rope.scaling.type"); kind {
	case "", "none":
	case "linear", "yarn":
		scaling := map[string]any{"rope_type": kind}
		if f, ok := g.Float(name + ".rope.scaling.factor"); ok {
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return fmt.Errorf("%w: %s.rope.scaling.factor is %v", ErrUnsupported, name, f)
			}
			scaling["factor"] = f
		}
		if n, ok := g.Int(name + ".rope.scaling.original_context_length"); ok && n > 0 {
			scaling["original_max_position_embeddings"] = n
		}
		c["rope_scaling"] = scaling
	default:
		return fmt.Errorf("%w: %s.rope.scaling.type is %q", ErrUnsupported, name, kind)
	}
	if layers, _ := g.Int(name + ".block_count"); g.arch.sparseRotary && layers <= 1024 {
		rotates := make([]int, max(layers, 0))
		for i := range rotates {
			if i%4 != 3 {
				rotates[i] = 1
			}
		}
		c["no_rope_layers"] = rotates
	}
	return nil
}

// readShapes takes what only the tensors tell.
func (g *ggufModel) readShapes(c map[string]any) {
	n, _ := c["max_position_embeddings"].(int64)
	g.context = int(n)
	if t, ok := g.Tensor("token_embd.weight"); ok {
		c["vocab_size"] = t.Rows()
	}
	if g.arch.encoder {
		g.readEncoder(c)
		return
	}
	_, head := g.Tensor("output.weight")
	c["tie_word_embeddings"] = !head
	_, qkv := g.Tensor("blk.0.attn_q.bias")
	_, output := g.Tensor("blk.0.attn_output.bias")
	c["attention_bias"] = qkv && (output || g.arch.plainO)
	_, mlp := g.Tensor("blk.0.ffn_up.bias")
	c["mlp_bias"] = mlp
	for key, own := range map[string]string{"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"} {
		if id, ok := g.Int("tokenizer.ggml." + own + "_token_id"); ok {
			c[key] = id
		}
	}
	heads, _ := c["num_attention_heads"].(int64)
	keys, ok := c["num_key_value_heads"].(int64)
	if !ok {
		keys = heads
	}
	if g.arch.interleaved && heads > 0 && keys > 0 && heads < 1<<20 && keys < 1<<20 {
		g.heads = map[string]int{"attn_q": int(heads), "attn_k": int(keys)}
	}
}
