package generate

import (
	"path/filepath"

	"textmill/models"
	"textmill/models/session"
)

// workBytes is about what runs of a decoder take of a card beside weights and cache, for each of its graphs.
const workBytes = 512 << 20

// claim has the model promised its part of a card's memory before it loads: the weights of its graphs, of which each
// session has its own, the cache whole, and what runs need. main and choice bound the two sessions.
func claim(spec *models.Spec, o Options) (share session.Share, main, choice int64, err error) {
	weights, err := session.WeightBytes(spec.GraphPath())
	if err != nil {
		return share, 0, 0, err
	}
	var second int64
	if spec.Card != nil && spec.Card.Choice != "" {
		second, err = session.WeightBytes(filepath.Join(spec.Dir, filepath.FromSlash(spec.Card.Choice)))
		if err != nil {
			return share, 0, 0, err
		}
		choice = second + workBytes
	}
	work := workBytes + choice - second + cacheBytes(spec.Decoder, o)
	share, err = o.Session.Claim(spec.Name, session.Demand{Weights: weights + second, Least: work, Wanted: work})
	if err != nil || share.Bytes == 0 {
		return share, 0, 0, err
	}
	return share, share.Bytes - choice, choice, nil
}

// cacheBytes is the most that the cache comes to.
func cacheBytes(d *models.Decoder, o Options) int64 {
	length := d.MaxPositions
	if o.MaxLength > 0 {
		length = min(length, o.MaxLength)
	}
	whole := int64(o.Slots) * int64(length) * d.KVBytes()
	if o.Memory > 0 {
		whole = min(whole, o.Memory)
	}
	return whole
}
