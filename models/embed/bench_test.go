package embed

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"testing"

	"textmill/models"
)

// ragged cuts the golden texts, length-sorted, into batches of that padded size, and counts their tokens.
func ragged(b *testing.B, budget int) (batches [][]Row, tokens int) {
	all := readGolden(b)
	slices.SortFunc(all, func(x, y expected) int { return cmp.Compare(len(y.IDs), len(x.IDs)) })
	for len(all) > 0 {
		n := min(max(1, budget/len(all[0].IDs)), len(all))
		rows := make([]Row, n)
		for i, g := range all[:n] {
			rows[i].IDs = g.IDs
			tokens += len(g.IDs)
		}
		batches, all = append(batches, rows), all[n:]
	}
	return batches, tokens
}

// BenchmarkEmbed runs all golden texts on all workers, once an iteration.
func BenchmarkEmbed(b *testing.B) {
	e := testEmbedder(b)
	for _, budget := range []int{256, 512, 1024, 4096} {
		b.Run(fmt.Sprint(budget), func(b *testing.B) {
			batches, tokens := ragged(b, budget)
			for b.Loop() {
				next := make(chan []Row)
				var wg sync.WaitGroup
				for range e.Workers() {
					wg.Go(func() {
						for rows := range next {
							if _, err := e.Embed(b.Context(), rows); err != nil {
								b.Error(err)
							}
						}
					})
				}
				for _, rows := range batches {
					next <- rows
				}
				close(next)
				wg.Wait()
			}
			b.ReportMetric(float64(tokens)*float64(b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// BenchmarkPool pools 1,024 token vectors of 384 dimensions: it should stay far below a run's time.
func BenchmarkPool(b *testing.B) {
	spec := &models.Spec{Dim: 384, Hidden: 384, Pooling: models.PoolMean, PaddingSide: "right", Output: models.Output{Rank: 3}}
	rows := sampleRows(1024, 32)
	out := make([]float32, 1024*384)
	for _, pooling := range []string{models.PoolMean, models.PoolMax, models.PoolCLS} {
		b.Run(pooling, func(b *testing.B) {
			spec.Pooling = pooling
			for b.Loop() {
				pool(rows, out, 32, spec)
			}
		})
	}
}
