package embed

import (
	"context"
	"fmt"

	"textmill/models/session"
)

// alone tells whether a text is to be the only one of its run: then what it goes through, and so its bits, go by its
// own length.
func (e *Embedder) alone(r Row) bool {
	return e.spec.Alone > 0 && len(r.IDs) > e.spec.Alone && e.deck == nil
}

// runs has one slot run rows: together, but for texts that run alone, and in as many runs as their scores need.
func (e *Embedder) runs(ctx context.Context, s batcher, rows []Row) ([]Vector, error) {
	vectors := make([]Vector, len(rows))
	var together []Row
	var at []int
	for i, r := range rows {
		if !e.alone(r) {
			together, at = append(together, r), append(at, i)
			continue
		}
		v, err := s.embed(ctx, e, rows[i:i+1])
		if err != nil {
			return nil, err
		}
		vectors[i] = v[0]
	}
	for len(together) > 0 {
		n, bytes, err := e.fitting(together)
		if err != nil {
			return nil, err
		}
		v, err := e.holding(ctx, bytes, s, together[:n])
		if err != nil {
			return nil, err
		}
		for i := range v {
			vectors[at[i]] = v[i]
		}
		together, at = together[n:], at[n:]
	}
	return vectors, nil
}

// holding runs rows when the scores of all runs leave room for theirs.
func (e *Embedder) holding(ctx context.Context, bytes int64, s batcher, rows []Row) ([]Vector, error) {
	release, err := e.o.HoldScores(ctx, bytes)
	if err != nil {
		return nil, err
	}
	defer release()
	return s.embed(ctx, e, rows)
}

// fitting is how many of the first rows may run together for their scores to be allowed, and the bytes of these.
func (e *Embedder) fitting(rows []Row) (n int, bytes int64, err error) {
	if e.deck != nil || e.table != nil {
		return len(rows), 0, nil
	}
	longest := 0
	for n < len(rows) {
		longest = max(longest, len(rows[n].IDs))
		all := e.scores(n+1, longest)
		if all > e.o.AttentionBytes {
			break
		}
		n, bytes = n+1, all
	}
	if n == 0 {
		return 0, 0, fmt.Errorf("%w: attention over a text of %d tokens holds about %d MiB of scores, limits.attention_bytes is "+
			"%d MiB; cut it by max_length or chunk_size, allow more, or take a graph that textmill models import made, which "+
			"holds none", session.ErrOutOfMemory, longest, e.scores(1, longest)>>20, e.o.AttentionBytes>>20)
	}
	return n, bytes, nil
}

// usualHead is the size of a head where nothing says how many there are.
const usualHead = 64

// scores is about how many bytes attention holds at a time for so many texts, padded to that many tokens. Graphs that
// others made hold them twice, before and after the softmax.
func (e *Embedder) scores(texts, tokens int) int64 {
	heads, each := int64(e.spec.Heads), int64(4)
	if heads == 0 {
		heads = int64(max(1, e.spec.Hidden/usualHead))
	}
	if e.spec.Alone == 0 {
		each *= 2
	}
	return each * heads * int64(texts) * int64(tokens) * int64(tokens)
}
