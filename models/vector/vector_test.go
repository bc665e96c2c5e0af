package vector

import (
	"math"
	"slices"
	"testing"
)

func TestFinish(t *testing.T) {
	v := []float32{3, -4, 0, 12, 0, 0, 0, 0, 1}
	for _, c := range []struct {
		name string
		p    Params
		want Finished
	}{
		{"as it is", Params{}, Finished{F: v, Norm: math.Sqrt(170), Dim: 9}},
		{"cut, then measured and normalized", Params{Dimensions: 2, Normalize: true}, Finished{F: []float32{0.6, -0.8}, Norm: 5, Dim: 2}},
		{"int8", Params{Dimensions: 4, Precision: Int8}, Finished{I8: []int8{32, -42, 0, 127}, Norm: 13, Dim: 4}},
		{"uint8", Params{Dimensions: 4, Normalize: true, Precision: Uint8}, Finished{U8: []uint8{160, 86, 128, 255}, Norm: 13, Dim: 4}},
		{"binary", Params{Precision: Binary}, Finished{I8: []int8{0x90 - 128, 0x80 - 128}, Norm: math.Sqrt(170), Dim: 9}},
		{"ubinary", Params{Precision: Ubinary}, Finished{U8: []uint8{0x90, 0x80}, Norm: math.Sqrt(170), Dim: 9}},
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
	zero, err := Finish(make([]float32, 3), Params{Normalize: true, Precision: Int8})
	if err != nil || zero.Norm != 0 || !slices.Equal(zero.I8, []int8{0, 0, 0}) {
		t.Errorf("a vector of length 0: %+v, %v", zero, err)
	}
	for _, p := range []Params{{Dimensions: 10}, {Dimensions: -1}, {Precision: "int4"}} {
		if _, err := Finish(slices.Clone(v), p); err == nil {
			t.Errorf("%+v was accepted", p)
		}
	}
}

func near(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Abs(float64(x-y)) < 1e-5 })
}

func BenchmarkFinish(b *testing.B) {
	v := make([]float32, 384)
	for i := range v {
		v[i] = float32(i%17) - 8
	}
	for b.Loop() {
		if _, err := Finish(v, Params{Normalize: true}); err != nil {
			b.Fatal(err)
		}
	}
}
