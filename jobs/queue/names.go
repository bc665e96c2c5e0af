package queue

import (
	"hash/maphash"
	"strconv"
)

// names is a set of shards' names, of which most are numbers.
type names struct {
	numbers spans
	others  map[uint64]struct{}
	closed  bool // no more others: they are many, and a done job's are all known
}

const mostNamed = 1 << 20

var nameSeed = maphash.MakeSeed()

func number(name string) (uint64, bool) {
	n, err := strconv.ParseUint(name, 10, 64)
	return n, err == nil && n < 1<<63 && strconv.FormatUint(n, 10) == name
}

func (s *names) has(name string) bool {
	if n, ok := number(name); ok {
		return s.numbers.has(n)
	}
	_, known := s.others[maphash.String(nameSeed, name)]
	return known || s.closed
}

func (s *names) add(name string) bool {
	if n, ok := number(name); ok {
		return s.numbers.add(n)
	}
	if s.has(name) || len(s.others) >= mostNamed {
		return false
	}
	if s.others == nil {
		s.others = make(map[uint64]struct{})
	}
	s.others[maphash.String(nameSeed, name)] = struct{}{}
	return true
}

func (s *names) size() int { return s.numbers.size + len(s.others) }

// fill adds the numbers below n, which publishers give to the shards of a job of n, and says how many were new.
func (s *names) fill(n int) int {
	if len(s.others) > 0 {
		return 0
	}
	before := s.numbers.size
	s.numbers.fill(uint64(n))
	return s.numbers.size - before
}

func (s *names) close() { s.others, s.closed = nil, true }
