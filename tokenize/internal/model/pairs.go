package model

import (
	"math/bits"

	"textmill/tokenize/internal/spec"
)

// pairs is the hash table of merges: from two symbols to rank<<32 | merged symbol.
type pairs struct {
	slots []pairSlot
	shift uint
}

type pairSlot struct {
	key uint64 // left<<32 | right, plus 1
	val uint64
}

// noMerge is the value of a pair that does not merge; it is above that of every pair that does.
const noMerge = ^uint64(0)

func newPairs(merges []spec.Merge) pairs {
	size := 16
	for size < 2*len(merges) {
		size *= 2
	}
	p := pairs{slots: make([]pairSlot, size), shift: uint(64 - bits.TrailingZeros(uint(size)))}
	for rank, m := range merges {
		key := pairKey(m.Left, m.Right)
		i := p.home(key)
		for p.slots[i].key != 0 && p.slots[i].key != key {
			i = (i + 1) & uint64(size-1)
		}
		p.slots[i] = pairSlot{key, uint64(rank)<<32 | uint64(uint32(m.Into))}
	}
	return p
}

func pairKey(a, b int32) uint64 { return uint64(uint32(a))<<32 + uint64(uint32(b)) + 1 }

func (p *pairs) home(key uint64) uint64 {
	return (key * 0x9E3779B97F4A7C15) >> p.shift
}

// get is the value of the pair, or noMerge.
func (p *pairs) get(a, b int32) uint64 {
	key := pairKey(a, b)
	mask := uint64(len(p.slots) - 1)
	for i := p.home(key); ; i = (i + 1) & mask {
		s := &p.slots[i&mask]
		if s.key == key {
			return s.val
		}
		if s.key == 0 {
			return noMerge
		}
	}
}
