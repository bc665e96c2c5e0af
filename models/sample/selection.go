package sample

import "slices"

// heapMost is the k up to which a heap finds the k-th score in one pass.
const heapMost = 2048

// kth is the k-th highest score, 0 < k < len(scores).
func (s *Scratch) kth(scores []float32, k int) float32 {
	if k > heapMost {
		s.heap = append(s.heap[:0], scores...)
		return nth(s.heap, len(scores)-k)
	}
	// A heap of the k highest so far, the lowest of them at its root.
	h := append(s.heap[:0], scores[:k]...)
	s.heap = h
	for i := k/2 - 1; i >= 0; i-- {
		sink(h, i)
	}
	least := h[0]
	for _, v := range scores[k:] {
		if v > least {
			h[0] = v
			sink(h, 0)
			least = h[0]
		}
	}
	return least
}

func sink(h []float32, i int) {
	v := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1] < h[child] {
			child++
		}
		if !(h[child] < v) {
			break
		}
		h[i] = h[child]
		i = child
	}
	h[i] = v
}

// nth is the value that would stand at n if a were sorted; a is reordered.
func nth(a []float32, n int) float32 {
	lo, hi := 0, len(a)
	for hi-lo > 16 {
		lt, gt := threeWay(a[lo:hi], median(a[lo], a[lo+(hi-lo)/2], a[hi-1]), func(x *float32, p float32) int {
			switch {
			case *x < p:
				return -1
			case *x > p:
				return 1
			}
			return 0
		})
		switch {
		case n < lo+lt:
			hi = lo + lt
		case n >= lo+gt:
			lo += gt
		default:
			return a[n]
		}
	}
	slices.Sort(a[lo:hi])
	return a[n]
}

func median(a, b, c float32) float32 { return max(min(a, b), min(max(a, b), c)) }

// threeWay puts what is below the pivot before lt and what is above it from gt on.
func threeWay[T, P any](a []T, pivot P, compare func(*T, P) int) (lt, gt int) {
	i := 0
	gt = len(a)
	for i < gt {
		switch c := compare(&a[i], pivot); {
		case c < 0:
			a[i], a[lt] = a[lt], a[i]
			lt++
			i++
		case c > 0:
			gt--
			a[i], a[gt] = a[gt], a[i]
		default:
			i++
		}
	}
	return lt, gt
}

// ascending orders candidates by score, ties by id. Where the edge falls amid ties, dropTies says which of them stay.
func ascending(a, b *candidate) bool {
	return a.score < b.score || a.score == b.score && a.id < b.id
}

func compareAscending(a, b candidate) int {
	if ascending(&a, &b) {
		return -1
	}
	if ascending(&b, &a) {
		return 1
	}
	return 0
}

// edge is the lowest candidate at which the probabilities, cumulated in ascending
// order, exceed gone; the highest one if none does. Sorting every candidate is
// avoided: those that are surely below the edge are dropped in bulk, and of the
// rest only the part that holds the edge is looked at again.
func (s *Scratch) edge(gone float32) candidate {
	sum := s.sum()
	var mass float64 // of the candidates known to be below the edge
	over := func(m float64) bool { return float32(m) > gone }

	// The n lowest cannot exceed what n times the highest of them does not.
	a := s.kept
	s.order = slices.Grow(s.order[:0], len(a))[:len(a)]
	for {
		bound := float32((float64(gone) - mass) / float64(len(a)) * (1 - 1e-6))
		n, dropped := 0, 0.0
		for _, c := range a {
			if p := c.weight / sum; p > bound {
				s.order[n] = c
				n++
			} else {
				dropped += float64(p)
			}
		}
		if n == 0 { // all may go, so the highest stays
			a = s.order[:copy(s.order, a)]
			break
		}
		mass += dropped
		enough := n <= 64 || n > len(a)-len(a)/8
		if a = s.order[:n]; enough {
			break
		}
	}
	top := a[0]
	for i := range a {
		if ascending(&top, &a[i]) {
			top = a[i]
		}
	}
	for len(a) > 16 {
		pivot := middle(a[0], a[len(a)/2], a[len(a)-1])
		lt, gt := threeWay(a, pivot, func(c *candidate, p candidate) int { return compareAscending(*c, p) })
		below := mass
		for i := range a[:lt] {
			below += float64(a[i].weight / sum)
		}
		if over(below) {
			a = a[:lt]
			continue
		}
		if mass = below + float64(pivot.weight/sum); over(mass) {
			return pivot
		}
		if a = a[gt:]; len(a) == 0 {
			return top
		}
	}
	slices.SortFunc(a, compareAscending)
	for i := range a {
		if mass += float64(a[i].weight / sum); over(mass) {
			return a[i]
		}
	}
	return top
}

func middle(a, b, c candidate) candidate {
	if ascending(&b, &a) {
		a, b = b, a
	}
	switch {
	case ascending(&c, &a):
		return a
	case ascending(&b, &c):
		return b
	}
	return c
}
