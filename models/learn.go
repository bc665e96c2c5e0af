package models

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// budgets are the batch sizes, in padded tokens, that learning tries from small to large.
var budgets = []int{256, 512, 1024, 2048, 4096, 8192}

// A Rate is how fast one batch size runs.
type Rate struct {
	BatchTokens     int     `json:"batch_tokens"`
	TokensPerSecond float64 `json:"tokens_per_second"`
}

// learning bounds how long the start of a session may take to find its batch size.
const learning = 2500 * time.Millisecond

// settleBudget takes the batch size from the options, from an earlier start on the like of this machine, or from a short
// measurement.
func (e *Embedder) settleBudget(ctx context.Context, o SessionOptions) error {
	if o.BatchTokens > 0 {
		e.budget = o.BatchTokens
		return nil
	}
	book := filepath.Join(o.Home, "batch-tokens.json")
	key := e.machineKey()
	known, err := readBook(book)
	if err != nil {
		return err
	}
	if e.budget = known[key]; e.budget > 0 {
		return nil
	}
	rates, err := e.measure(ctx, learning)
	if err != nil {
		return fmt.Errorf("learn the batch size of %s: %w", e.spec.Name, err)
	}
	e.budget = best(rates)
	o.Log.Info("batch size learned", "model", e.spec.Name, "device", e.device, "threads", e.threads, "batch_tokens", e.budget)
	if err := writeBook(book, key, e.budget); err != nil {
		o.Log.Warn("batch size cannot be kept, it will be learned again", "error", err)
	}
	return nil
}

// machineKey names everything that the best batch size depends on.
func (e *Embedder) machineKey() string {
	return fmt.Sprintf("%.16s %s %s threads=%d %s", e.spec.SHA256, e.spec.Graph, e.device, e.threads, processor())
}

// processor is the processor's model, as far as the system tells.
func processor() string {
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
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

// measure runs batches of growing size. Every size gets an equal share of limit; it ends early once sizes only get slower,
// or limit is over. One slow size alone may be the machine's doing.
func (e *Embedder) measure(ctx context.Context, limit time.Duration) ([]Rate, error) {
	var rates []Rate
	top, slow, start := 0.0, 0, time.Now()
	for _, budget := range budgets {
		rate, err := e.rate(ctx, budget, limit/time.Duration(len(budgets)))
		if err != nil {
			if errors.Is(err, ErrOutOfMemory) && len(rates) > 0 {
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
	if _, err := e.Embed(ctx, rows); err != nil { // first runs allocate
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
				if _, err := e.Embed(ctx, rows); err != nil {
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

func readBook(path string) (map[string]int, error) {
	known := map[string]int{}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(data, &known) != nil {
		return map[string]int{}, nil //nolint:nilerr // it can be learned again
	}
	return known, nil
}

// writeBook adds one entry. Of two processes that learn at once one may win; the other's entry is learned again.
func writeBook(path, key string, budget int) error {
	known, err := readBook(path)
	if err != nil {
		return err
	}
	known[key] = budget
	data, err := json.MarshalIndent(known, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".batch-tokens-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
