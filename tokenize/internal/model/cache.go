package model

import (
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// cache remembers the tokens of words. It forgets everything when it is full, so its memory is bounded.
type cache struct {
	slots  []cacheSlot
	keys   []byte
	tokens []Token
}

type cacheSlot struct {
	hash uint32
	key  uint32 // where the word starts in keys
	size uint16 // its length; 0: free
	n    uint16 // number of tokens
	at   uint32 // where they start in tokens
}

const (
	cacheSlots  = 1 << 14
	cacheProbes = 4
	cacheKeys   = 1 << 19 // bytes of words
	cacheTokens = 1 << 16
	maxCached   = 128 // bytes of a word that is worth keeping
)

// get returns the tokens of word, which must not be changed and are good until the next put.
func (c *cache) get(word string, hash uint64) ([]Token, bool) {
	if c.slots == nil {
		return nil, false
	}
	for i := range uint64(cacheProbes) {
		s := &c.slots[(hash+i)%cacheSlots]
		if s.hash == uint32(hash>>32) && int(s.size) == len(word) && string(c.keys[s.key:s.key+uint32(s.size)]) == word {
			return c.tokens[s.at : s.at+uint32(s.n)], true
		}
	}
	return nil, false
}

// put keeps the tokens of word, which is not there yet, and returns them as get would.
func (c *cache) put(word string, hash uint64, tokens []Token) {
	if len(word) > maxCached {
		return
	}
	if c.slots == nil || len(c.keys)+len(word) > cacheKeys || len(c.tokens)+len(tokens) > cacheTokens {
		if c.slots == nil {
			c.slots = make([]cacheSlot, cacheSlots)
		} else {
			clear(c.slots)
		}
		c.keys, c.tokens = c.keys[:0], c.tokens[:0]
	}
	slot := &c.slots[hash%cacheSlots]
	for i := range uint64(cacheProbes) {
		if s := &c.slots[(hash+i)%cacheSlots]; s.size == 0 {
			slot = s
			break
		}
	}
	*slot = cacheSlot{uint32(hash >> 32), uint32(len(c.keys)), uint16(len(word)), uint16(len(tokens)),
		uint32(len(c.tokens))}
	c.keys = append(c.keys, word...)
	c.tokens = append(c.tokens, tokens...)
}

const (
	hashA = 0xA0761D6478BD642F
	hashB = 0xE7037ED1A0B428DB
)

// hashWord is quick rather than strong: a collision costs no more than a word's work.
func hashWord(s string) uint64 {
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	n := uint64(len(b))
	var x, y uint64
	switch {
	case n > 16:
		h := n * hashA
		for len(b) > 16 {
			hi, lo := bits.Mul64(binary.LittleEndian.Uint64(b)^h, binary.LittleEndian.Uint64(b[8:])^hashB)
			h = hi ^ lo
			b = b[16:]
		}
		// The loop leaves 1 to 16 bytes, so the last 16 are there.
		tail := unsafe.Slice(unsafe.StringData(s), n)[n-16:]
		x, y = binary.LittleEndian.Uint64(tail)^h, binary.LittleEndian.Uint64(tail[8:])
	case n >= 8:
		x, y = binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		x, y = uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		x, y = uint64(b[0])|uint64(b[n/2])<<8, uint64(b[n-1])
	}
	hi, lo := bits.Mul64(x^hashA^n, y^hashB)
	return hi ^ lo
}
