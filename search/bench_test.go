package search

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"testing"

	"textmill/export"
)

var benchTable = flag.String("table", "", "the table that BenchmarkNearest searches")

func BenchmarkNearest(b *testing.B) {
	if *benchTable == "" {
		b.Skip("needs -table")
	}
	for b.Loop() {
		t, err := export.OpenReading(b.Context(), *benchTable)
		if err != nil {
			b.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(3, 4))
		q := make([]float32, t.Vectors.Dim)
		for i := range q {
			q[i] = rng.Float32() - 0.5
		}
		_, st, err := Nearest(b.Context(), t, [][]float32{q}, Options{Vectors: t.Vectors, Metric: Cosine, K: 10, Workers: runtime.GOMAXPROCS(0)})
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("%+v", st)
		t.Close()
	}
}
