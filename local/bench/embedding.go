// Package bench measures how fast the models of this machine run.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"textmill/config"
	"textmill/ground/naming"
	"textmill/ground/plain"
	"textmill/local"
	"textmill/models"
	"textmill/models/embed"
	"textmill/models/session"
	"textmill/open"
	"textmill/open/bundle"
)

// benchAnswer is the rate of one batch size.
type benchAnswer struct {
	BatchTokens int     `json:"batch_tokens"`
	Learned     bool    `json:"learned"` // the size that the daemon would use
	Texts       float64 `json:"texts_per_s"`
	Tokens      float64 `json:"tokens_per_s"` // without padding
}

// benchBudgets are the padded batch sizes that are tried beside the learned one.
var benchBudgets = []int{512, 1024, 2048, 4096, 8192}

// Embedding measures how many texts a second a model embeds, tokenization apart, for several batch sizes: token rows
// of ragged lengths in length-sorted batches, each size for about the given time.
func Embedding(ctx context.Context, cfg config.Config, name string, each time.Duration, out io.Writer, asJSON bool,
	log *slog.Logger) (err error) {
	if s, err := bundle.Named(cfg, name); err != nil {
		return err
	} else if s.Task == naming.TaskGenerate {
		return fmt.Errorf("%w: model %s continues prompts; give it some with --prompts FILE", local.ErrUsage, name)
	}
	m, err := open.EmbeddingNamed(ctx, cfg, name, false, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.End()) }()
	learned := m.BatchTokens()
	budgets := append(slices.Clone(benchBudgets), learned)
	slices.Sort(budgets)
	budgets = slices.Compact(budgets)

	rows := raggedRows(m.Spec)
	if !asJSON {
		fmt.Fprintf(out, "%s on %s, %d at a time, texts of %d to %d tokens\n",
			name, m.Device(), m.Workers(), len(rows[0].IDs), len(rows[len(rows)-1].IDs))
	}
	var found []session.Finding
	defer func() { keep(ctx, cfg, m.Spec, found, log) }()
	for _, budget := range budgets {
		a, err := benchAt(ctx, m.Embedder, rows, budget, each)
		if err != nil {
			return err
		}
		a.Learned = budget == learned
		found = append(found, session.Finding{
			About: fmt.Sprintf("bench on %s, %d at a time, batches of %5d tokens", m.Device(), m.Workers(), a.BatchTokens),
			Says:  fmt.Sprintf("%.1f texts/s, %.0f tokens/s", a.Texts, a.Tokens)})
		if asJSON {
			err = plain.JSON(out, a)
		} else {
			note := ""
			if a.Learned {
				note = "  (learned)"
			}
			_, err = fmt.Fprintf(out, "%6d tokens a batch: %8.1f texts/s %10.0f tokens/s%s\n", a.BatchTokens, a.Texts, a.Tokens,
				note)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keep has what was measured shown where the model is; that it cannot be kept spoils no measurement.
func keep(ctx context.Context, cfg config.Config, s *models.Spec, found []session.Finding, log *slog.Logger) {
	if err := session.Found(cfg.Home, s, found); err != nil {
		log.WarnContext(ctx, "what was measured is not kept", "model", s.Name, "error", err)
	}
}

// raggedRows are token rows shaped like real text: most are short, few are long. They are the same each time.
func raggedRows(spec *models.Spec) []embed.Row {
	random := rand.New(rand.NewPCG(1, 2))
	rows := make([]embed.Row, 512)
	for i := range rows {
		n := min(max(int(20+random.ExpFloat64()*40), 3), spec.MaxLength)
		ids := make([]int32, n)
		for j := range ids {
			ids[j] = 1000 + random.Int32N(1000)
		}
		rows[i].IDs = ids
	}
	slices.SortFunc(rows, func(a, b embed.Row) int { return len(a.IDs) - len(b.IDs) })
	return rows
}

func benchAt(
	ctx context.Context, e *embed.Embedder, rows []embed.Row, budget int, each time.Duration,
) (benchAnswer, error) {
	batches := batchesOf(rows, budget)
	var mu sync.Mutex
	var next, texts, tokens int
	var failure error
	start := time.Now()
	take := func() []embed.Row {
		mu.Lock()
		defer mu.Unlock()
		if failure != nil || ctx.Err() != nil || next > 0 && time.Since(start) > each {
			return nil
		}
		next++
		return batches[(next-1)%len(batches)]
	}
	var workers sync.WaitGroup
	for range e.Workers() {
		workers.Go(func() {
			for batch := take(); batch != nil; batch = take() {
				_, err := e.Embed(ctx, batch)
				mu.Lock()
				failure = errors.Join(failure, err)
				texts += len(batch)
				for _, r := range batch {
					tokens += len(r.IDs)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	seconds := time.Since(start).Seconds()
	if err := errors.Join(failure, context.Cause(ctx)); err != nil {
		return benchAnswer{}, fmt.Errorf("batches of %d tokens: %w", budget, err)
	}
	return benchAnswer{BatchTokens: budget, Texts: float64(texts) / seconds, Tokens: float64(tokens) / seconds}, nil
}

// batchesOf cuts sorted rows into batches whose padded size stays within budget, a longer row being one of its own.
func batchesOf(rows []embed.Row, budget int) [][]embed.Row {
	var batches [][]embed.Row
	for end := len(rows); end > 0; {
		n := min(max(budget/len(rows[end-1].IDs), 1), end)
		batches = append(batches, rows[end-n:end])
		end -= n
	}
	// Shuffled, since a measurement may end before the last one.
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	return batches
}
