package encoder

import (
	"encoding/json"
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
