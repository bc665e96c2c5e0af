package export

import (
	"slices"
	"strings"
)

// ranges are the sequences of one stream that are settled, ordered by their first.
type ranges struct {
	list    []seqRange
	longest uint64
}

type seqRange struct {
	lo, hi  uint64
	version int64 // timestamp of hi
}

func putRange(m map[string]*ranges, id string, version int64) {
	stream, lo, hi, ok := parseSeq(id)
	if !ok {
		return
	}
	r := m[stream]
	if r == nil {
		r = &ranges{}
		m[strings.Clone(stream)] = r
	}
	r.put(seqRange{lo, hi, version})
}

func (r *ranges) put(n seqRange) {
	i, _ := slices.BinarySearchFunc(r.list, n, func(a, b seqRange) int {
		if a.lo != b.lo {
			return less(a.lo < b.lo)
		}
		if a.hi != b.hi {
			return less(a.hi < b.hi)
		}
		return 0
	})
	r.longest = max(r.longest, n.hi-n.lo)
	if i < len(r.list) && r.list[i].lo == n.lo && r.list[i].hi == n.hi {
		r.list[i].version = n.version // the same id: the later txn holds
		return
	}
	r.list = slices.Insert(r.list, i, n)
}

func less(yes bool) int {
	if yes {
		return -1
	}
	return 1
}

// has reports whether a range covers seq with a version not before the timestamp.
func (r *ranges) has(seq uint64, timestamp int64) bool {
	if r == nil {
		return false
	}
	i, _ := slices.BinarySearchFunc(r.list, seq, func(a seqRange, s uint64) int { return less(a.lo <= s) })
	for i--; i >= 0 && seq-r.list[i].lo <= r.longest; i-- {
		if seq <= r.list[i].hi && timestamp <= r.list[i].version {
			return true
		}
	}
	return false
}
