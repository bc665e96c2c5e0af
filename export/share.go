package export

import "hash/maphash"

// share is one of several parts of a set of records, which are looked for one after the other.
type share struct {
	seeds  [2]maphash.Seed
	passes uint64 // how many parts
	pass   uint64 // which
	loaded bool
}

func newShare() share {
	return share{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, passes: 1}
}

func (s *share) shares() uint64 { return s.passes }

// is says whether that share is loaded.
func (s *share) is(pass uint64) bool { return s.loaded && s.pass == pass }

// has says whether the share has a record.
func (s *share) has(hash [2]uint64) bool { return hash[0]%s.passes == s.pass }

// hash is by what records are told apart.
func (s *share) hash(task, id string) [2]uint64 {
	var h [2]uint64
	for i, seed := range s.seeds {
		var m maphash.Hash
		m.SetSeed(seed)
		_, _ = m.WriteString(task) // never fails
		_ = m.WriteByte(0)         // never fails, and is in no task's name
		_, _ = m.WriteString(id)
		h[i] = m.Sum64()
	}
	return h
}

func compareHashes(a, b [2]uint64) int {
	switch {
	case a == b:
		return 0
	case a[0] != b[0]:
		return less(a[0] < b[0])
	}
	return less(a[1] < b[1])
}
