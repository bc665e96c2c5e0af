// Package vocab maps tokens to IDs and IDs to tokens.
package vocab

import (
	"bytes"
	"hash/maphash"
	"unsafe"
)

// Vocab is a set of tokens with their IDs. Build it with Add; after that it is safe for concurrent reading.
// The zero value is empty and ready.
type Vocab struct {
	seed  maphash.Seed
	arena []byte
	ends  []uint32 // of each entry in arena; entry i starts where i-1 ends
	ids   []int32
	slots []uint64 // hash tag in the upper half, entry+1 in the lower; 0 is free
	byID  []uint32 // entry+1 for small IDs
	rare  map[int32]uint32
}

// New makes room for n tokens of size bytes in total.
func New(n, size int) *Vocab {
	v := &Vocab{seed: maphash.MakeSeed()}
	v.arena = make([]byte, 0, size)
	v.ends = make([]uint32, 0, n)
	v.ids = make([]int32, 0, n)
	v.grow(n)
	return v
}

// Len is the number of different tokens.
func (v *Vocab) Len() int { return len(v.ids) }

// Add puts a token in, or gives it another ID when it is there already.
func (v *Vocab) Add(token []byte, id int32) {
	if len(v.ids)*2 >= len(v.slots) {
		v.grow(2 * len(v.ids))
	}
	slot, found := v.find(token)
	if found {
		v.ids[uint32(v.slots[slot])-1] = id
		return
	}
	v.arena = append(v.arena, token...)
	v.ends = append(v.ends, uint32(len(v.arena)))
	v.ids = append(v.ids, id)
	v.slots[slot] |= uint64(len(v.ids))
}

// find returns the slot of token; when it is not there, a free slot already holding its tag.
func (v *Vocab) find(token []byte) (slot uint64, found bool) {
	h := maphash.Bytes(v.seed, token)
	mask := uint64(len(v.slots) - 1)
	tag := h &^ 0xffffffff
	for i := h & mask; ; i = (i + 1) & mask {
		s := v.slots[i]
		if uint32(s) == 0 {
			v.slots[i] = tag
			return i, false
		}
		if s&^0xffffffff == tag && bytes.Equal(v.entry(uint32(s)-1), token) {
			return i, true
		}
	}
}

func (v *Vocab) entry(i uint32) []byte {
	from := uint32(0)
	if i > 0 {
		from = v.ends[i-1]
	}
	return v.arena[from:v.ends[i]]
}

func (v *Vocab) grow(n int) {
	if v.seed == (maphash.Seed{}) {
		v.seed = maphash.MakeSeed()
	}
	size := 64
	for size < 2*n+2 {
		size *= 2
	}
	v.slots = make([]uint64, size)
	mask := uint64(size - 1)
	for i := range v.ids {
		h := maphash.Bytes(v.seed, v.entry(uint32(i)))
		at := h & mask
		for v.slots[at] != 0 {
			at = (at + 1) & mask
		}
		v.slots[at] = h&^0xffffffff | uint64(i+1)
	}
}

// Index makes IDs findable; call it once, after the last Add. Of two tokens with one ID the later wins.
func (v *Vocab) Index() {
	if v.slots == nil {
		v.grow(0)
	}
	limit := 4*len(v.ids) + 1<<16
	top := -1
	for _, id := range v.ids {
		if int(id) < limit && int(id) > top {
			top = int(id)
		}
	}
	v.byID = make([]uint32, top+1)
	v.rare = nil
	for i, id := range v.ids {
		if int(id) < limit {
			v.byID[id] = uint32(i + 1)
			continue
		}
		if v.rare == nil {
			v.rare = map[int32]uint32{}
		}
		v.rare[id] = uint32(i + 1)
	}
}

// ID returns the ID of token.
func (v *Vocab) ID(token []byte) (int32, bool) {
	h := maphash.Bytes(v.seed, token)
	mask := uint64(len(v.slots) - 1)
	tag := h &^ 0xffffffff
	for i := h & mask; ; i = (i + 1) & mask {
		s := v.slots[i]
		if uint32(s) == 0 {
			return 0, false
		}
		if s&^0xffffffff == tag {
			if e := uint32(s) - 1; bytes.Equal(v.entry(e), token) {
				return v.ids[e], true
			}
		}
	}
}

// IDOf is ID for a string.
func (v *Vocab) IDOf(token string) (int32, bool) {
	return v.ID(unsafe.Slice(unsafe.StringData(token), len(token)))
}

// Token returns the token of id; it must not be changed.
func (v *Vocab) Token(id int32) ([]byte, bool) {
	var e uint32
	if uint32(id) < uint32(len(v.byID)) {
		e = v.byID[id]
	} else {
		e = v.rare[id]
	}
	if e == 0 {
		return nil, false
	}
	return v.entry(e - 1), true
}

// Text is Token as a string that shares the vocabulary's memory.
func (v *Vocab) Text(id int32) (string, bool) {
	b, ok := v.Token(id)
	if !ok {
		return "", false
	}
	return unsafe.String(unsafe.SliceData(b), len(b)), true
}

// MaxID is the largest ID, or -1.
func (v *Vocab) MaxID() int32 {
	top := int32(-1)
	for _, id := range v.ids {
		top = max(top, id)
	}
	return top
}

// All calls yield for every token in the order of Add.
func (v *Vocab) All(yield func(token []byte, id int32) bool) {
	for i, id := range v.ids {
		if !yield(v.entry(uint32(i)), id) {
			return
		}
	}
}

// Longest is the length in bytes of the longest token.
func (v *Vocab) Longest() int {
	longest, from := 0, uint32(0)
	for _, end := range v.ends {
		longest = max(longest, int(end-from))
		from = end
	}
	return longest
}
