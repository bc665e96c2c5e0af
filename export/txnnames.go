package export

import (
	"maps"
	"slices"
	"strings"

	"textmill/export/delta"
)

// claims are the jobs whose short names a commit takes, by job.
type claims map[string]string

// names are the AppIDs that stand for a shard's key in the log. The first task and model of a job take its short
// names. In a job of an older version nobody does: the key has both names then, so that such a version still knows it,
// unless the short one is taken.
func (x *txnIndex) names(k Key, c claims) []string {
	owner, known := x.owners[k.Job]
	if !known {
		owner, known = c[k.Job]
	}
	if _, old := x.short[x.hash(k.Job)]; !known && !old {
		owner = k.owner
	}
	switch owner {
	case k.owner:
		c[k.Job] = k.owner
		return []string{k.short}
	case "":
		if x.under(k.short, k.Version) == Absent {
			return []string{k.AppID, k.short}
		}
	}
	return []string{k.AppID}
}

// verdicts are where the verdict on a key is kept.
func (x *txnIndex) verdicts(k Key, c claims) []string {
	if k.stream != "" {
		return []string{verdictOn(k.AppID)}
	}
	names := x.names(k, c)
	for i, name := range names {
		names[i] = verdictOn(name)
	}
	return names
}

// actions say whose the jobs' short names are. They are in every commit that has such a name, so that none is
// remembered longer.
func (c claims) actions(now int64) []delta.Action {
	var out []delta.Action
	for _, job := range slices.Sorted(maps.Keys(c)) {
		out = append(out, txnAction(ownerPrefix+job+"/"+c[job], 0, now))
	}
	return out
}

// txnsOf are the actions that settle the keys; contiguous sequences of a stream become one range.
func (x *txnIndex) txnsOf(keys []Key, now int64) []delta.Action {
	var out []delta.Action
	c := claims{}
	var seqs []Key
	for _, k := range keys {
		if k.stream != "" {
			seqs = append(seqs, k)
			continue
		}
		for _, name := range x.names(k, c) {
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
		for j < len(seqs) && seqs[j].stream == seqs[i].stream && seqs[j].seq == seqs[j-1].seq+1 &&
			seqs[j].Version >= seqs[j-1].Version {
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
