package generate

import (
	"testing"

	"textmill/models"
)

// The cache is counted whole, as far as it may come, since all of it is reserved when a model is opened.
func TestTheCacheIsCountedWhole(t *testing.T) {
	d := &models.Decoder{Layers: 22, KVHeads: 4, HeadSize: 64, CacheType: "float16", MaxPositions: 2048}
	whole := 64 * 2048 * d.KVBytes()
	for _, c := range []struct {
		o    Options
		want int64
	}{
		{Options{Slots: 64}, whole},
		{Options{Slots: 64, MaxLength: 512}, whole / 4},
		{Options{Slots: 64, Memory: 1 << 30}, 1 << 30},
	} {
		if got := cacheBytes(d, c.o); got != c.want {
			t.Errorf("%+v: %d, want %d", c.o, got, c.want)
		}
	}
}
