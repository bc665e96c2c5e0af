package encoder

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
)

// distilNames are DistilBERT's words for the same.
type distilNames struct {
	Dim        int    `json:"dim"`
	HiddenDim  int    `json:"hidden_dim"`
	Layers     int    `json:"n_layers"`
	Heads      int    `json:"n_heads"`
	Activation string `json:"activation"`
}

func readDistil(c *Config, data []byte) error {
	var d distilNames
	if err := json.Unmarshal(data, &d); err != nil {
		return fmt.Errorf("read config.json: %w", err)
	}
	c.HiddenSize, c.Intermediate, c.Layers, c.Heads, c.Activation = d.Dim, d.HiddenDim, d.Layers, d.Heads, d.Activation
	return nil
}

// readMPNet holds the configuration to what MPNet's code takes for granted.
func readMPNet(c *Config, data []byte) error {
	m := struct {
		Buckets int `json:"relative_attention_num_buckets"`
	}{Buckets: distanceBuckets}
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("read config.json: %w", err)
	}
	switch {
	case m.Buckets != distanceBuckets:
		return fmt.Errorf("%w: relative_attention_num_buckets is %d, %d is known", ErrUnsupported, m.Buckets, distanceBuckets)
	case c.PadID != nil && *c.PadID != 1:
		return fmt.Errorf("%w: pad_token_id is %d, MPNet counts positions from 1", ErrUnsupported, *c.PadID)
	}
	return nil
}

// nomicNames are the words of the code that came with the checkpoints; transformers' own are BERT's.
type nomicNames struct {
	Size        int      `json:"n_embd"`
	Inner       int      `json:"n_inner"`
	Layers      int      `json:"n_layer"`
	Heads       int      `json:"n_head"`
	Positions   int      `json:"n_positions"`
	Epsilon     *float64 `json:"layer_norm_epsilon"`
	Activation  string   `json:"activation_function"`
	QKVBias     *bool    `json:"qkv_proj_bias"`
	UpBias      *bool    `json:"mlp_fc1_bias"`
	DownBias    *bool    `json:"mlp_fc2_bias"`
	Base        *float64 `json:"rotary_emb_base"`
	Fraction    *float64 `json:"rotary_emb_fraction"`
	ScaleBase   *float64 `json:"rotary_emb_scale_base"`
	Interleaved bool     `json:"rotary_emb_interleaved"`
	Factor      *float64 `json:"rotary_scaling_factor"`
	Trained     int      `json:"max_trained_positions"`
	PreNorm     bool     `json:"prenorm"`
	Parallel    bool     `json:"parallel_block"`
	RMS         bool     `json:"use_rms_norm"`
	Experts     int      `json:"moe_every_n_layers"`
}

func readNomic(c *Config, data []byte) error {
	n, theta := nomicNames{Trained: 2048}, 1000.0
	own := struct {
		Activation string `json:"hidden_act"`
	}{"silu"}
	if err := errors.Join(json.Unmarshal(data, &n), json.Unmarshal(data, &own)); err != nil {
		return fmt.Errorf("read config.json: %w", err)
	}
	for key, set := range map[string]bool{"rotary_emb_interleaved": n.Interleaved, "prenorm": n.PreNorm,
		"parallel_block": n.Parallel, "use_rms_norm": n.RMS, "moe_every_n_layers": n.Experts > 0,
		"rotary_emb_scale_base": n.ScaleBase != nil} {
		if set {
			return fmt.Errorf("%w: %s is set, which no nomic-embed-text v1 has", ErrUnsupported, key)
		}
	}
	if n.Fraction != nil && *n.Fraction != 1 {
		return fmt.Errorf("%w: rotary_emb_fraction is %v, 1 is known", ErrUnsupported, *n.Fraction)
	}
	if n.Trained < 1 {
		return fmt.Errorf("%w: max_trained_positions is %d", ErrUnsupported, n.Trained)
	}
	theirs := n.Size > 0
	c.HiddenSize, c.Intermediate = cmp.Or(c.HiddenSize, n.Size), cmp.Or(c.Intermediate, n.Inner)
	c.Layers, c.Heads = cmp.Or(c.Layers, n.Layers), cmp.Or(c.Heads, n.Heads)
	c.attentionBias = either(n.QKVBias, theirs)
	c.upBias, c.downBias = either(n.UpBias, theirs), either(n.DownBias, theirs)
	c.Activation, c.Epsilon = own.Activation, either(n.Epsilon, c.Epsilon)
	if theirs {
		activation, ok := map[string]string{"swiglu": "silu", "geglu": "gelu"}[n.Activation]
		if !ok {
			return fmt.Errorf("%w: activation_function is %q; known are geglu and swiglu", ErrUnsupported, n.Activation)
		}
		c.Activation = activation
	}
	if err := readRope(c, data, either(n.Base, theta)); err != nil {
		return err
	}
	if n.Factor != nil {
		if err := c.scale(ropeParameters{Type: "dynamic", Factor: *n.Factor}); err != nil {
			return err
		}
		c.rotation.stretch.from = n.Trained
	}
	c.MaxPositions = max(c.MaxPositions, n.Positions)
	return nil
}

