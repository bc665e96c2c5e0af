package models

import (
	"errors"
	"testing"
)

func TestStatesThatNoModelHasAreRefused(t *testing.T) {
	good := Decoder{Layout: MoreLayout, Layers: 2, KVHeads: 1, HeadSize: 16, VocabSize: 64, MaxPositions: 64,
		Graphs: []DecoderGraph{{File: "onnx/model.onnx"}}, CacheLayers: []int{1}, States: []State{{"0.conv", []int{2, 32}}}}
	if err := good.check(); err != nil || good.KVBytes() != 2*4*16 || good.StateBytes() != 4*64 {
		t.Error(err, good.KVBytes(), good.StateBytes())
	}
	for name, spoil := range map[string]func(d *Decoder){
		"no caches":         func(d *Decoder) { d.CacheLayers = []int{} },
		"a layer too many":  func(d *Decoder) { d.CacheLayers = []int{2} },
		"caches too many":   func(d *Decoder) { d.CacheLayers = []int{0, 1, 1} },
		"a negative layer":  func(d *Decoder) { d.CacheLayers = []int{-1} },
		"an empty state":    func(d *Decoder) { d.States = []State{{"0.conv", []int{0}}} },
		"a large state":     func(d *Decoder) { d.States = []State{{"0.conv", []int{1 << 20, 1 << 20}}} },
		"states too many":   func(d *Decoder) { d.States = make([]State, 9) },
		"positions too few": func(d *Decoder) { d.OriginalPositions = 64 },
	} {
		d := good
		if spoil(&d); !errors.Is(d.check(), ErrBundle) {
			t.Errorf("%s: %v", name, d.check())
		}
	}
}
