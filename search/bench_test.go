package search

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"textmill/export"
	"textmill/models/vector"
)

var (
	benchDir       = flag.String("tables", "", "where BenchmarkNearest keeps its tables between runs; default: nowhere")
	benchRows      = flag.Int("rows", 20_000, "rows of its table")
	benchPrecision = flag.String("precision", vector.Float32, "of its vectors")
	benchQuestions = flag.Int("questions", 1, "at once")
)

// benchTable is a table of random vectors of 384 dimensions, which is made unless it is there.
func benchTable(b *testing.B) string {
	b.Helper()
	uri := *benchDir
	if uri == "" {
		uri = b.TempDir()
	}
	uri = filepath.Join(uri, fmt.Sprintf("%s-%d", *benchPrecision, *benchRows))
	if _, err := os.Stat(uri); err == nil {
		return filepath.Join(uri, "docs")
	}
	const dim, perPart = 384, 50_000
	rng := rand.New(rand.NewPCG(1, 2))
	for made := 0; made < *benchRows; {
		rows := make([]export.Row, min(perPart, *benchRows-made))
		for i := range rows {
			rows[i] = row(b, made+i, random(rng, dim), *benchPrecision)
			rows[i].Text = export.Some(fmt.Sprintf("what record %d says of %d and %d", made+i, rng.Int(), rng.Int()))
		}
		made += len(rows)
		makeTable(b, uri, export.Vectors{Precision: *benchPrecision, Dim: dim}, rows)
	}
	return filepath.Join(uri, "docs")
}

// BenchmarkNearest asks a table, from opening it to the rows; a model is not part of it. bench/search runs it on a million
// rows, warm and cold.
func BenchmarkNearest(b *testing.B) {
	table := benchTable(b)
	rng := rand.New(rand.NewPCG(3, 4))
	var questions [][]float32
	for range *benchQuestions {
		questions = append(questions, random(rng, 384))
	}
	var stats Stats
	for b.Loop() {
		r, err := export.OpenReading(b.Context(), table)
		if err != nil {
			b.Fatal(err)
		}
		metric := Cosine
		if r.Vectors.Precision == vector.Binary || r.Vectors.Precision == vector.Ubinary {
			metric = Hamming
		}
		_, stats, err = Nearest(b.Context(), r, questions, Options{Vectors: r.Vectors, Metric: metric, K: 10, Workers: runtime.GOMAXPROCS(0)})
		r.Close()
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(stats.Rows), "rows")
	b.ReportMetric(float64(stats.Bytes), "bytes")
}
