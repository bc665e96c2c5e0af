package embed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"textmill/ground/places"
	"textmill/models/internal/learned"
	"textmill/models/session"
)

// budgets are the batch sizes, in padded tokens, that learning tries from small to large.
var budgets = []int{256, 512, 1024, 2048, 4096, 8192}

// cardBudgets are those of a card, which needs many tokens to be busy.
var cardBudgets = []int{2048, 4096, 8192, 16384, mostTokens}

// tries are the batch sizes that are measured.
func (e *Embedder) tries() []int {
	if e.deck == nil {
		return budgets
	}
	return cardBudgets
}

// A Rate is how fast one batch size runs.
type Rate struct {
	BatchTokens     int
	TokensPerSecond float64
}

// learning bounds how long the start of a session may take to find its batch size.
const learning = 2500 * time.Millisecond

// settleBudget takes the batch size from the options, from an earlier start on the like of this machine, or from a
// short measurement.
func (e *Embedder) settleBudget(ctx context.Context, o session.Options) error {
	if n := o.BatchTokens; n > 0 {
		if e.deck != nil {
			n = min(n, mostTokens)
		}
		e.budget.Store(int64(n))
		return nil
	}
	book := places.BatchTokens(o.Home)
	key := session.MachineKey(e.spec, e.device, e.threads)
	known, err := learned.Read[int](book)
	if err != nil {
		return err
	}
	if n := known[key]; n > 0 {
		e.budget.Store(int64(n))
		return nil
	}
	rates, err := e.measure(ctx, learning)
	if err != nil {
		return fmt.Errorf("learn the batch size of %s: %w", e.spec.Name, err)
	}
	e.budget.Store(int64(best(rates)))
	o.Log.InfoContext(ctx, "batch size learned", "model", e.spec.Name, "device", e.device, "threads", e.threads,
		"batch_tokens", e.BatchTokens())
	if err := learned.Write(book, key, e.BatchTokens()); err != nil {
		o.Log.WarnContext(ctx, "batch size cannot be kept, it will be learned again", "error", err)
	}
	return nil
}

// best is the smallest batch size within 3 % of the fastest: it pads less and needs less memory.
func best(rates []Rate) int {
	top := 0.0
	for _, r := range rates {
		top = max(top, r.TokensPerSecond)
	}
	for _, r := range rates {
		if r.TokensPerSecond >= 0.97*top {
			return r.BatchTokens
		}
	}
	return budgets[0]
}

// measure runs batches of growing size. Every size gets an equal share of limit; it ends early once sizes only get
// slower, or limit is over. One slow size alone may be the machine's doing.
func (e *Embedder) measure(ctx context.Context, limit time.Duration) ([]Rate, error) {
	var rates []Rate
	top, slow, start := 0.0, 0, time.Now()
	for _, budget := range e.tries() {
		rate, err := e.rate(ctx, budget, limit/time.Duration(len(e.tries())))
		if err != nil {
			if errors.Is(err, session.ErrOutOfMemory) && len(rates) > 0 {
				break
			}
			return nil, err
		}
		rates = append(rates, Rate{budget, rate})
		top = max(top, rate)
		if slow++; rate >= 0.8*top {
			slow = 0
		}
		if slow == 2 || time.Since(start) > limit {
			break
		}
	}
	return rates, nil
}

// rate is the tokens a second of all workers together on batches of that padded size. At least one batch runs on each.
func (e *Embedder) rate(ctx context.Context, budget int, span time.Duration) (float64, error) {
	rows := sampleRows(budget, min(32, e.spec.MaxLength))
	if _, err := e.measured(ctx, rows); err != nil { // first runs allocate
		return 0, err
	}
	var (
		wg       sync.WaitGroup
		tokens   atomic.Int64
		failures = make([]error, e.Workers())
	)
	start := time.Now()
	for w := range failures {
		wg.Go(func() {
			for first := true; first || time.Since(start) < span; first = false {
				if _, err := e.measured(ctx, rows); err != nil {
					failures[w] = err
					return
				}
				tokens.Add(int64(budget))
			}
		})
	}
	wg.Wait()
	return float64(tokens.Load()) / time.Since(start).Seconds(), cmp.Or(failures...)
}

// sampleRows makes a batch of that padded size. Which tokens they are does not matter to its speed.
func sampleRows(budget, length int) []Row {
	rows := make([]Row, max(1, budget/length))
	for i := range rows {
		rows[i].IDs = make([]int32, length)
		for j := range rows[i].IDs {
			rows[i].IDs[j] = int32((i + j) % 8)
		}
	}
	return rows
}
