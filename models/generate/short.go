package generate

import (
	"context"
	"errors"

	"textmill/models/internal/card"
	"textmill/models/internal/graph"
)

const (
	// shortRows is how many short prompts a run takes, always: with fewer the rest are idle, so that a prompt's bits go
	// by itself alone.
	shortRows = 8
	// shortParts is the part of chunkTokens that a short prompt has at most.
	shortParts = 4
)

// shorts are runs of short prompts, side by side. Attention takes several only where nothing is held yet, so they have
// a cache of their own, from which what they left goes to their slots.
type shorts struct {
	tokens        int            // of a row
	caches        []*card.Tensor // [shortRows, kv_heads, tokens, head_size]
	ids, lens, at mirror
	total         *card.Tensor
	binding       *card.Binding
	runs          int
}

func (s *shorts) make(b *bound) (err error) {
	if s.runs = 0; s.tokens == 0 || s.tokens > b.length {
		return nil
	}
	n := int64(s.tokens)
	if s.ids, err = newMirror(b.session, graph.Int64, shortRows, n); err != nil {
		return err
	}
	if s.lens, err = newMirror(b.session, graph.Int32, shortRows); err != nil {
		return err
	}
	if s.at, err = newMirror(b.session, graph.Int64, shortRows); err != nil {
		return err
	}
	if s.total, err = b.session.Host(graph.Int32, 1); err != nil {
		return err
	}
	s.total.Int32s()[0] = int32(n)
	for i := range s.lens.host.Int32s() { // what fills a row up comes behind its prompt and changes nothing before it
		s.lens.host.Int32s()[i] = int32(n - 1)
	}
	if s.binding, err = b.session.Bind(); err != nil {
		return err
	}
	for _, names := range b.names {
		t, err := b.session.Device(b.kind(), shortRows, int64(b.d.KVHeads), n, int64(b.d.HeadSize))
		if err != nil {
			return err
		}
		s.caches = append(s.caches, t)
		if err := errors.Join(s.binding.In(names[0], t), s.binding.Out(names[1], t)); err != nil {
			return err
		}
	}
	return errors.Join(s.lens.put(shortRows), b.out.bind(s.binding, shortRows), s.binding.In("input_ids", s.ids.device),
		s.binding.In("seqlens_k", s.lens.device), s.binding.In("total_sequence_length", s.total),
		s.binding.In("logits_positions", s.at.device))
}

func (s *shorts) close() (err error) {
	if s.binding != nil {
		err = s.binding.Close()
	}
	err = errors.Join(err, s.ids.close(), s.lens.close(), s.at.close())
	for _, t := range append(s.caches, s.total) {
		if t != nil {
			err = errors.Join(err, t.Close())
		}
	}
	*s = shorts{tokens: s.tokens}
	return err
}

// brief tells whether a whole prompt of n tokens is run beside others.
func (b *bound) brief(n int) bool { return b.short.binding != nil && n <= b.short.tokens }

// prefillBrief is prefill for whole brief prompts, shortRows at the most, into slots that hold nothing.
func (b *bound) prefillBrief(ctx context.Context, slots []int, prompts [][]int32, candidates bool) ([]scored, error) {
	s := &b.short
	ids := s.ids.host.Int64s()
	for i := range shortRows {
		prompt := prompts[min(i, len(prompts)-1)]
		for j := range s.tokens {
			ids[i*s.tokens+j] = int64(prompt[min(j, len(prompt)-1)])
		}
		s.at.host.Int64s()[i] = int64(i*s.tokens + len(prompt) - 1)
	}
	if err := errors.Join(s.ids.put(shortRows*s.tokens), s.at.put(shortRows)); err != nil {
		return nil, err
	}
	if err := b.run(ctx, s.binding, &s.runs, b.graph-1); err != nil {
		return nil, err
	}
	heads, from, to := int64(b.d.KVHeads), int64(s.tokens*b.d.HeadSize), int64(b.length*b.d.HeadSize)
	parts := make([]card.Part, 0, len(slots)*len(b.caches))
	for i, slot := range slots {
		for j, cache := range b.caches {
			parts = append(parts, card.Part{Dst: cache, Src: s.caches[j], FromStride: from, Rows: card.Rows{
				To: int64(slot) * heads * to, From: int64(i) * heads * from, Width: int64(len(prompts[i]) * b.d.HeadSize),
				Stride: to, N: heads}})
		}
	}
	if err := card.CopyAll(parts...); err != nil {
		return nil, err
	}
	return b.scores(ctx, shortRows, candidates)
}
