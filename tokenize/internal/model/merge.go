package model

// symbols is a word on its way to tokens: parallel arrays of symbol IDs and of the bytes each covers.
type symbols struct {
	ids  []int32
	lens []int32
	vals []uint64 // of the pair that starts here
	heap []candidate
	prev []int32
	next []int32
}

func (s *symbols) reset() { s.ids, s.lens = s.ids[:0], s.lens[:0] }

func (s *symbols) add(id, length int32) {
	s.ids, s.lens = append(s.ids, id), append(s.lens, length)
}

// linearLimit is the number of symbols up to which scanning for the best pair beats a heap.
const linearLimit = 48

// merge joins pairs, best rank first and leftmost among equals, until no pair merges.
func (s *symbols) merge(p *pairs) {
	switch n := len(s.ids); {
	case n < 2:
	case n <= linearLimit:
		s.mergeLinear(p)
	default:
		s.mergeHeap(p)
	}
}

func (s *symbols) mergeLinear(p *pairs) {
	s.room(len(s.ids))
	for i := 0; i+1 < len(s.ids); i++ {
		s.vals[i] = p.get(s.ids[i], s.ids[i+1])
	}
	s.mergeScan(p)
}

// room makes room for the values of the pairs of n symbols.
func (s *symbols) room(n int) {
	if cap(s.vals) < n {
		s.vals = make([]uint64, max(n, linearLimit))
	}
	s.vals = s.vals[:n]
}

// mergeScan merges when s.vals has the value of each pair.
func (s *symbols) mergeScan(p *pairs) {
	ids, lens := s.ids, s.lens
	vals := s.vals[:max(0, len(ids)-1)]
	for {
		best, at := noMerge, -1
		for i, v := range vals {
			if v < best {
				best, at = v, i
			}
		}
		if at < 0 {
			break
		}
		ids[at] = int32(uint32(best))
		lens[at] += lens[at+1]
		copy(ids[at+1:], ids[at+2:])
		copy(lens[at+1:], lens[at+2:])
		copy(vals[at:], vals[at+1:])
		ids, lens, vals = ids[:len(ids)-1], lens[:len(lens)-1], vals[:len(vals)-1]
		if at > 0 {
			vals[at-1] = p.get(ids[at-1], ids[at])
		}
		if at < len(vals) {
			vals[at] = p.get(ids[at], ids[at+1])
		}
	}
	s.ids, s.lens = ids, lens
}

// candidate is a pair that merges; key is rank<<32 | position, so that the smallest is the next to merge.
type candidate struct {
	key  uint64
	into int32
}

// mergeHeap takes time n log n, whatever the text.
func (s *symbols) mergeHeap(p *pairs) {
	ids, lens := s.ids, s.lens
	n := len(ids)
	if cap(s.prev) < n {
		s.prev, s.next = make([]int32, n+n/2), make([]int32, n+n/2)
	}
	prev, next := s.prev[:n], s.next[:n]
	s.heap = s.heap[:0]
	for i := range ids {
		prev[i], next[i] = int32(i)-1, int32(i)+1
		if i+1 < n {
			if v := p.get(ids[i], ids[i+1]); v != noMerge {
				s.heap = append(s.heap, candidate{v&^0xffffffff | uint64(i), int32(uint32(v))})
			}
		}
	}
	for i := (len(s.heap) - 2) >> 2; i >= 0; i-- {
		s.down(i)
	}
	for len(s.heap) > 0 {
		top := s.pop()
		at := int32(uint32(top.key))
		if lens[at] == 0 || int(next[at]) >= n {
			continue
		}
		right := next[at]
		if v := p.get(ids[at], ids[right]); v == noMerge || int32(uint32(v)) != top.into {
			continue
		}
		ids[at] = top.into
		lens[at] += lens[right]
		lens[right] = 0
		next[at] = next[right]
		if int(next[at]) < n {
			prev[next[at]] = at
			s.push(p, at, ids[at], ids[next[at]])
		}
		if before := prev[at]; before >= 0 {
			s.push(p, before, ids[before], ids[at])
		}
	}
	kept := 0
	for i := 0; i < n; i = int(next[i]) {
		ids[kept], lens[kept] = ids[i], lens[i]
		kept++
	}
	s.ids, s.lens = ids[:kept], lens[:kept]
}

func (s *symbols) push(p *pairs, at, a, b int32) {
	v := p.get(a, b)
	if v == noMerge {
		return
	}
	c := candidate{v&^0xffffffff | uint64(at), int32(uint32(v))}
	s.heap = append(s.heap, c)
	i := len(s.heap) - 1
	for i > 0 {
		up := (i - 1) >> 2
		if s.heap[up].key <= c.key {
			break
		}
		s.heap[i] = s.heap[up]
		i = up
	}
	s.heap[i] = c
}

func (s *symbols) pop() candidate {
	top := s.heap[0]
	last := len(s.heap) - 1
	s.heap[0] = s.heap[last]
	s.heap = s.heap[:last]
	if last > 1 {
		s.down(0)
	}
	return top
}

func (s *symbols) down(i int) {
	h := s.heap
	c := h[i]
	for {
		first := i<<2 + 1
		if first >= len(h) {
			break
		}
		least := first
		for j := first + 1; j < first+4 && j < len(h); j++ {
			if h[j].key < h[least].key {
				least = j
			}
		}
		if h[least].key >= c.key {
			break
		}
		h[i] = h[least]
		i = least
	}
	h[i] = c
}

// appendTokens adds the symbols as tokens.
func (s *symbols) appendTokens(dst []Token) []Token {
	at := int32(0)
	for i, id := range s.ids {
		end := at + s.lens[i]
		dst = append(dst, Token{id, at, end})
		at = end
	}
	return dst
}
