package embed

import (
	"context"
	"fmt"

	"textmill/models"
)

// Embed runs rows as one batch, padded to the longest or packed, and returns a Vector for each in the same order, nil
// where ErrNaN applies. Texts of more tokens than Spec.Alone have a run each, and batches whose scores would take too
// much memory have several. It is safe for concurrent use. When ctx ends, the run is stopped and ctx's error returned.
func (e *Embedder) Embed(ctx context.Context, rows []Row) ([]Vector, error) {
	return e.with(ctx, e.slots, rows)
}

// Ask is Embed for rows that somebody waits for: on a processor it runs beside all calls of Embed, whatever their
// number and size, where the operating system gives both their share; on a card it waits for one of them.
func (e *Embedder) Ask(ctx context.Context, rows []Row) ([]Vector, error) {
	if e.asked == nil {
		return e.Embed(ctx, rows)
	}
	return e.with(ctx, e.asked, rows)
}

func (e *Embedder) with(ctx context.Context, slots chan batcher, rows []Row) ([]Vector, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	if err := e.check(rows); err != nil {
		return nil, err
	}
	select {
	case s := <-slots:
		defer func() { slots <- s }()
		vectors, err := e.runs(ctx, s, rows)
		if err != nil {
			return nil, fmt.Errorf("embed %d rows with %s: %w", len(rows), e.spec.Name, err)
		}
		e.apply(rows, vectors)
		return vectors, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// apply has the steps behind the pooling make of vectors what the model gives. Those that overflow are no numbers.
func (e *Embedder) apply(rows []Row, vectors []Vector) {
	if len(e.head) == 0 {
		return
	}
	pooled := make([][]float32, len(rows))
	for i, r := range rows {
		if poolingOf(r, e.spec) != models.PoolNone {
			pooled[i] = vectors[i]
		}
	}
	e.head.Apply(pooled)
	for i, v := range pooled {
		if v == nil {
			continue
		}
		if vectors[i] = v; !finite(v) {
			vectors[i] = nil
		}
	}
}

func (e *Embedder) check(rows []Row) error {
	for i, r := range rows {
		switch {
		case len(r.IDs) == 0 && e.table == nil:
			return fmt.Errorf("%w %d: it has no tokens", ErrRow, i)
		case len(r.IDs) > e.spec.MaxLength:
			return fmt.Errorf("%w %d: it has %d tokens, %s takes %d", ErrRow, i, len(r.IDs), e.spec.Name, e.spec.MaxLength)
		case r.TypeIDs != nil && len(r.TypeIDs) != len(r.IDs):
			return fmt.Errorf("%w %d: %d token_type_ids for %d tokens", ErrRow, i, len(r.TypeIDs), len(r.IDs))
		case r.Skip < 0 || r.Skip >= max(1, len(r.IDs)):
			return fmt.Errorf("%w %d: pooling would skip %d of %d tokens", ErrRow, i, r.Skip, len(r.IDs))
		}
		if err := e.spec.CheckPooling(r.Pooling); err != nil {
			return fmt.Errorf("%w %d: %w", ErrRow, i, err)
		}
	}
	return nil
}
