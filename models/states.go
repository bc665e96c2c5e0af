package models

import "fmt"

// A State is float32 of [batch, Dims...]: the input past_state.Name and the output present_state.Name. What a text
// that begins finds there counts for nothing.
type State struct {
	Name string `json:"name"`
	Dims []int  `json:"dims"`
}

// Size is how many numbers it has of a text.
func (s State) Size() int {
	n := 1
	for _, d := range s.Dims {
		n *= d
	}
	return n
}

// Shape is that of the tensor of so many texts.
func (s State) Shape(texts int) []int64 {
	shape := []int64{int64(texts)}
	for _, d := range s.Dims {
		shape = append(shape, int64(d))
	}
	return shape
}

// StateBytes is what a text takes in states.
func (d *Decoder) StateBytes() (n int64) {
	for _, s := range d.States {
		n += 4 * int64(s.Size())
	}
	return n
}

// Cached are the layers that have a KV cache.
func (d *Decoder) Cached() []int {
	if d.CacheLayers != nil {
		return d.CacheLayers
	}
	all := make([]int, d.Layers)
	for i := range all {
		all[i] = i
	}
	return all
}

// checkStates bounds what a slot holds beside its cache.
func (d *Decoder) checkStates() error {
	if d.CacheLayers != nil && len(d.CacheLayers) == 0 {
		return fmt.Errorf("%w: cache_layers of the decoder name none", ErrBundle)
	}
	for _, layer := range d.CacheLayers {
		if layer < 0 || layer >= d.Layers {
			return fmt.Errorf("%w: cache_layers of the decoder name layer %d of %d", ErrBundle, layer, d.Layers)
		}
	}
	const most = 1 << 24
	if len(d.CacheLayers) > d.Layers || len(d.States) > 4*d.Layers {
		return fmt.Errorf("%w: a decoder of %d layers has %d caches and %d states", ErrBundle, d.Layers, len(d.CacheLayers),
			len(d.States))
	}
	for _, s := range d.States {
		n := 1
		for _, size := range s.Dims {
			if size < 1 || size > most/n {
				return fmt.Errorf("%w: state %q of the decoder has the dimensions %v", ErrBundle, s.Name, s.Dims)
			}
			n *= size
		}
	}
	return nil
}
