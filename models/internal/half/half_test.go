package half

import (
	"math"
	"slices"
	"testing"
)

func TestWidenHalves(t *testing.T) {
	halves := []byte{0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0xff, 0x7b, 0x00, 0x7c, 0x00, 0x80}
	got := make([]float32, 6)
	Widen(got, halves)
	want := []float32{1, -2, 1.0 / (1 << 24), 65504, float32(math.Inf(1)), 0}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	Widen(got[:1], []byte{0x01, 0x7e})
	if got[0] == got[0] {
		t.Errorf("%v, want NaN", got[0])
	}
}
