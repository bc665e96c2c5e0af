package client

import (
	"fmt"
	"strconv"
	"strings"
)

// Part is what one of several publishers sends of a job: all of them cut the whole input, and each sends every Of-th
// shard, so that together they make the very messages of one. The zero Part is all.
type Part struct{ Number, Of int }

// mostParts bounds how many publishers share a job.
const mostParts = 10_000

// ParsePart reads K/N, as 3/10 for the third of ten.
func ParsePart(s string) (Part, error) {
	k, n, _ := strings.Cut(s, "/")
	number, err := strconv.Atoi(k)
	of, err2 := strconv.Atoi(n)
	if err != nil || err2 != nil || of < 1 || of > mostParts || number < 1 || number > of {
		return Part{}, fmt.Errorf("%q is no part; write K/N, as 3/10 for the third of ten, at most of %d", s, mostParts)
	}
	return Part{number, of}, nil
}

func (p Part) String() string {
	if p.Of == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", p.Number, p.Of)
}

// has says whether a shard is one of the part's.
func (p Part) has(shard int) bool { return p.Of == 0 || shard%p.Of == p.Number-1 }

// at is the place of a shard among the part's; false if it is none of them.
func (p Part) at(shard int) (int, bool) {
	if p.Of == 0 {
		return shard, true
	}
	return shard / p.Of, p.has(shard)
}

// shard is the number of the shard at a place among the part's.
func (p Part) shard(at int) int {
	if p.Of == 0 {
		return at
	}
	return at*p.Of + p.Number - 1
}
