package queue

import "slices"

// spans is a set of numbers that costs memory by its gaps, not by its size.
type spans struct {
	list []span // sorted, disjoint, not touching
	size int
}

type span struct{ lo, hi uint64 } // both within

// mostSpans bounds the memory of one job's set; beyond it the lowest gap counts
// as settled, where a late shard is least likely.
const mostSpans = 1 << 20

// find says where n is or would be.
func (s *spans) find(n uint64) (at int, found bool) {
	return slices.BinarySearchFunc(s.list, n, func(p span, n uint64) int {
		switch {
		case p.hi < n:
			return -1
		case p.lo > n:
			return 1
		}
		return 0
	})
}

// has says whether n is in the set.
func (s *spans) has(n uint64) bool {
	_, found := s.find(n)
	return found
}

// add reports whether n was not in the set.
func (s *spans) add(n uint64) bool {
	i, found := s.find(n)
	if found {
		return false
	}
	s.size++
	left := i > 0 && s.list[i-1].hi+1 == n
	right := i < len(s.list) && s.list[i].lo == n+1
	switch {
	case left && right:
		s.list[i-1].hi = s.list[i].hi
		s.list = slices.Delete(s.list, i, i+1)
	case left:
		s.list[i-1].hi = n
	case right:
		s.list[i].lo = n
	default:
		s.list = slices.Insert(s.list, i, span{n, n})
	}
	if len(s.list) > mostSpans {
		s.list[1].lo = s.list[0].lo
		s.list = slices.Delete(s.list, 0, 1)
	}
	return true
}

// fill adds all numbers below n.
func (s *spans) fill(n uint64) {
	if n == 0 {
		return
	}
	end, kept := n-1, s.list[:0:0]
	for _, p := range s.list {
		if p.lo <= n { // within, or touching
			end = max(end, p.hi)
		} else {
			kept = append(kept, p)
		}
	}
	s.list = append([]span{{0, end}}, kept...)
	s.size = 0
	for _, p := range s.list {
		s.size += int(p.hi - p.lo + 1)
	}
}
