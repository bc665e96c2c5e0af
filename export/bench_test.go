package export

import (
	"fmt"
	"runtime"
	"testing"

	"textmill/export/delta"
)

// BenchmarkTxnIndex tells what a million settled deliveries take in memory.
func BenchmarkTxnIndex(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		l := newTxnIndex()
		const n = 1_000_000
		for i := range n {
			l.put(delta.Txn{AppID: fmt.Sprintf("textmill/job/docs-1/%d", i), Version: int64(i)})
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "bytes/key")
		runtime.KeepAlive(l)
	}
}

// BenchmarkCommit is a small delivery, from rows to a durable commit.
func BenchmarkCommit(b *testing.B) {
	tab := table(b, openStore(b, b.TempDir()))
	n := 0
	for b.Loop() {
		put(b, tab, fmt.Sprint(n))
		n++
	}
}

// BenchmarkOpen reads a table of many keys through its checkpoint.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	tab := table(b, openStore(b, dir, func(o *Options) { o.CheckpointEvery = -1 }))
	const keys = 200_000
	for from := 0; from < keys; from += 20_000 {
		batch := begin(b, tab)
		for i := range 20_000 {
			if err := batch.Add(JobKey("embed", "m", "j", fmt.Sprint(from+i), nil), nil); err != nil {
				b.Fatal(err)
			}
		}
		commit(b, batch)
	}
	if _, err := tab.Checkpoint(b.Context()); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		fresh := table(b, openStore(b, dir))
		if err := fresh.Refresh(b.Context()); err != nil {
			b.Fatal(err)
		}
		n += fresh.Keys()
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "keys/s")
}
