package generate

import (
	"context"
	"slices"
)

// A briefer runs several brief prompts at a time.
type briefer interface {
	brief(tokens int) bool
	prefillBrief(ctx context.Context, slots []int, prompts [][]int32, candidates bool) ([]scored, error)
}

// prefillBrief runs a slot's prompt, which is brief, and others that are, as it would have come to their turns.
func (g *Generator) prefillBrief(ctx context.Context, run briefer, slot int) int {
	var slots []int
	var prompts [][]int32
	candidates, tokens := false, 0
	for slot >= 0 {
		s := g.slots[slot]
		s.begun = true
		slots, prompts, tokens = append(slots, slot), append(prompts, s.Prompt), tokens+len(s.Prompt)
		candidates = candidates || s.candidates()
		if len(slots) == shortRows {
			break
		}
		slot = g.soonest(func(i int, s *sequence) bool { return run.brief(len(s.Prompt)) && !slices.Contains(slots, i) })
		if slot >= 0 {
			g.parts++
			g.slots[slot].job.ran = g.parts
		}
	}
	var next []scored
	padded := shortRows * g.o.chunk / shortParts
	stats := RunStats{Rows: len(slots), Tokens: tokens, Padded: padded}
	err := g.timed(ctx, stats, func(ctx context.Context) (err error) {
		next, err = run.prefillBrief(ctx, slots, prompts, candidates)
		return err
	})
	if err != nil && g.shrink(ctx, err) {
		return padded
	}
	for i, slot := range slots {
		s := g.slots[slot]
		if err != nil {
			g.leave(ctx, slot, err)
			continue
		}
		s.used = len(s.Prompt)
		g.kept[slot] = append(g.kept[slot][:0], s.Prompt...)
		g.settle(ctx, slot, s, g.scratch[0], &next[i])
	}
	return padded
}
