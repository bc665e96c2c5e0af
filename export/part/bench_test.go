package part

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"
)

var words = []string{"the", "reader", "returns", "an", "error", "when", "file", "closed", "vector", "table", "of",
	"commit", "row", "queue", "and"}

func benchRows(n int) []Row {
	rng := rand.New(rand.NewPCG(1, 2))
	rows := make([]Row, n)
	for i := range rows {
		e := make([]float32, 384)
		for k := range e {
			e[k] = float32(rng.NormFloat64()) / 20
		}
		text := ""
		for range 5 + rng.IntN(40) {
			text += words[rng.IntN(len(words))] + " "
		}
		ids := make([]int32, 8+rng.IntN(40))
		for k := range ids {
			ids[k] = rng.Int32N(30000)
		}
		rows[i] = Row{
			Job: "docs-1", Shard: fmt.Sprint(i / 100), RecordID: fmt.Sprintf("record-%d", i), Task: "embed",
			Model:       "all-MiniLM-L6-v2",
			ModelSHA256: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", Text: Some(text),
			Attributes: map[string]string{"lang": "en", "file": fmt.Sprint(i)}, InputIDs: ids, NTokens: Some(int32(len(ids))),
			NDropped: Some[int32](0), Dim: Some[int32](384), Chunk: Some[int32](0), ChunkStart: Some[int32](0),
			ChunkEnd: Some(int32(len(text))), StreamSequence: Some(int64(i)), Truncated: Some(false), Norm: Some(1.0),
			Embedding: e, CreatedAt: time.Unix(1700000000, int64(i)*1000),
		}
	}
	return rows
}

func BenchmarkWrite(b *testing.B) {
	for _, kind := range []Embedding{Float32, Int8, Int16} {
		b.Run(kind.String(), func(b *testing.B) { benchWrite(b, kind) })
	}
}

func benchWrite(b *testing.B, kind Embedding) {
	rows := benchRows(2000)
	for i := range rows {
		for _, f := range rows[i].Embedding {
			switch kind {
			case Int8:
				rows[i].Embedding8 = append(rows[i].Embedding8, int8(max(-127, min(127, f*700))))
			case Int16:
				rows[i].Embedding16 = append(rows[i].Embedding16, int16(max(0, min(255, f*700+128))))
			}
		}
		if kind != Float32 {
			rows[i].Embedding = nil
		}
	}
	w, err := New(io.Discard, Options{Kind: kind})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		if err := w.Write(rows); err != nil {
			b.Fatal(err)
		}
		n += len(rows)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(w.out.N)/float64(n), "bytes/row")
}
