package decoder

import (
	"fmt"
	"strconv"
)

// shapes are those of attention in layers that see everything, where they differ from the others'.
type shapes struct {
	FullHeadSize int              `json:"global_head_dim"`
	FullKVHeads  int              `json:"num_global_key_value_heads"`
	PerLayer     map[string]shape `json:"per_layer_config"`
}

type shape struct {
	HeadSize int `json:"head_dim"`
	KVHeads  int `json:"num_key_value_heads"`
}

// settleShapes takes what per_layer_config says. It names layers by their numbers, with zeros before them where there
// are many, and has to say the same of all that see everything, and nothing of the others.
func (c *Config) settleShapes() error {
	if !c.family.fullShape || c.Layers > maxLayers || len(c.LayerTypes) > 0 && len(c.LayerTypes) != c.Layers {
		return nil // or it is refused for that
	}
	given := map[int]shape{}
	for key, s := range c.PerLayer {
		i, err := strconv.Atoi(key)
		if err != nil || i < 0 || i >= c.Layers || c.slides(i) {
			return fmt.Errorf("%w: per_layer_config has an entry %q, which is no layer of full attention", ErrUnsupported, key)
		}
		c.FullHeadSize, c.FullKVHeads, given[i] = s.HeadSize, s.KVHeads, s
	}
	for i := range c.Layers {
		if len(given) > 0 && !c.slides(i) && given[i] != (shape{c.FullHeadSize, c.FullKVHeads}) {
			return fmt.Errorf("%w: per_layer_config does not give all layers of full attention one shape", ErrUnsupported)
		}
	}
	if c.FullHeadSize < 1 || c.FullHeadSize > maxHead || c.FullHeadSize%16 != 0 || c.FullKVHeads < 1 ||
		c.Heads%c.FullKVHeads != 0 {
		return fmt.Errorf("%w: layers of full attention have %d attention heads, %d key-value heads and head_dim %d",
			ErrUnsupported, c.Heads, c.FullKVHeads, c.FullHeadSize)
	}
	return nil
}

// fullHead is the size of a head in layers that see everything.
func (c *Config) fullHead() int {
	if c.family.fullShape {
		return c.FullHeadSize
	}
	return c.HeadSize
}

func (c *Config) headSize(layer int) int {
	if c.slides(layer) {
		return c.HeadSize
	}
	return c.fullHead()
}

func (c *Config) kvHeads(layer int) int {
	if c.family.fullShape && !c.slides(layer) {
		return c.FullKVHeads
	}
	return c.KVHeads
}
