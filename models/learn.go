package models

import (
	"context"
)

func (e *Embedder) settleBudget(ctx context.Context, o SessionOptions) error {
	if e.budget == 0 {
		e.budget = 1024
	}
	return nil
}
