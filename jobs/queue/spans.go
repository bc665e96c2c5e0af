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

// add reports whether n was not in the set.
func (s *spans) add(n uint64) bool {
	i, found := slices.BinarySearchFunc(s.list, n, func(p span, n uint64) int {
		switch {
		case p.hi < n:
			return -1
		case p.lo > n:
			return 1
		}
		return 0
	})
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
