package generate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"textmill/models"
)

// A cache holds the keys and values of every slot, outside of Go's heap: [slots, kv_heads, max_length, head_size]
// floats for each layer's keys and each layer's values. Pages that no token has touched take no memory.
type cache struct {
	memory []byte
	layers [][]float32 // key and value of each layer, in the order of the graph's inputs
	heads  int
	length int // of a slot, in tokens
	size   int // of a head
}

func newCache(d *models.Decoder, slots, length int) (*cache, error) {
	c := &cache{heads: d.KVHeads, length: length, size: d.HeadSize}
	floats := slots * c.heads * length * c.size
	layers := 2 * len(d.Cached())
	memory, err := unix.Mmap(-1, 0, layers*floats*4, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("reserve %d MiB of addresses for the KV cache of %d slots of %d tokens: %w; lower slots or max_total_tokens",
			layers*floats*4>>20, slots, length, err)
	}
	c.memory = memory
	all := unsafe.Slice((*float32)(unsafe.Pointer(&memory[0])), layers*floats)
	for i := range layers {
		c.layers = append(c.layers, all[i*floats:(i+1)*floats:(i+1)*floats])
	}
	return c, nil
}

// view is the memory of n slots from first on, in one layer's keys or values.
func (c *cache) view(layer, first, n int) []float32 {
	per := c.heads * c.length * c.size
	return c.layers[layer][first*per : (first+n)*per]
}

// head is what one slot holds for one head.
func (c *cache) head(layer, slot, head int) []float32 {
	at := (slot*c.heads + head) * c.length * c.size
	return c.layers[layer][at : at+c.length*c.size]
}

// copy puts the first tokens of one slot into another.
func (c *cache) copy(to, from, tokens int) {
	for layer := range c.layers {
		for h := range c.heads {
			copy(c.head(layer, to, h)[:tokens*c.size], c.head(layer, from, h)[:tokens*c.size])
		}
	}
}

// same tells whether two slots hold the same bits for the tokens between.
func (c *cache) same(a, b, from, to int) bool {
	for layer := range c.layers {
		for h := range c.heads {
			if !slices.EqualFunc(c.head(layer, a, h)[from*c.size:to*c.size], c.head(layer, b, h)[from*c.size:to*c.size],
				func(x, y float32) bool {
					return math.Float32bits(x) == math.Float32bits(y) || x != x && y != y
				}) {
				return false
			}
		}
	}
	return true
}

// draw fills the first tokens of a slot with any numbers.
func (c *cache) draw(r *rand.Rand, slot, tokens int) {
	for layer := range c.layers {
		for h := range c.heads {
			line := c.head(layer, slot, h)[:tokens*c.size]
			for i := range line {
				line[i] = 2*r.Float32() - 1
			}
		}
	}
}

// release gives the memory behind a slot's first kept tokens back to the system.
func (c *cache) release(slot, kept int) error {
	page := uintptr(os.Getpagesize())
	for layer := range c.layers {
		for h := range c.heads {
			rest := c.head(layer, slot, h)[kept*c.size:]
			if len(rest) == 0 {
				continue
			}
			from := uintptr(unsafe.Pointer(&rest[0])) - uintptr(unsafe.Pointer(&c.memory[0]))
			to := (from + uintptr(len(rest))*4) / page * page
			from = (from + page - 1) / page * page
			if from >= to {
				continue
			}
			if err := unix.Madvise(c.memory[from:to], unix.MADV_DONTNEED); err != nil {
				return fmt.Errorf("give back KV cache: %w", err)
			}
		}
	}
	return nil
}

func (c *cache) close() error { return unix.Munmap(c.memory) }
