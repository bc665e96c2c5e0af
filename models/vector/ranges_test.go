package vector

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// TestRangesAreSentenceTransformers holds quantized values to quantize_embeddings', each of them.
func TestRangesAreSentenceTransformers(t *testing.T) {
	data, err := os.ReadFile("testdata/ranges.json")
	if err != nil {
		t.Fatal(err)
	}
	var g struct {
		Ranges, Vectors              [][]uint32
		Int8, Uint8, Binary, Ubinary [][]int
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	floats := func(bits []uint32) []float32 {
		v := make([]float32, len(bits))
		for i, b := range bits {
			v[i] = math.Float32frombits(b)
		}
		return v
	}
	r := &Ranges{floats(g.Ranges[0]), floats(g.Ranges[1])}
	again, err := DecodeRanges(r.String(), len(r.Least))
	if err != nil || !slices.Equal(again.Least, r.Least) || !slices.Equal(again.Most, r.Most) || strings.ContainsAny(r.String(), "/:= ") {
		t.Fatalf("written and read again: %v, %v", again, err)
	}
	for precision, want := range map[string][][]int{Int8: g.Int8, Uint8: g.Uint8, Binary: g.Binary, Ubinary: g.Ubinary} {
		for i, bits := range g.Vectors {
			f, err := Finish(floats(bits), Params{Precision: precision, Ranges: again})
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for _, q := range f.I8 {
				got = append(got, int(q))
			}
			for _, q := range f.U8 {
				got = append(got, int(q))
			}
			if !slices.Equal(got, want[i]) {
				t.Errorf("%s of vector %d: %v, want %v", precision, i, got, want[i])
			}
		}
	}
}

// What is widened lies within half a step of what it was made of.
func TestRangesWiden(t *testing.T) {
	r := &Ranges{[]float32{-1, 0, 2}, []float32{1, 10, 2}}
	v := []float32{-0.3, 7, 2, 0.99, 0.01, 2}
	var steps []float32
	for at := 0; at < len(v); at += 3 {
		r.quantize(v[at:at+3], func(_ int, q float64) { steps = append(steps, float32(q)) })
	}
	r.Widen(steps)
	for i, x := range steps {
		if off := math.Abs(float64(x - v[i])); off > float64(r.step(i%3))*0.501 {
			t.Errorf("value %d: %v of %v", i, x, v[i])
		}
	}
}

func TestBadRangesAreNamed(t *testing.T) {
	for says, r := range map[string]*Ranges{
		"dimension 1 is from 2 to 1": {[]float32{0, 2}, []float32{1, 1}},
		"2 least values and 1":       {[]float32{0, 2}, []float32{1}},
		"dimension 0":                {[]float32{float32(math.NaN())}, []float32{1}},
	} {
		if err := r.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v: %v", r, err)
		}
	}
	if _, err := DecodeRanges("AAAA", 1); err == nil {
		t.Error("too short ranges were read")
	}
	_, err := Finish([]float32{1, 2}, Params{Precision: Int8, Ranges: &Ranges{[]float32{0}, []float32{1}}})
	if err == nil || !strings.Contains(err.Error(), "ranges") {
		t.Error(err)
	}
}

func FuzzDecodeRanges(f *testing.F) {
	f.Add((&Ranges{[]float32{-1}, []float32{1}}).String(), 1)
	f.Fuzz(func(t *testing.T, s string, dim int) {
		r, err := DecodeRanges(s, max(0, dim%4096))
		if err != nil {
			return
		}
		if r.String() != strings.NewReplacer("\n", "", "\r", "").Replace(s) {
			t.Errorf("%q is read as %q", s, r.String())
		}
	})
}
