package sample

import (
	"cmp"
	"math/bits"
	"slices"
)

// transformers lets top_p go along torch.sort, which on a CPU is libstdc++'s std::sort over pairs of score and id: an
// introsort, which does not keep equal scores in order of id. Where top_p ends amid equal scores, that order says
// which of them stay, so here its steps are taken again, over the whole vocabulary: those ruled out before take part
// as -Inf.

// leaf is the length up to which std::sort leaves a range to one final insertion sort, which keeps the order of
// equals.
const leaf = 16

// placed is an entry of the array that is sorted.
type placed struct {
	score float32
	id    int32
}

// dropTies keeps what is above the edge, and of those that equal it the n which are last in torch's order.
func (s *Scratch) dropTies(edge float32, n, vocab int) {
	s.places = slices.Grow(s.places[:0], vocab)[:vocab]
	for id := range s.places {
		s.places[id] = placed{negInf, int32(id)}
	}
	for _, c := range s.kept {
		s.places[c.id].score = c.score
	}
	s.ties = appendTies(s.ties[:0], s.places, edge, 2*(bits.Len(uint(vocab))-1))
	stay := s.ties[len(s.ties)-n:]
	slices.Sort(stay)
	left := 0
	for _, c := range s.kept {
		tied := c.score == edge && len(stay) > 0 && stay[0] == c.id
		if tied {
			stay = stay[1:]
		}
		if tied || c.score > edge {
			s.kept[left] = c
			left++
		}
	}
	s.kept = s.kept[:left]
}

// appendTies appends the ids of score in the order in which std::sort leaves them. What std::sort does on one side of
// a pivot depends on nothing beyond it, so only ranges that can hold the score are looked at. a is reordered.
func appendTies(ids []int32, a []placed, score float32, depth int) []int32 {
	for ; len(a) > leaf; depth-- {
		if depth == 0 { // too many bad pivots
			heapSort(a)
			break
		}
		cut := partition(a)
		switch c := cmp.Compare(score, a[0].score); {
		case c < 0:
			a = a[:cut]
		case c > 0:
			a = a[cut:]
		default:
			ids = appendTies(ids, a[:cut], score, depth-1)
			a = a[cut:]
		}
	}
	for _, p := range a {
		if p.score == score {
			ids = append(ids, p.id)
		}
	}
	return ids
}

// partition puts the pivot first, no higher score before the cut and no lower one from there on. Equal ones change
// sides.
func partition(a []placed) (cut int) {
	m := medianOf(a, 1, len(a)/2, len(a)-1)
	a[0], a[m] = a[m], a[0]
	pivot := a[0].score
	lo, hi := 1, len(a)
	for {
		for a[lo].score < pivot {
			lo++
		}
		hi--
		for pivot < a[hi].score {
			hi--
		}
		if lo >= hi {
			return lo
		}
		a[lo], a[hi] = a[hi], a[lo]
		lo++
	}
}

// medianOf is the place of the three that holds the median; which one it is among equals matters.
func medianOf(a []placed, i, j, k int) int {
	x, y, z := a[i].score, a[j].score, a[k].score
	switch {
	case x < y && y < z:
		return j
	case x < y && x < z:
		return k
	case x < y || x < z:
		return i
	case y < z:
		return k
	}
	return j
}

func heapSort(a []placed) {
	for i := len(a)/2 - 1; i >= 0; i-- {
		settle(a, i, a[i])
	}
	for n := len(a) - 1; n > 0; n-- {
		last := a[n]
		a[n] = a[0]
		settle(a[:n], 0, last)
	}
}

// settle lets a hole in the heap sink to the bottom along the higher children, and p rise from there.
func settle(heap []placed, hole int, p placed) {
	top := hole
	for 2*hole+1 < len(heap) {
		child := 2*hole + 2
		if child == len(heap) || heap[child].score < heap[child-1].score {
			child--
		}
		heap[hole] = heap[child]
		hole = child
	}
	for hole > top && heap[(hole-1)/2].score < p.score {
		heap[hole] = heap[(hole-1)/2]
		hole = (hole - 1) / 2
	}
	heap[hole] = p
}
