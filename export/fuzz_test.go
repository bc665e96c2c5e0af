package export

import (
	"strings"
	"testing"
	"time"

	"textmill/export/delta"
)

// FuzzTxnIndex takes in txns as another writer may have left them: what they do not name stays absent, what they name
// is known.
func FuzzTxnIndex(f *testing.F) {
	f.Add("textmill/job/j/0\ntextmill/dead/job/j/1\ntextmill/cancel/k\ntextmill/seq/S@5/3-9\nother", int64(7), "j", "0",
		uint64(4))
	f.Add("textmill/seq/S@5/18446744073709551615-18446744073709551615\n"+
		"textmill/seq/S@5/0-18446744073709551615\ntextmill/seq/S@5/9-3", int64(-1), "", "", uint64(0))
	f.Add("textmill/owner/j/embed/m\ntextmill/shard/embed/m/j/0\ntextmill/dead/shard/embed/m/j/0\n"+
		"textmill/owner/j/generate/m\ntextmill/job/j/0", int64(7), "j", "0", uint64(4))
	f.Add("textmill/dead/seq/S@5/4-4\ntextmill/seq/S@5/x-4\ntextmill/seq//1-1\ntextmill/", int64(1), "a/b", "\xff",
		uint64(4))
	f.Fuzz(func(t *testing.T, ids string, version int64, job, shard string, seq uint64) {
		job = strings.ReplaceAll(job, "/", "") // no job's name has one
		l, named := newTxnIndex(), map[string]bool{}
		for id := range strings.SplitSeq(ids, "\n") {
			l.put(delta.Txn{AppID: id, Version: version})
			named[id] = true
		}
		if l.len() > len(named) {
			t.Errorf("%d entries of %d ids", l.len(), len(named))
		}
		k := JobKey("embed", "m", job, shard, []byte(shard))
		known := named[cancelPrefix+job]
		for _, name := range []string{k.AppID, k.short} {
			known = known || named[name] || named[verdictOn(name)]
		}
		if got := l.look(k); got != Absent && !known {
			t.Errorf("%s is %s", k, got)
		}
		for _, a := range l.txnsOf([]Key{k}, 1) {
			l.put(*a.Txn)
		}
		if got := l.look(k); got != Committed {
			t.Errorf("%s was put and is %s", k, got)
		}
		s := SeqKey("S", time.Unix(0, 5), seq, time.Unix(0, version), job)
		covered := false
		for id := range named {
			for _, prefix := range []string{seqPrefix, deadPrefix + "seq/"} {
				if rest, ok := strings.CutPrefix(id, prefix); ok {
					stream, lo, hi, ok := parseSeq(rest)
					covered = covered || ok && stream == "S@5" && lo <= seq && seq <= hi
				}
			}
		}
		if got := l.look(s); (got == Committed || got == Dead) != covered {
			t.Errorf("%s is %s, covered %t", s, got, covered)
		}
		for _, a := range l.txnsOf([]Key{s}, 1) {
			l.put(*a.Txn)
		}
		if got := l.look(s); got != Committed {
			t.Errorf("%s was put and is %s", s, got)
		}
	})
}
