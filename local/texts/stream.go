package texts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"textmill/config"
	"textmill/ground/naming"
	"textmill/jobs"
	"textmill/models/generate"
	"textmill/open"
)

// Streamed is what answering took, loading the model apart.
type Streamed struct {
	Tokens int // new ones
	Took   time.Duration
}

// Stream answers questions of a user, one after the other, with a model of the cache. write gets pieces of each answer
// as they become certain, and an empty one at its end.
func Stream(ctx context.Context, cfg config.Config, name string, questions []string, params map[string]string,
	log *slog.Logger,
	write func(question int, piece string) error) (total Streamed, err error) {
	raw, err := jobs.ParamsJSON(naming.TaskGenerate, params)
	if err != nil {
		return total, err
	}
	p, err := jobs.ParseGenerateParams(raw)
	if err != nil {
		return total, err
	}
	p.Chat = true
	g, err := open.GenerationNamed(ctx, cfg, name, 1, log)
	if err != nil {
		return total, err
	}
	defer func() { err = errors.Join(err, g.End()) }()
	begun := time.Now()
	for i, q := range questions {
		prompt, failure := g.Engine.Prepare(jobs.Record{Text: q}, p)
		if failure != nil {
			return total, failure
		}
		result, err := g.Engine.Follow(ctx, prompt, 0, func(s generate.Step) error {
			if s.Text == "" {
				return nil
			}
			return write(i, s.Text)
		})
		if err != nil {
			return total, fmt.Errorf("answer %q: %w", q, err)
		}
		if err := write(i, ""); err != nil {
			return total, err
		}
		total.Tokens += len(result.IDs)
	}
	total.Took = time.Since(begun)
	return total, nil
}
