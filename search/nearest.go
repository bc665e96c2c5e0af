package search

import (
	"cmp"
	"container/heap"
	"slices"
)

// place is where a row lies: a file of the table, a row group of it, and a row of that.
type place struct {
	file, group int32
	row         int32
}

// candidate is a row that may be among the nearest.
type candidate struct {
	score float32
	place place
}

// before orders candidates, the nearest first, and of equal scores those that come first in the table.
func (a candidate) before(b candidate) bool {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.place.file, b.place.file),
		cmp.Compare(a.place.group, b.place.group), cmp.Compare(a.place.row, b.place.row)) < 0
}

// nearest keeps the k best candidates of a question: a heap with the worst of them on top.
type nearest struct {
	k    int
	list []candidate
}

func (n *nearest) Len() int           { return len(n.list) }
func (n *nearest) Less(i, j int) bool { return n.list[j].before(n.list[i]) }
func (n *nearest) Swap(i, j int)      { n.list[i], n.list[j] = n.list[j], n.list[i] }
func (n *nearest) Push(x any)         { n.list = append(n.list, x.(candidate)) }
func (n *nearest) Pop() any           { panic("nothing is taken out") }

func (n *nearest) add(c candidate) {
	switch {
	case len(n.list) < n.k:
		heap.Push(n, c)
	case c.before(n.list[0]):
		n.list[0] = c
		heap.Fix(n, 0)
	}
}

// least is a score below which nothing is wanted any more.
func (n *nearest) least() (score float32, full bool) {
	if len(n.list) < n.k {
		return 0, false
	}
	return n.list[0].score, true
}

// sorted is what was kept, the nearest first.
func (n *nearest) sorted() []candidate {
	slices.SortFunc(n.list, func(a, b candidate) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	return n.list
}
