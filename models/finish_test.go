package models

import (
	"math"
	"slices"
	"testing"
)

func TestFinish(t *testing.T) {
	v := []float32{3, -4, 0, 12, 0, 0, 0, 0, 1}
	for _, c := range []struct {
		name string
		p    VectorParams
		want FinishedVector
	}{
		{"as it is", VectorParams{}, FinishedVector{F: v, Norm: math.Sqrt(170), Dim: 9}},
		{"cut, then measured and normalized", VectorParams{Dimensions: 2, Normalize: true}, FinishedVector{F: []float32{0.6, -0.8}, Norm: 5, Dim: 2}},
		{"int8", VectorParams{Dimensions: 4, Precision: Int8}, FinishedVector{I8: []int8{32, -42, 0, 127}, Norm: 13, Dim: 4}},
		{"uint8", VectorParams{Dimensions: 4, Normalize: true, Precision: Uint8}, FinishedVector{U8: []uint8{160, 86, 128, 255}, Norm: 13, Dim: 4}},
		{"binary", VectorParams{Precision: Binary}, FinishedVector{I8: []int8{0x90 - 128, 0x80 - 128}, Norm: math.Sqrt(170), Dim: 9}},
		{"ubinary", VectorParams{Precision: Ubinary}, FinishedVector{U8: []uint8{0x90, 0x80}, Norm: math.Sqrt(170), Dim: 9}},
	} {
		got, err := Finish(slices.Clone(v), c.p)
		if err != nil {
			t.Fatal(err)
		}
		if !near(got.F, c.want.F) || !slices.Equal(got.I8, c.want.I8) || !slices.Equal(got.U8, c.want.U8) ||
			math.Abs(got.Norm-c.want.Norm) > 1e-6 || got.Dim != c.want.Dim {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	zero, err := Finish(make([]float32, 3), VectorParams{Normalize: true, Precision: Int8})
	if err != nil || zero.Norm != 0 || !slices.Equal(zero.I8, []int8{0, 0, 0}) {
		t.Errorf("a vector of length 0: %+v, %v", zero, err)
	}
	for _, p := range []VectorParams{{Dimensions: 10}, {Dimensions: -1}, {Precision: "int4"}} {
		if _, err := Finish(slices.Clone(v), p); err == nil {
			t.Errorf("%+v was accepted", p)
		}
	}
}
