// Package trie finds the keys that a text starts with.
package trie

import (
	"bytes"
	"slices"
)

// Trie is a double array, safe for concurrent use: the child of node n by byte c is unit Units[n].Base ^ c when that
// unit's Parent is n+1. Node 0 is the root.
type Trie struct {
	Units []Unit
}

// Unit is one node.
type Unit struct {
	Base   uint32
	Parent uint32 // node+1; 0: no node
	Value  int32  // -1: no key ends here
}

// Key is what the trie finds and the value it has, which is not negative.
type Key struct {
	Key   []byte
	Value int32
}

// New builds the trie of keys, which must differ. It reorders them.
func New(keys []Key) *Trie {
	slices.SortFunc(keys, func(a, b Key) int { return bytes.Compare(a.Key, b.Key) })
	size := 0
	for _, k := range keys {
		size += len(k.Key)
	}
	size = min(size, 1<<22) // tokens share their starts, so this is more than enough
	b := &builder{t: &Trie{Units: make([]Unit, 0, size)}, head: none}
	b.prev, b.next, b.tried = make([]uint32, 0, size), make([]uint32, 0, size), make([]uint8, 0, size)
	b.block()
	b.take(0)
	b.t.Units[0].Parent = none
	b.build(keys)
	return b.t
}

// Step returns the child of node by c, or -1.
func (t *Trie) Step(node int, c byte) int {
	next := t.Units[node].Base ^ uint32(c)
	if int(next) < len(t.Units) && t.Units[next].Parent == uint32(node)+1 {
		return int(next)
	}
	return -1
}

// builder keeps the free units of the last blocks in a list, so that finding a base stays cheap.
type builder struct {
	t     *Trie
	next  []uint32 // next free unit, circular per list; self when taken
	prev  []uint32
	head  uint32
	tried []uint8
}

const (
	none      = ^uint32(0)
	maxTries  = 16 // a free unit for which no base was found this often is given up
	maxLooks  = 64
	blockSize = 256
)

var emptyBlock = func() (block [blockSize]Unit) {
	for i := range block {
		block[i].Value = -1
	}
	return block
}()

func (b *builder) block() {
	from := uint32(len(b.t.Units))
	b.t.Units = append(b.t.Units, emptyBlock[:]...)
	b.tried = append(b.tried, make([]uint8, blockSize)...)
	b.prev = slices.Grow(b.prev, blockSize)
	b.next = slices.Grow(b.next, blockSize)
	for i := range uint32(blockSize) {
		b.prev = append(b.prev, from+i-1)
		b.next = append(b.next, from+i+1)
	}
	last := from + blockSize - 1
	if from == 0 || b.head == none {
		b.head = from
		b.prev[from], b.next[last] = last, from
		return
	}
	tail := b.prev[b.head]
	b.next[tail], b.prev[from] = from, tail
	b.next[last], b.prev[b.head] = b.head, last
}

// take removes a unit from the free list.
func (b *builder) take(i uint32) {
	if b.next[i] == i {
		b.head = none
	} else {
		b.next[b.prev[i]], b.prev[b.next[i]] = b.next[i], b.prev[i]
		if b.head == i {
			b.head = b.next[i]
		}
	}
	b.prev[i], b.next[i] = none, none
}

func (b *builder) free(i uint32) bool { return b.t.Units[i].Parent == 0 }

// work is a node whose children are still to be placed: those of keys, which share their first depth bytes.
type work struct {
	node  uint32
	keys  []Key
	depth int
}

func (b *builder) build(keys []Key) {
	todo := []work{{keys: keys}}
	for len(todo) > 0 {
		w := todo[len(todo)-1]
		todo = b.expand(w, todo[:len(todo)-1])
	}
}

func (b *builder) expand(w work, todo []work) []work {
	keys := w.keys
	for len(keys) > 0 && len(keys[0].Key) == w.depth {
		b.t.Units[w.node].Value = keys[0].Value
		keys = keys[1:]
	}
	if len(keys) == 0 {
		return todo
	}
	var buf [256]byte
	labels := buf[:0]
	for i := range keys {
		if c := keys[i].Key[w.depth]; i == 0 || c != keys[i-1].Key[w.depth] {
			labels = append(labels, c)
		}
	}
	base := b.place(labels)
	b.t.Units[w.node].Base = base
	for _, c := range labels {
		b.t.Units[base^uint32(c)].Parent = w.node + 1
		b.unlink(base ^ uint32(c))
	}
	for from := 0; from < len(keys); {
		c, to := keys[from].Key[w.depth], from+1
		for to < len(keys) && keys[to].Key[w.depth] == c {
			to++
		}
		todo = append(todo, work{base ^ uint32(c), keys[from:to], w.depth + 1})
		from = to
	}
	return todo
}

func (b *builder) unlink(i uint32) {
	if b.next[i] != none {
		b.take(i)
	}
}

// place finds a base under which all labels are free.
func (b *builder) place(labels []byte) uint32 {
	at := b.head
	for range maxLooks {
		if at == none {
			break
		}
		if base := at ^ uint32(labels[0]); b.fits(base, labels) {
			return base
		}
		next := b.next[at]
		if b.tried[at]++; b.tried[at] >= maxTries {
			b.take(at)
		}
		if at = next; at == b.head || b.head == none {
			break
		}
	}
	from := uint32(len(b.t.Units))
	b.block()
	return from
}

func (b *builder) fits(base uint32, labels []byte) bool {
	for _, c := range labels {
		if !b.free(base ^ uint32(c)) {
			return false
		}
	}
	return true
}
