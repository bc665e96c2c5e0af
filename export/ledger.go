package export

import (
	"hash/maphash"
	"slices"
	"strings"

	"textmill/export/delta"
)

// ledger is the set of a table's live txns, made for looking deliveries up in little memory: ids are kept as hashes of 128
// bits, sequences as ranges.
type ledger struct {
	seeds [2]maphash.Seed
	jobs  map[[2]uint64]int64
	dead  map[[2]uint64]int64
	ends  map[string]int64 // cancelled jobs
	seqs  map[string]*ranges
	gone  map[string]*ranges // sequences judged dead
}

func newLedger() *ledger {
	return &ledger{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		jobs:  map[[2]uint64]int64{}, dead: map[[2]uint64]int64{}, ends: map[string]int64{},
		seqs: map[string]*ranges{}, gone: map[string]*ranges{},
	}
}

func (l *ledger) hash(s string) [2]uint64 {
	return [2]uint64{maphash.String(l.seeds[0], s), maphash.String(l.seeds[1], s)}
}

func (l *ledger) len() int {
	n := len(l.jobs) + len(l.dead) + len(l.ends)
	for _, m := range []map[string]*ranges{l.seqs, l.gone} {
		for _, r := range m {
			n += len(r.list)
		}
	}
	return n
}

// put takes in a txn; one that is not ours is passed over.
func (l *ledger) put(t delta.Txn) {
	id, ok := strings.CutPrefix(t.AppID, "textmill/")
	if !ok {
		return
	}
	switch {
	case strings.HasPrefix(id, "job/"):
		l.jobs[l.hash(id)] = t.Version
	case strings.HasPrefix(id, "seq/"):
		putRange(l.seqs, id[4:], t.Version)
	case strings.HasPrefix(id, "dead/job/"):
		l.dead[l.hash(id[5:])] = t.Version
	case strings.HasPrefix(id, "dead/seq/"):
		putRange(l.gone, id[9:], t.Version)
	case strings.HasPrefix(id, "cancel/"):
		job := strings.Clone(id[7:])
		l.ends[job] = max(l.ends[job], t.Version)
	}
}

// look says what is known of a key.
func (l *ledger) look(k Key) Outcome {
	if k.stream != "" {
		switch {
		case l.seqs[k.stream].has(k.seq, k.Version):
			return Committed
		case l.gone[k.stream].has(k.seq, k.Version):
			return Dead
		}
		// A job of sequence keys may go on after a cancel: the cancel ends what was published before it.
		if end, ok := l.ends[k.Job]; ok && k.Job != "" && k.Version <= end {
			return Cancelled
		}
		return Absent
	}
	h := l.hash(strings.TrimPrefix(k.AppID, "textmill/"))
	committed, ok := l.jobs[h]
	if ok && committed == k.Version {
		return Committed
	}
	if v, dead := l.dead[h]; dead && v == k.Version {
		return Dead
	}
	if ok {
		return Conflict
	}
	if _, ended := l.ends[k.Job]; ended {
		return Cancelled
	}
	return Absent
}

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

// txnsOf are the actions that settle the keys; contiguous sequences of a stream become one range.
func txnsOf(keys []Key, now int64) []delta.Action {
	var out []delta.Action
	var seqs []Key
	for _, k := range keys {
		if k.stream != "" {
			seqs = append(seqs, k)
			continue
		}
		out = append(out, txnAction(k.AppID, k.Version, now))
	}
	slices.SortFunc(seqs, func(a, b Key) int {
		if a.stream != b.stream {
			return strings.Compare(a.stream, b.stream)
		}
		return less(a.seq < b.seq)
	})
	for i := 0; i < len(seqs); {
		// A timestamp that runs backwards ends a range, whose version must cover each of its sequences.
		j := i + 1
		for j < len(seqs) && seqs[j].stream == seqs[i].stream && seqs[j].seq == seqs[j-1].seq+1 && seqs[j].Version >= seqs[j-1].Version {
			j++
		}
		out = append(out, txnAction(seqAppID(seqs[i].stream, seqs[i].seq, seqs[j-1].seq), seqs[j-1].Version, now))
		i = j
	}
	return out
}

func txnAction(appID string, version, now int64) delta.Action {
	return delta.Action{Txn: &delta.Txn{AppID: appID, Version: version, LastUpdated: &now}}
}
