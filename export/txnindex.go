package export

import (
	"hash/maphash"
	"strings"
	"time"

	"textmill/export/delta"
)

// txnIndex is the set of a table's live txns, made for looking deliveries up in little memory: ids are kept as hashes
// of 128 bits, sequences as ranges.
type txnIndex struct {
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

func newTxnIndex() *txnIndex {
	return &txnIndex{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		jobs:  map[[2]uint64]int64{}, dead: map[[2]uint64]int64{}, ends: map[string]int64{},
		seqs: map[string]*ranges{}, gone: map[string]*ranges{},
		retried: map[[2]uint64]int64{}, owners: map[string]string{}, short: map[[2]uint64]struct{}{},
		others: map[string]struct{}{},
	}
}

func (x *txnIndex) hash(s string) [2]uint64 {
	return [2]uint64{maphash.String(x.seeds[0], s), maphash.String(x.seeds[1], s)}
}

func (x *txnIndex) len() int {
	n := len(x.jobs) + len(x.dead) + len(x.ends)
	for _, m := range []map[string]*ranges{x.seqs, x.gone} {
		for _, r := range m {
			n += len(r.list)
		}
	}
	return n
}

// clocksApart is how much later by the queue's clock than by a daemon's a cancel may be.
const clocksApart = 10 * time.Minute

// put takes in a txn; one that is not ours is passed over.
func (x *txnIndex) put(t delta.Txn) {
	id, ok := strings.CutPrefix(t.AppID, "textmill/")
	if !ok {
		return
	}
	switch {
	case strings.HasPrefix(id, "shard/"):
		x.putShard(id, t.Version)
	case strings.HasPrefix(id, "job/"):
		x.putShard(id, t.Version)
		x.shorten(id[4:])
	case strings.HasPrefix(id, "owner/"):
		x.own(id[6:])
	case strings.HasPrefix(id, "seq/"):
		putRange(x.seqs, id[4:], t.Version)
	case strings.HasPrefix(id, "dead/shard/"):
		x.dead[x.hash(id[5:])] = t.Version
	case strings.HasPrefix(id, "dead/job/"):
		x.dead[x.hash(id[5:])] = t.Version
		x.shorten(id[9:])
	case strings.HasPrefix(id, "dead/seq/"):
		putRange(x.gone, id[9:], t.Version)
	case strings.HasPrefix(id, "cancel/"):
		job := strings.Clone(id[7:])
		x.ends[job] = max(x.ends[job], t.Version)
		if t.LastUpdated != nil { // it ends nothing that comes after it was written, whatever it says
			x.ends[job] = min(x.ends[job], time.UnixMilli(*t.LastUpdated).Add(clocksApart).UnixNano())
		}
	}
}

func (x *txnIndex) putShard(id string, version int64) {
	x.jobs[x.hash(id)] = version
	if base, retry := baseOf(id); retry {
		x.retried[x.hash(base)] = version
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
func (x *txnIndex) shorten(name string) {
	job, _, _ := strings.Cut(name, "/")
	x.short[x.hash(job)] = struct{}{}
}

// own takes in whose the short names of a job are, <job>/<task>/<model>.
func (x *txnIndex) own(claim string) {
	job, owner, _ := strings.Cut(strings.Clone(claim), "/")
	if before, claimed := x.owners[job]; claimed && before != owner {
		owner = ""
	}
	x.owners[job] = owner
}

// look says what is known of a key.
func (x *txnIndex) look(k Key) Outcome {
	if k.stream != "" {
		switch {
		case x.seqs[k.stream].has(k.seq, k.Version):
			return Committed
		case x.gone[k.stream].has(k.seq, k.Version):
			return Dead
		}
		// A job of sequence keys may go on after a cancel: the cancel ends what was published before it.
		if end, ok := x.ends[k.Job]; ok && k.Job != "" && k.Version <= end {
			return Cancelled
		}
		return Absent
	}
	owner := x.owners[k.Job]
	outcome := x.under(k.AppID, k.Version)
	if outcome == Absent && (owner == "" || owner == k.owner) {
		outcome = x.under(k.short, k.Version)
		// A verdict of an older version holds for every model: what it gave up is a dead letter, which can be retried, while
		// rows beside that letter would be the record twice.
		if owner == "" && outcome != Absent && outcome != Dead {
			outcome = unclear
			if _, other := x.others[k.AppID]; other {
				outcome = Absent
			}
		}
	}
	if outcome != Absent {
		return outcome
	}
	if _, ended := x.ends[k.Job]; ended {
		return Cancelled
	}
	return Absent
}

// under says what an AppID of a shard and its verdict stand for. A retry may bring the rows of what was given up, but
// a shard has rows of one payload, by whichever delivery they came.
func (x *txnIndex) under(appID string, version int64) Outcome {
	id := strings.TrimPrefix(appID, "textmill/")
	base, _ := baseOf(id)
	outcome := Absent
	for _, known := range []map[[2]uint64]int64{x.jobs, x.retried} {
		for _, name := range []string{id, base} {
			committed, ok := known[x.hash(name)]
			if ok && committed == version {
				return Committed
			}
			if ok {
				outcome = Conflict
			}
		}
	}
	if v, dead := x.dead[x.hash(id)]; dead && v == version {
		return Dead
	}
	return outcome
}
