package added

import (
	"strings"

	"textmill/tokenize/internal/trie"
)

// finder finds the leftmost and there the longest of its keys.
type finder struct {
	trie  *trie.Trie
	first [256]bool // bytes that a key starts with
	only  byte      // the one such byte, when there is one
	one   bool
}

func newFinder(keys []trie.Key) *finder {
	if len(keys) == 0 {
		return nil
	}
	f := &finder{}
	n := 0
	for _, k := range keys {
		if c := k.Key[0]; !f.first[c] {
			f.first[c], f.only = true, c
			n++
		}
	}
	f.one = n == 1
	f.trie = trie.New(keys)
	return f
}

// next returns the first match at or after at; id is -1 when there is none.
func (f *finder) next(s string, at int) (start, end int, id int32) {
	for i := at; i < len(s); i++ {
		if f.one {
			j := strings.IndexByte(s[i:], f.only)
			if j < 0 {
				break
			}
			i += j
		} else if !f.first[s[i]] {
			continue
		}
		if end, id := f.longest(s, i); id >= 0 {
			return i, end, id
		}
	}
	return 0, 0, -1
}

func (f *finder) longest(s string, from int) (end int, id int32) {
	id = -1
	units := f.trie.Units
	node := uint32(0)
	for i := from; i < len(s); i++ {
		next := units[node].Base ^ uint32(s[i])
		if int(next) >= len(units) || units[next].Parent != node+1 {
			break
		}
		node = next
		if v := units[node].Value; v >= 0 {
			end, id = i+1, v
		}
	}
	return end, id
}
