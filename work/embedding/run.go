package embedding

import (
	"context"
	"errors"
	"slices"
	"time"

	"textmill/crash"
	"textmill/export"
	"textmill/jobs"
	"textmill/models/embed"
	"textmill/models/session"
	"textmill/work/rows"
)

// now is the time where somebody is told of it.
func (e *Engine) now() (t time.Time) {
	if e.opts.Timed != nil {
		t = time.Now()
	}
	return t
}

// timed tells how long a stage took since it began.
func (e *Engine) timed(s rows.Stage, begun time.Time) {
	if e.opts.Timed != nil {
		e.opts.Timed(s, time.Since(begun))
	}
}

// embeds is Embed or Ask of an embedder.
type embeds func(ctx context.Context, rows []embed.Row) ([]embed.Vector, error)

func (e *Engine) runLoop(running context.Context, from *window, with embeds) {
	for {
		batch, since, ok := from.take()
		if !ok {
			return
		}
		e.timed(rows.Wait, since)
		e.free(batch)
		e.runSplit(running, batch, with)
	}
}

// free gives the space of records that have left the window to new ones.
func (e *Engine) free(batch []*item) {
	for _, it := range batch {
		r := it.rec
		r.mu.Lock()
		r.waiting--
		last := r.waiting == 0
		r.mu.Unlock()
		if last {
			e.space.Release(r.cost)
		}
	}
}

// runSplit runs a batch. One that fails as a whole is halved until the failure
// is down to single records, so that neighbours are unharmed. A single one that took too long is run once more: the
// whole process may have been stopped meanwhile.
func (e *Engine) runSplit(running context.Context, batch []*item, with embeds) {
	vectors, err := e.run(running, batch, with)
	if len(batch) == 1 && errors.Is(err, context.DeadlineExceeded) && running.Err() == nil {
		vectors, err = e.run(running, batch, with)
	}
	switch {
	case err == nil:
		begun := e.now()
		for i, it := range batch {
			e.finish(it, vectors[i])
		}
		e.timed(rows.Assemble, begun)
	case running.Err() != nil:
		for _, it := range batch {
			e.abandon(it)
		}
	case len(batch) > 1:
		e.runSplit(running, batch[:len(batch)/2], with)
		e.runSplit(running, batch[len(batch)/2:], with)
	default:
		e.settle(batch[0], e.errorRow(batch[0].rec, runFailure(err)))
	}
}

func (e *Engine) run(ctx context.Context, batch []*item, with embeds) ([]embed.Vector, error) {
	if e.opts.RunTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, e.opts.RunTimeout)
		defer cancel()
	}
	texts := make([]embed.Row, len(batch))
	var tokens, longest int
	for i, it := range batch {
		p := it.rec.task.Plan
		texts[i] = embed.Row{IDs: it.ids, TypeIDs: it.types, Pooling: p.Pooling, Skip: skipped(p, it)}
		crash.Run(it.ids)
		tokens += len(it.ids)
		longest = max(longest, len(it.ids))
	}
	begun := time.Now()
	vectors, err := with(ctx, texts)
	if err != nil {
		return nil, err
	}
	watched(batch, begun)
	if e.opts.Observe != nil {
		padded := longest * len(batch)
		if e.opts.Embedder.Packed() {
			padded = tokens
		}
		e.opts.Observe(BatchStats{Texts: len(batch), Tokens: tokens, PaddedTokens: padded, Took: time.Since(begun)})
	}
	return vectors, nil
}

// watched tells who watches a plan of a run that some of its items were in.
func watched(batch []*item, begun time.Time) {
	var told []*Plan
	for _, it := range batch {
		p := it.rec.task.Plan
		if p.about.Watch != nil && !slices.Contains(told, p) {
			told = append(told, p)
			p.about.Watch(rows.Run, begun, time.Since(begun))
		}
	}
}

// skipped is how many of the item's tokens pooling leaves out.
func skipped(p *Plan, it *item) int { return max(0, min(p.skip, len(it.ids)-1)) }

// runFailure is the class under which a record that the model cannot run is
// reported.
func runFailure(err error) *jobs.RecordError {
	class := jobs.ModelFailed
	switch {
	case errors.Is(err, session.ErrOutOfMemory):
		class = jobs.OutOfMemory
	case errors.Is(err, context.DeadlineExceeded):
		class = jobs.Timeout
	}
	return &jobs.RecordError{Class: class, Message: err.Error()}
}

// finish makes the row of an item from its vector; no vector means that the
// model gave numbers that are none.
func (e *Engine) finish(it *item, v embed.Vector) {
	if v == nil {
		e.settle(it, e.errorRow(it.rec, &jobs.RecordError{Class: jobs.NaN,
			Message: "the model gave NaN or infinity for this text"}))
		return
	}
	row, err := e.row(it, v)
	if err != nil {
		row = e.errorRow(it.rec, &jobs.RecordError{Class: jobs.InvalidParam, Message: err.Error()})
	}
	e.settle(it, row)
}

// settle files one row of a record, and hands all of them over with the last.
func (e *Engine) settle(it *item, row export.Row) {
	r := it.rec
	r.mu.Lock()
	if r.rows != nil {
		r.rows[it.chunk] = row
	}
	r.pending--
	last, rows := r.pending == 0, r.rows
	r.mu.Unlock()
	if last {
		r.task.Done(oneError(rows))
	}
}

// abandon files an item whose run was ended by Abort: its record has no rows.
func (e *Engine) abandon(it *item) {
	r := it.rec
	r.mu.Lock()
	r.rows = nil
	r.pending--
	last := r.pending == 0
	r.mu.Unlock()
	if last {
		r.task.Done(nil)
	}
}

// oneError keeps a record that failed to one row: the first error among its
// chunks.
func oneError(rows []export.Row) []export.Row {
	for i := range rows {
		if rows[i].Error != "" {
			return rows[i : i+1]
		}
	}
	return rows
}
