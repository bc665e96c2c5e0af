package export

import (
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"time"

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

	owners map[string]string      // by job: the <task>/<model> of its short names; "" where two claim it
	short  map[[2]uint64]struct{} // jobs that have short names
	// retried are shards whose rows came by a retry of their dead letter, by the name without the retry's number.
	retried map[[2]uint64]int64
	others  map[string]struct{} // AppIDs of deliveries whose short name another model's rows have
}

func newLedger() *ledger {
	return &ledger{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		jobs:  map[[2]uint64]int64{}, dead: map[[2]uint64]int64{}, ends: map[string]int64{},
		seqs: map[string]*ranges{}, gone: map[string]*ranges{},
		retried: map[[2]uint64]int64{}, owners: map[string]string{}, short: map[[2]uint64]struct{}{}, others: map[string]struct{}{},
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

// clocksApart is how much later by the queue's clock than by a daemon's a cancel may be.
const clocksApart = 10 * time.Minute

// put takes in a txn; one that is not ours is passed over.
func (l *ledger) put(t delta.Txn) {
	id, ok := strings.CutPrefix(t.AppID, "textmill/")
	if !ok {
		return
	}
	switch {
	case strings.HasPrefix(id, "shard/"):
		l.putShard(id, t.Version)
	case strings.HasPrefix(id, "job/"):
		l.putShard(id, t.Version)
		l.shorten(id[4:])
	case strings.HasPrefix(id, "owner/"):
		l.own(id[6:])
	case strings.HasPrefix(id, "seq/"):
		putRange(l.seqs, id[4:], t.Version)
	case strings.HasPrefix(id, "dead/shard/"):
		l.dead[l.hash(id[5:])] = t.Version
	case strings.HasPrefix(id, "dead/job/"):
		l.dead[l.hash(id[5:])] = t.Version
		l.shorten(id[9:])
	case strings.HasPrefix(id, "dead/seq/"):
		putRange(l.gone, id[9:], t.Version)
	case strings.HasPrefix(id, "cancel/"):
		job := strings.Clone(id[7:])
		l.ends[job] = max(l.ends[job], t.Version)
		if t.LastUpdated != nil { // it ends nothing that comes after it was written, whatever it says
			l.ends[job] = min(l.ends[job], time.UnixMilli(*t.LastUpdated).Add(clocksApart).UnixNano())
		}
	}
}

func (l *ledger) putShard(id string, version int64) {
	l.jobs[l.hash(id)] = version
	if base, retry := baseOf(id); retry {
		l.retried[l.hash(base)] = version
	}
}

// baseOf takes the number of a retry off a shard's name.
func baseOf(id string) (base string, retry bool) {
	i := strings.LastIndex(id, "/r")
	if i < 0 || i+2 == len(id) || strings.Trim(id[i+2:], "0123456789") != "" {
		return id, false
	}
	// No shard is named so without being a retry, but a job or model may be: <job>/<shard> has a slash less.
	parts := 2
	if strings.HasPrefix(id, "shard/") {
		parts = 4
	}
	return id[:i], strings.Count(id, "/") > parts
}

// shorten takes in that a job has a short name, <job>/<shard>.
func (l *ledger) shorten(name string) {
	job, _, _ := strings.Cut(name, "/")
	l.short[l.hash(job)] = struct{}{}
}

// own takes in whose the short names of a job are, <job>/<task>/<model>.
func (l *ledger) own(claim string) {
	job, owner, _ := strings.Cut(strings.Clone(claim), "/")
	if before, claimed := l.owners[job]; claimed && before != owner {
		owner = ""
	}
	l.owners[job] = owner
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
	owner := l.owners[k.Job]
	outcome := l.under(k.AppID, k.Version)
	if outcome == Absent && (owner == "" || owner == k.owner) {
		outcome = l.under(k.short, k.Version)
		// A verdict of an older version holds for every model: what it gave up is a dead letter, which can be retried, while
		// rows beside that letter would be the record twice.
		if owner == "" && outcome != Absent && outcome != Dead {
			outcome = unclear
			if _, other := l.others[k.AppID]; other {
				outcome = Absent
			}
		}
	}
	if outcome != Absent {
		return outcome
	}
	if _, ended := l.ends[k.Job]; ended {
		return Cancelled
	}
	return Absent
}

// under says what an AppID of a shard and its verdict stand for. A retry may bring the rows of what was given up, but a shard has
// rows of one payload, by whichever delivery they came.
func (l *ledger) under(appID string, version int64) Outcome {
	id := strings.TrimPrefix(appID, "textmill/")
	base, _ := baseOf(id)
	outcome := Absent
	for _, known := range []map[[2]uint64]int64{l.jobs, l.retried} {
		for _, name := range []string{id, base} {
			committed, ok := known[l.hash(name)]
			if ok && committed == version {
				return Committed
			}
			if ok {
				outcome = Conflict
			}
		}
	}
	if v, dead := l.dead[l.hash(id)]; dead && v == version {
		return Dead
	}
	return outcome
}

// claims are the jobs whose short names a commit takes, by job.
type claims map[string]string

// names are the AppIDs that stand for a shard's key in the log. The first task and model of a job take its short names. In a job
// of an older version nobody does: the key has both names then, so that such a version still knows it, unless the short one
// is taken.
func (l *ledger) names(k Key, c claims) []string {
	owner, known := l.owners[k.Job]
	if !known {
		owner, known = c[k.Job]
	}
	if _, old := l.short[l.hash(k.Job)]; !known && !old {
		owner = k.owner
	}
	switch owner {
	case k.owner:
		c[k.Job] = k.owner
		return []string{k.short}
	case "":
		if l.under(k.short, k.Version) == Absent {
			return []string{k.AppID, k.short}
		}
	}
	return []string{k.AppID}
}

// verdicts are where the verdict on a key is kept.
func (l *ledger) verdicts(k Key, c claims) []string {
	if k.stream != "" {
		return []string{verdictOn(k.AppID)}
	}
	names := l.names(k, c)
	for i, name := range names {
		names[i] = verdictOn(name)
	}
	return names
}

// actions say whose the jobs' short names are. They are in every commit that has such a name, so that none is remembered longer.
func (c claims) actions(now int64) []delta.Action {
	var out []delta.Action
	for _, job := range slices.Sorted(maps.Keys(c)) {
		out = append(out, txnAction(ownerPrefix+job+"/"+c[job], 0, now))
	}
	return out
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
func (l *ledger) txnsOf(keys []Key, now int64) []delta.Action {
	var out []delta.Action
	c := claims{}
	var seqs []Key
	for _, k := range keys {
		if k.stream != "" {
			seqs = append(seqs, k)
			continue
		}
		for _, name := range l.names(k, c) {
			out = append(out, txnAction(name, k.Version, now))
		}
	}
	out = append(out, c.actions(now)...)
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