// either is a value, or what stands for none.
func either[T any](v *T, none T) T {
	if v == nil {
		return none
	}
	return *v
}

func readElectra(c *Config, data []byte) error {
	e := struct {
		Size int `json:"embedding_size"`
	}{128}
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("read config.json: %w", err)
	}
	c.embeddingSize = e.Size
	return nil
}

func readAlbert(c *Config, data []byte) error {
	a := struct {
		Activation string `json:"hidden_act"`
		Groups     int    `json:"num_hidden_groups"`
		Inner      int    `json:"inner_group_num"`
	}{"gelu_new", 1, 1}
	if err := json.Unmarshal(data, &a); err != nil {
		return fmt.Errorf("read config.json: %w", err)
	}
	if a.Inner != 1 {
		return fmt.Errorf("%w: inner_group_num is %d, 1 is known", ErrUnsupported, a.Inner)
	}
	c.Activation, c.groups = a.Activation, a.Groups
	return readElectra(c, data)
}

// readRoberta takes one that rotates, as the code beside jina-embeddings-v3 calls it, for what it is.
func readRoberta(c *Config, data []byte) error {
	if c.PositionType != "rotary" {
		return nil
	}
	r := struct {
		Base float64 `json:"rotary_emb_base"`
	}{10000}
	if err := json.Unmarshal(data, &r); err != nil {
		return fmt.Errorf("read config.json: %w", err)
	}
	c.family, c.PositionType = jina, "absolute"
	return readRope(c, data, r.Base)
}

func readJina(c *Config, data []byte) error { return readRope(c, data, 20000) }

// readGTE reads GTE in transformers' words and in those of the code that came with the checkpoints. They differ in the
// base where config.json has none.
func readGTE(theta float64) func(c *Config, data []byte) error {
	return func(c *Config, data []byte) error {
		n := struct {
			Norm     string `json:"layer_norm_type"`
			Packed   bool   `json:"pack_qkv"`
			LogN     bool   `json:"logn_attention_scale"`
			Position string `json:"position_embedding_type"`
		}{"layer_norm", true, false, "rope"}
		if err := json.Unmarshal(data, &n); err != nil {
			return fmt.Errorf("read config.json: %w", err)
		}
		switch {
		case n.Norm != "layer_norm":
			return fmt.Errorf("%w: layer_norm_type is %q, layer_norm is known", ErrUnsupported, n.Norm)
		case !n.Packed:
			return fmt.Errorf("%w: pack_qkv is false, true is known", ErrUnsupported)
		case n.LogN:
			return fmt.Errorf("%w: logn_attention_scale is set", ErrUnsupported)
		case n.Position != "rope":
			return fmt.Errorf("%w: position_embedding_type is %q, rope is known", ErrUnsupported, n.Position)
		}
		c.upBias, c.PositionType = false, "absolute"
		return readRope(c, data, theta)
	}
}
